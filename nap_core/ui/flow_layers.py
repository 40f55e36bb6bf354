"""Below the flow: where a class splits and comes together, and which layers group the images alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.export import named
from nap_core.figures import Grid, grid_figure, spread_figure
from nap_core.keys import digest
from nap_core.patterns.class_paths import TOGETHER, ClassPaths, class_paths, together_from
from nap_core.study import Study
from nap_core.study.agreements import has_layer_agreement, layer_agreement
from nap_core.study.image import layers_with_patterns
from nap_core.types import NOISE, Float
from nap_core.ui.flow_filters import CLASS, show_layers
from nap_core.ui.panels import class_word
from nap_core.ui.widgets import show_progress

_PATH_CLASS, _MATRIX = "path-class", "layer-agreement"
CLEAR_STEP = 1.5
"""A class splits or comes together between two layers where its spread changes by this factor."""


@st.cache_resource(show_spinner=False, max_entries=32)
def _paths(key: str, _study: Study, _config: ClusterConfig) -> ClassPaths:
    chain = [_study.patterns(layer, _config) for layer in layers_with_patterns(_study)]
    return class_paths(chain, _study.target)


@st.fragment
def class_section(study: Study, config: ClusterConfig) -> None:
    """Say of a class where it splits and where it comes together, with its spread from layer to layer."""
    layers = layers_with_patterns(study)
    if not (study.target != NOISE).any() or len(layers) < 2:
        return
    keys = [study.patterns_key(layer, config) for layer in layers]
    paths = _paths(digest("class paths", patterns=keys, target=study.target), study, config)
    st.subheader("Where does a class split, where does it come together?")
    names = {named(n, study.class_names) or str(n): n for n in np.flatnonzero(paths.n_images).tolist()}
    start = st.session_state.get(CLASS)
    first = list(names).index(start) if start in names else _most_apart(paths, list(names.values()))
    left, right = st.columns([2, 3], gap="medium")
    with left:
        name = st.selectbox("Class", list(names), index=first, key=f"{_PATH_CLASS}-{start}")
        st.markdown(path_words(paths, names[name], class_word(name)))
    with right:
        others = np.array([paths.n_spread[:, n] for n in names.values() if n != names[name]])
        others = others.reshape(-1, len(layers))
        figure = spread_figure(layers, paths.n_spread[:, names[name]], others, class_word(name))
        st.plotly_chart(figure, key="spread")


def _most_apart(paths: ClassPaths, numbers: Sequence[int]) -> int:
    """Return the position of the class that changes most between the layers: it has the most to tell."""
    spread = np.log(np.maximum(paths.n_spread[:, list(numbers)], 1))
    return int((spread.max(axis=0) - spread.min(axis=0)).argmax())


def path_words(paths: ClassPaths, number: int, name: str) -> str:
    """Return in a few sentences where a class splits, where it comes together, and what holds it in the end."""
    spread, layers = np.maximum(paths.n_spread[:, number], 1), paths.layers
    n = int(paths.n_images[number])
    said = [
        f"The {n:,} images of **{name}** lie spread over {_about(spread[0])} in `{layers[0]}` and over "
        f"{_about(spread[-1])} in `{layers[-1]}`."
    ]
    step = np.diff(np.log(spread))
    clear = float(np.log(CLEAR_STEP))
    for at, verb in ((int(step.argmin()), "comes together"), (int(step.argmax()), "splits")):
        if step[at] * (-1 if verb != "splits" else 1) >= clear:
            ends = f"{spread[at]:.1f} → {spread[at + 1]:.1f}"
            said.append(f"It {verb} most between `{layers[at]}` and `{layers[at + 1]}` ({ends}).")
    return " ".join([*said, _held(paths, number, name)])


def _about(spread: float) -> str:
    told = f"{spread:.1f}"
    return "one pattern" if told == "1.0" else f"about {told} patterns"


def _held(paths: ClassPaths, number: int, name: str) -> str:
    first, n = together_from(paths, number), int(paths.n_images[number])
    if first is None:
        return _not_held(paths, number, n)
    last, share = len(paths.layers) - 1, float(paths.main_share[-1, number])
    return (
        f"From `{paths.layers[first]}` on one pattern holds at least {TOGETHER:.0%} of it; in `{paths.layers[last]}` "
        f"that is pattern {paths.main[last, number]} with {round(share * n):,} of its {n:,} images "
        f"and {paths.main_purity[last, number]:.0%} of that pattern are {name}."
    )


def _not_held(paths: ClassPaths, number: int, n: int) -> str:
    best, share = int(paths.main_share[:, number].argmax()), paths.main_share[:, number]
    if paths.main[best, number] == NOISE:
        return "None of its images is in a pattern of any layer."
    where, held = f"pattern {paths.main[best, number]} of `{paths.layers[best]}`", round(float(share[best]) * n)
    if share[best] < TOGETHER:
        return f"It is nowhere together: no pattern holds more of it than {where}, {held:,} of its {n:,} images."
    return (
        f"It is together in {where}, which holds {held:,} of its {n:,} images, but not in the end: no pattern of "
        f"`{paths.layers[-1]}` holds more than {round(float(share[-1]) * n):,}."
    )


def agreement_section(study: Study, config: ClusterConfig) -> None:
    """Show the agreement of all layers' groupings as a matrix; a click on a cell shows the flow of its two layers."""
    layers = layers_with_patterns(study)
    if len(layers) < 2:
        return
    st.subheader("Which layers group the images alike?")
    if has_layer_agreement(study, layers, config):
        table = layer_agreement(study, layers, config)
    else:
        space = st.empty()
        with space.container():
            show = show_progress("Comparing every two layers")
            table = layer_agreement(study, layers, config, progress=show)
        space.empty()
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.markdown(agreement_words(layers, table))
        st.caption(
            "Adjusted mutual information of two layers' patterns, images in no pattern as one group: 1 the same "
            "grouping, 0 what chance would give. Click a cell to see the flow between its two layers."
        )
    shown = table.copy()
    shown[np.triu_indices(len(layers))] = np.nan
    text = "#e4e7eb" if st.context.theme.type == "dark" else "#1c2128"
    with right:
        st.plotly_chart(
            grid_figure(Grid(layers[1:], layers[:-1], shown[1:, :-1]), low=0, high=1, text=text),
            key=_MATRIX,
            on_select=lambda: _show_pair(layers),
            selection_mode="points",
        )


def _show_pair(layers: Sequence[str]) -> None:
    points = st.session_state[_MATRIX]["selection"]["points"]
    if points:
        row, column = (int(each) for each in points[0]["customdata"])
        if column <= row:
            show_layers(layers[column], layers[row + 1])


def agreement_words(layers: Sequence[str], table: Float) -> str:
    """Return which two layers group the images most alike, and between which neighbours the grouping changes most."""
    pairs = [(float(table[i, j]), layers[j], layers[i]) for i in range(len(layers)) for j in range(i)]
    most, a, b = max(pairs)
    steps = [(float(table[i, i + 1]), layers[i], layers[i + 1]) for i in range(len(layers) - 1)]
    least, c, d = min(steps)
    said = f"**`{a}` and `{b}` group the images most alike ({most:.2f}).**"
    if len(steps) < 2:
        return said
    return f"{said} From layer to layer the grouping changes most between `{c}` and `{d}` ({least:.2f})."
