"""The Map page: how a layer's images lie, in which colours, and what was drawn around."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.embedding import Embedding
from nap_core.errors import counted
from nap_core.palette import NOISE_COLOR, pattern_color, ramp
from nap_core.study import Study
from nap_core.study.image import neighbours
from nap_core.study.maps import atlas, has_layout, layout
from nap_core.study.notes import Note
from nap_core.types import NOISE, Int, Patterns
from nap_core.ui.background import run_meanwhile
from nap_core.ui.gallery import words
from nap_core.ui.grid import paged_pictures
from nap_core.ui.notes import called, notes_of
from nap_core.ui.panels import class_words, in_common
from nap_core.ui.scatter import Coloring, scatter_map
from nap_core.ui.selection import change_selection, select, selected

COLORS = ("pattern", "class", "prediction", "probability", "outlier score")
_STEPS = 32  # shades of a number
MOST_NAMES = 60


def pick_method() -> str:
    """Let the reader choose between UMAP and principal components; kept in the address."""
    about = {"UMAP": "neighbours stay neighbours", "PCA": "the directions of most variance"}
    found = st.sidebar.radio("Layout", list(about), captions=list(about.values()), key="layout", bind="query-params")
    return str(found).lower()


def pick_color(study: Study) -> str:
    """Let the reader choose what colours mean; only what the study knows is offered."""
    known = {"class": bool((study.target != NOISE).any()), "prediction": study.predictions is not None}
    options = [name for name in COLORS if known.get(name, True)]
    return str(
        st.segmented_control("Colour", options, default="pattern", required=True, key="color", bind="query-params")
    )


def coloring(study: Study, patterns: Patterns, by: str, notes: Mapping[int, Note]) -> Coloring:
    """Return colours by pattern, class, prediction, probability or outlier score, with the names of the largest."""
    if by == "pattern":
        large = np.argsort(-patterns.size, kind="stable")[:MOST_NAMES].tolist()
        names = [(int(patterns.medoid[n]), notes.get(n, Note()).name or str(n)) for n in large]
        return _by_number(patterns.label, patterns.n_patterns, names)
    if by in ("class", "prediction"):
        number = study.target if by == "class" else _answers(study)
        known = study.class_names if by == "class" else study.prediction_names
        return _by_number(number, max(len(known), int(number.max()) + 1), _class_names(number, known))
    value = patterns.probability if by == "probability" else patterns.outlier_score
    shade = np.rint(np.clip(value, 0, 1) * (_STEPS - 1)).astype(np.int32)
    return Coloring(shade, ramp(_STEPS), [])


def _answers(study: Study) -> Int:
    assert study.predictions is not None
    return study.predictions.prediction


def _by_number(number: Int, n: int, names: list[tuple[int, str]]) -> Coloring:
    """Colour by a number, grey where there is none."""
    return Coloring(number + 1, [NOISE_COLOR, *(pattern_color(i, n) for i in range(n))], names)


def _class_names(number: Int, known: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return one image of each of the most frequent classes with the class's name."""
    found, first, count = np.unique(number, return_index=True, return_counts=True)
    largest = [i for i in np.argsort(-count, kind="stable") if found[i] != NOISE][:MOST_NAMES]
    return [(int(first[i]), known[found[i]] if found[i] < len(known) else str(found[i])) for i in largest]


@st.cache_data(show_spinner=False, max_entries=8)
def _atlas(folder: str) -> dict[str, Any] | None:
    jpeg, cell, columns = atlas(Study.open(folder))
    if not cell:
        return None
    return {"source": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}", "cell": cell, "columns": columns}


@st.cache_data(show_spinner=False, max_entries=8)
def _said(folder: str) -> list[str]:
    study = Study.open(folder)
    return [f"{study.ids[i]} {words(study, i)}".strip() for i in range(study.n_images)]


def shown_layout(study: Study, layer: str, config: ClusterConfig, method: str) -> Embedding:
    """Return the layout to show now: principal components until UMAP has been made."""
    return layout(study, layer, config, method if has_layout(study, layer, config, method) else "pca")


def make_layout(study: Study, layer: str, config: ClusterConfig, method: str) -> None:
    """Make the layout that was asked for while its substitute is looked at, and show it then."""
    if not has_layout(study, layer, config, method):
        run_meanwhile(
            f"{method} {study.folder} {study.patterns_key(layer, config)}",
            partial(layout, study, layer, config, method),
            f"UMAP lays out {study.n_images:,} images; until then you see their principal components.",
        )


def point_at(study: Study, image: int) -> None:
    """Make the map show this image with its neighbours beside it."""
    st.session_state["pointed"] = (str(study.folder), image)


@st.fragment
def lasso_map(study: Study, patterns: Patterns, found: Embedding, by: str, config: ClusterConfig) -> None:
    """Show the map and, beside it, what is selected or pointed at."""
    left, right = st.columns([3, 2], gap="medium")
    chosen = selected(study)
    with left:
        hit = scatter_map(
            found.position,
            coloring(study, patterns, by, notes_of(study, patterns.layer, config)),
            _said(str(study.folder)),
            chosen.tolist(),
            atlas=_atlas(str(study.folder)),
            label=f"Map of {study.n_images} images in layer {found.layer}, coloured by {by}",
            key=f"map-{study.folder.name}-{found.layer}-{found.method}",
        )
        st.caption(_axes(found))
    with right:
        if hit and not hit.is_lasso:
            point_at(study, hit.images[0])
        elif hit:
            st.session_state.pop("pointed", None)
            if hit.adds:
                change_selection(study, add=hit.images)
            else:
                select(study, hit.images)
            st.rerun()
        _answer(study, patterns, chosen, config)


def _axes(found: Embedding) -> str:
    if found.method == "pca":
        return "The two directions in which the layer's activations vary most."
    return "UMAP keeps neighbours together; its axes and the distances between groups far apart have no meaning."


def _answer(study: Study, patterns: Patterns, chosen: Int, config: ClusterConfig) -> None:
    folder, image = st.session_state.get("pointed", ("", 0))
    if folder == str(study.folder):
        _pointed(study, patterns, image, config)
    elif len(chosen):
        st.markdown(f"##### {counted(len(chosen), 'selected image')}")
        st.markdown(class_words(study, chosen))
        with st.container(key="map-images"):
            paged_pictures(study, chosen.tolist(), key="map-selection", size=72, per_page=48)
        with st.expander("What they have in common"):
            in_common(study, chosen, key="map-selection")
    else:
        st.markdown("**Draw around images** to select them, or click one to see it with its neighbours.")
        st.caption(
            "Selected images keep their colour, all others turn grey and stay. With Shift a lasso adds to the "
            "selection. The wheel or + and − come closer; Pictures draws the images themselves."
        )


def _pointed(study: Study, patterns: Patterns, image: int, config: ClusterConfig) -> None:
    """Show one image large, and its nearest ones in the layer itself, not on the map."""
    held = called(study, patterns.layer, int(patterns.label[image]), config)
    st.markdown(f"##### {study.ids[image]}")
    st.markdown(f"{words(study, image) or 'no class known'}. {held}")
    with st.container(key="map-image"):
        paged_pictures(study, [image], key="map-pointed", size=128)
    st.markdown("Nearest images in the layer itself")
    with st.container(key="map-images"):
        near, _ = neighbours(study, patterns.layer, image, 24)
        paged_pictures(study, near.tolist(), key="map-near", size=72)
    if st.button("Back to the selection", type="tertiary"):
        del st.session_state["pointed"]
        st.rerun(scope="fragment")
