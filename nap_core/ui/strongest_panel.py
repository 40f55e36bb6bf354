"""The images that drive a layer, or one of its units, most and least."""

from __future__ import annotations

import streamlit as st

from nap_core.study import Study
from nap_core.study.describe import strongest_images, unit_values
from nap_core.ui.grid import picture_grid
from nap_core.ui.panels import class_words

SHOWN = 30


def strongest_panel(study: Study, layer: str, unit: int | None) -> None:
    """Show inputs of maximal and of minimal activation."""
    value = unit_values(study, layer, unit)
    who = f"Unit {unit} of layer `{layer}`" if unit is not None else f"Layer `{layer}` as a whole"
    most = strongest_images(study, layer, unit, SHOWN)
    least = strongest_images(study, layer, unit, SHOWN, weakest=True)
    measure = "activation" if unit is not None else "length of the activations' row"
    st.markdown(f"{who} answers from {value[least[0]]:.2f} to {value[most[0]]:.2f} ({measure}).")
    if value[most[0]] == value[least[0]]:
        st.info("It answers all images alike, so none is stronger than another.")
        return
    for title, images in (("Strongest", most), ("Weakest", least)):
        st.markdown(f"##### {title}: {class_words(study, images)}")
        picture_grid(study, images.tolist(), key=f"{title}-{layer}-{unit}")
    if unit is None:
        st.caption("Choose a unit in the sidebar to see what drives it alone.")
