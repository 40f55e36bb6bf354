"""The Layers page: which layers, what it will cost, and the run with its progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from nap_core.configs import POOLINGS, RECIPES
from nap_core.errors import NapError
from nap_core.study import Study
from nap_core.types import LayerInfo
from nap_core.ui.resources import new_folder, open_study, show_error
from nap_core.ui.widgets import RECIPE_WORDS, remaining, show_progress, size_words

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

_LISTED, _RUN = "listed-layers", "run-folder"


def layers_of(network: Network, images: ImageSet) -> tuple[LayerInfo, ...]:
    """Return the model's layers in execution order; listed once per model and image size."""
    from nap_core.activations.extract import network_layers

    key = (network.fingerprint, images.fingerprint)
    if st.session_state.get(_LISTED, (None,))[0] != key:
        with st.spinner("One image through the model"):
            st.session_state[_LISTED] = (key, network_layers(network, images))
    found: tuple[LayerInfo, ...] = st.session_state[_LISTED][1]
    return found


def choose_layers(network: Network, layers: Sequence[LayerInfo]) -> list[LayerInfo]:
    """Let the visitor choose layers; a sensible selection is made already."""
    from nap_core.activations.layers import suggest_layers

    readable = [layer for layer in layers if layer.kind != "unreadable"]
    suggested = [layer for layer in readable if layer.name in suggest_layers(tuple(layers))]
    shapes = {layer.name: "×".join(map(str, layer.output_shape)) for layer in readable}
    names = st.multiselect(
        "Layers",
        list(shapes),
        default=[layer.name for layer in suggested],
        format_func=lambda name: f"{name}  ·  {shapes[name]}",
        key=f"layers-{network.fingerprint[:12]}",
        persist_state="session",
    )
    with st.expander(f"All {len(layers)} layers in execution order"):
        st.dataframe([_row(layer) for layer in layers], hide_index=True)
    return [layer for layer in readable if layer.name in names]


def _row(layer: LayerInfo) -> dict[str, Any]:
    shape = "×".join(map(str, layer.output_shape))
    return {
        "layer": layer.name,
        "type": layer.type,
        "output": shape or layer.reason,
        "units": layer.n_units,
        "parameters": layer.n_parameters,
    }


def tell_forecast(network: Network, images: ImageSet, layers: Sequence[LayerInfo], pooling: str) -> None:
    """Say what a run will cost, from a timed batch."""
    from nap_core.activations.extract import forecast

    key = f"forecast-{network.fingerprint}-{images.fingerprint}"
    if key not in st.session_state:
        st.session_state[key] = forecast(network, images, layers, pooling).seconds
    stored = forecast_bytes(layers, pooling, len(images))
    st.caption(
        f"Forecast: {len(images):,} images through the model in about {remaining(st.session_state[key])}, "
        f"then about {remaining(4 + len(layers) * len(images) / 1000)} of grouping; {size_words(stored)} are kept."
    )


def forecast_bytes(layers: Sequence[LayerInfo], pooling: str, n_images: int) -> int:
    """Return how many bytes of activations a run keeps."""
    from nap_core.activations.pooling import n_features

    return 4 * n_images * sum(n_features(layer.output_shape, layer.kind, pooling) for layer in layers)


def run_form(network: Network, images: ImageSet, layers: Sequence[LayerInfo]) -> None:
    """Show pooling, recipe and limit, the forecast, and the button that runs."""
    with st.expander("Pooling, recipe and number of images"):
        pooling = st.selectbox("Pooling", list(POOLINGS), help="How a feature map becomes one number (or two) per unit")
        recipe = st.radio("Recipe", list(RECIPES), format_func=lambda name: RECIPE_WORDS[name])
        most = st.number_input("At most so many images", 2, max(2, len(images)), max(2, len(images)))
    if most < len(images):
        images = images.limited(int(most))
    tell_forecast(network, images, layers, pooling)
    stopped = st.session_state.get(_RUN)
    run = st.button("Continue the run" if stopped else "Run", type="primary")
    space = st.empty()
    if run:
        with space.container():
            _run(network, images, layers, pooling, recipe)


def _run(network: Network, images: ImageSet, layers: Sequence[LayerInfo], pooling: str, recipe: str) -> None:
    # The folder outlives a stop: the same button then continues where the last finished batch ended.
    folder = st.session_state.setdefault(_RUN, new_folder())
    st.button("Stop", help="What is finished is kept; the run continues there.")
    try:
        config = RECIPES[recipe]
        reading = show_progress("1 of 3 · thumbnails")
        study = Study.create(folder, network, images, layers, pooling=pooling, config=config, progress=reading)
        study.extract(network, images, progress=show_progress("2 of 3 · images through the model"))
        problems = study.cluster(progress=show_progress("3 of 3 · layers grouped"))
    except NapError as error:
        show_error(error)
        return
    del st.session_state[_RUN]
    open_study(folder)
    if len(problems) < len(layers):
        st.switch_page("pages/overview.py")
    for layer, problem in problems.items():
        st.error(f"{layer}: {problem}")
