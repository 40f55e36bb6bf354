"""What the Flows page shows: which layers and patterns, in which colours, and which images it follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.types import NOISE, Int
from nap_core.ui.selection import selected

LAYERS, UNFOLDED, CLASS, PATTERN = "flow-layers", "flow-unfolded", "flow-class", "flow-pattern"
MOST_LAYERS, DRAWN = 4, 16  # at first


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


def first_layers(study: Study, part: str = "") -> list[str]:
    """Return the layers that are drawn until the reader chooses: the last of those that can be read.

    Those are the layers in which the bars drawn hold most images that are in a pattern at all; fewer than two such
    layers make no flow, and then it is the last layers. Those of `part`, a bar or ribbon asked for, are among them.
    """
    names = usable_layers(study)
    readable = [name for name in names if _is_readable(study, name)]
    first = (readable if len(readable) > 1 else names)[-MOST_LAYERS:]
    asked = {end.rpartition(":")[0] for end in part.split(">")}
    return [name for name in names if name in first or name in asked]


def _is_readable(study: Study, layer: str) -> bool:
    if not study.has_patterns(layer):
        return True  # the page does not wait for what it may not show
    return _largest_share(study.patterns_key(layer), study, layer) >= 0.5


@st.cache_data(show_spinner=False, max_entries=256)
def _largest_share(key: str, _study: Study, _layer: str) -> float:
    size = np.sort(_study.patterns(_layer).size)[::-1]
    return float(size[:DRAWN].sum() / max(1, size.sum()))


def tell_left_out(study: Study, layers: tuple[str, ...]) -> None:
    """Say which layers the first view leaves out, and offer to draw them, too."""
    names = usable_layers(study)
    left = [name for name in names if name not in layers]
    if not left or list(layers) != first_layers(study):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="flow-left-out"):
        st.caption(_left_out_words(study, left, len(names)), width="content")
        if len(names) <= 2 * MOST_LAYERS:
            st.button(f"Draw all {len(names)} layers", type="tertiary", on_click=show_layers, args=names)


def _left_out_words(study: Study, left: list[str], n: int) -> str:
    if len(left) > MOST_LAYERS:
        return f"Drawn at first are {n - len(left)} of {n} layers; choose others in the sidebar."
    keys = [study.patterns_key(name, study.config) for name in left]
    counts = [_n_patterns(key, study, name, study.config) for key, name in zip(keys, left, strict=True)]
    told = [f"`{name}` ({counted(count, 'pattern')})" for name, count in zip(left, counts, strict=True)]
    return f"Not drawn at first: {' and '.join([', '.join(told[:-1]), told[-1]] if told[1:] else told)}."


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
    first = first_layers(study, st.query_params.get("part", ""))
    with st.sidebar:
        about = "In the order in which you pick them: take one out and pick it again to move it to the right."
        layers = st.multiselect(
            "Layers, left to right",
            names,
            default=first,
            key=LAYERS,
            help=about,
            persist_state="session",
            bind="query-params",
        )
        in_order = [name for name in names if name in layers]
        if layers != in_order:
            st.button("Back to the network's order", type="tertiary", on_click=show_layers, args=in_order)
        about = "The largest; the rest of a layer is one bar, “n more”."
        most = st.slider("Patterns drawn per layer", 4, 60, DRAWN, key="flow-most", help=about, bind="query-params")
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
