"""How pictures reach the chosen network: said in words, shown on one picture, and changed where it is a guess."""

from __future__ import annotations

import streamlit as st

from nap_core.errors import NapError
from nap_core.inputs.assumed import adjusted, fitted, in_words, told
from nap_core.inputs.image_set import ImageSet
from nap_core.inputs.models import Network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.ui.resources import show_error
from nap_core.ui.visitor import visitor

_ASSUMED, _SHOWN = "assumed-preprocessing", 160


def preprocessing_panel(network: Network, images: ImageSet) -> None:
    """Say how pictures become the network's input, and let the visitor correct it."""
    network, assumption = fitted(network, images)
    if assumption:
        visitor().take_network(network)
        visitor().kept[_ASSUMED] = assumption
    if _ASSUMED in visitor().kept:
        st.warning(visitor().kept[_ASSUMED])
    found = network.preprocessing
    if not isinstance(found, Preprocessing):
        return
    with st.expander(f"How pictures reach the network: {in_words(found)}", expanded=_ASSUMED in visitor().kept):
        st.caption(
            "These must be the values that the network was trained with. Published networks and demos bring theirs; "
            "weights of your own are taken to be trained as the published ones of their architecture."
        )
        asked, seen = st.columns([3, 1], gap="large")
        with asked:
            _ask(network, found)
        if len(images):
            seen.image(found.framed(images.picture(0)), width=_SHOWN, caption="one picture as the network sees it")


def _ask(network: Network, found: Preprocessing) -> None:
    with st.form(f"preprocessing-{found.key}", border=False):
        size = st.number_input(
            "Side in pixels", 8, 1024, found.crop, help="The short side is resized to it, and the middle cut out."
        )
        mean = st.text_input("Mean per channel", _written(found.mean), help="For values from 0 to 1.")
        std = st.text_input("Standard deviation per channel", _written(found.std))
        if not st.form_submit_button("Use these"):
            return
    try:
        changed = None if size == found.crop else size
        wanted = adjusted(found, changed, told(mean), told(std))
    except NapError as error:
        show_error(error)
        return
    visitor().take_network(network.seeing(wanted))
    st.rerun()


def _written(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
