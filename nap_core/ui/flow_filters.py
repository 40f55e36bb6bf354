"""What the Flows page shows: which layers and patterns, in which colours, and which images it follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.types import NOISE, Int
from nap_core.ui.selection import selected

LAYERS, UNFOLDED, CLASS, PATTERN = "flow-layers", "flow-unfolded", "flow-class", "flow-pattern"


@dataclass(frozen=True, slots=True)
class FlowChoice:
    """How the chart is drawn."""

    layers: tuple[str, ...]  # from left to right
    most: int
    fold_below: int
    unfolded: tuple[str, ...]
    assigned: bool


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """The images that the chart follows."""

    images: Int | None  # None for all
    told: tuple[str, ...]  # what they have in common by choice: "class star", "misclassified"


def usable_layers(study: Study) -> list[str]:
    """Return the layers that have patterns, in the network's order."""
    return [name for name in study.layer_names if name not in study.problems]


def show_layers(*layers: str) -> None:
    """Make the chart show these layers, in this order."""
    st.session_state[LAYERS] = list(layers)


def unfold(layer: str) -> None:
    """Make the chart draw every pattern of a layer."""
    st.session_state[UNFOLDED] = sorted({*st.session_state.get(UNFOLDED, ()), layer})


def follow_pattern(layer: str, pattern: int) -> None:
    """Make the chart follow the images of one pattern, or of the noise, alone."""
    st.session_state[PATTERN] = _pattern_option(layer, pattern)


def pick_flow(study: Study) -> FlowChoice:
    """Let the reader choose layers, their order, and how many patterns are drawn."""
    names = usable_layers(study)
    with st.sidebar:
        about = "In the order in which you pick them: take one out and pick it again to move it to the right."
        layers = st.multiselect(
            "Layers, left to right",
            names,
            default=names[-4:],
            key=LAYERS,
            help=about,
            persist_state="session",
            bind="query-params",
        )
        in_order = [name for name in names if name in layers]
        if layers != in_order:
            st.button("Back to the network's order", type="tertiary", on_click=show_layers, args=in_order)
        about = "The largest; the rest of a layer is one bar, “n more”."
        most = st.slider("Patterns drawn per layer", 4, 60, 16, key="flow-most", help=about, bind="query-params")
        about = "They go into “n more”, too."
        fold = st.slider(
            "Fold patterns of fewer images than", 0, 100, 0, key="flow-fold", help=about, bind="query-params"
        )
        about = "Every pattern of these layers gets a bar of its own."
        unfolded = st.multiselect(
            "Draw all patterns of", names, key=UNFOLDED, placeholder="no layer", help=about, bind="query-params"
        )
        about = "Otherwise images in no pattern have a bar of their own."
        assigned = st.checkbox("Put noise where it is assigned", key="flow-assigned", help=about, bind="query-params")
    return FlowChoice(tuple(layers), most, fold, tuple(unfolded), assigned)


def pick_color(study: Study) -> bool:
    """Let the reader choose what colours mean; returns whether it is the class."""
    if not (study.target != NOISE).any():
        return False
    by = st.segmented_control(
        "Colour by", ["pattern", "class"], default="pattern", required=True, key="flow-color", bind="query-params"
    )
    return by == "class"


def _pattern_option(layer: str, pattern: int) -> str:
    return f"{layer}: {'no pattern' if pattern == NOISE else f'pattern {pattern}'}"


def pick_followed(study: Study, config: ClusterConfig, layers: tuple[str, ...]) -> Followed:
    """Let the reader choose which images the chart follows: all, or those that every choice has in common."""
    chosen = selected(study)
    kinds = [("misclassified", study.predictions is not None), ("selected", len(chosen) > 0)]
    offered = [kind for kind, is_there in kinds if is_there]
    kept, told = np.ones(study.n_images, bool), []
    if offered:
        about = "Images that the model takes for another class; images that you selected on any page."
        for kind in st.pills("Only", offered, selection_mode="multi", key="flow-only", help=about, bind="query-params"):
            kept &= misclassified(study) if kind == "misclassified" else _mask(study, chosen)
            told.append(kind)
    for mask, words in (_pick_class(study), _pick_pattern(study, config, layers)):
        if mask is not None:
            kept &= mask
            told.append(words)
    return Followed(np.flatnonzero(kept).astype(np.int32) if told else None, tuple(told))


def _mask(study: Study, images: Int) -> NDArray[np.bool_]:
    mask = np.zeros(study.n_images, bool)
    mask[images] = True
    return mask


def _pick_class(study: Study) -> tuple[NDArray[np.bool_] | None, str]:
    names = _occurring(study)
    if not names:
        return None, ""
    name = st.selectbox("Class", list(names), index=None, placeholder="all classes", key=CLASS, bind="query-params")
    return (None, "") if name is None else (study.target == names[name], f"class {name}")


def _occurring(study: Study) -> dict[str, int]:
    """Return name → number of the classes that images have."""
    numbers = np.unique(study.target[study.target != NOISE]).tolist()
    return {study.class_names[n] if n < len(study.class_names) else str(n): n for n in numbers}


def _pick_pattern(study: Study, config: ClusterConfig, layers: tuple[str, ...]) -> tuple[NDArray[np.bool_] | None, str]:
    places = {
        _pattern_option(layer, n): (layer, n)
        for layer in layers
        for n in range(NOISE, _n_patterns(study.patterns_key(layer, config), study, layer, config))
    }
    chosen = st.selectbox(
        "Pattern", list(places), index=None, placeholder="all patterns", key=PATTERN, bind="query-params"
    )
    if chosen is None:
        return None, ""
    layer, n = places[chosen]
    words = "in no pattern" if n == NOISE else f"in pattern {n}"
    return study.patterns(layer, config).label == n, f"{words} of `{layer}`"


@st.cache_data(show_spinner=False, max_entries=256)
def _n_patterns(key: str, _study: Study, _layer: str, _config: ClusterConfig) -> int:
    return _study.patterns(_layer, _config).n_patterns
