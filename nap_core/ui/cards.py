"""The Patterns page: its sentence, which patterns are shown in which order, and which of them is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.palette import pattern_color
from nap_core.patterns.agreement import class_counts
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.study.notes import Note
from nap_core.types import NOISE, Patterns
from nap_core.ui.badges import badges, known_stability
from nap_core.ui.gallery import chip, pattern_title
from nap_core.ui.looks import kept_looks, offer_looks
from nap_core.ui.notes import notes_of
from nap_core.ui.pattern_cards import pattern_cards

CARDS_PER_PAGE = 24
SORTS = ("size", "stability", "persistence", "purity", "errors", "similarity")
VIEWS = ("cards", "classes", "strongest images")


def pick_unit(study: Study, layer: str) -> int | None:
    """Let the reader look at a single unit instead of the whole layer; kept in the address."""
    info = next(info for info in study.layers if info.name == layer)
    about = "Groups the images by this unit's answer alone. Empty: by the whole layer."
    last = max(0, info.n_units - 1)
    unit = st.sidebar.number_input(
        f"Unit, 0 to {last}", 0, last, None, key="unit", bind="query-params", help=about, placeholder="whole layer"
    )
    return None if unit is None else int(unit)


def headline(study: Study, patterns: Patterns) -> str:
    """Return the sentence that answers the page's question."""
    inside = int((patterns.label != NOISE).sum())
    whole, _, unit = patterns.layer.partition(":")
    who = f"Unit {unit} of layer `{whole}`" if unit else f"Layer `{whole}`"
    found = counted(patterns.n_patterns, "pattern")
    said = f"{who} puts **{inside:,} of {study.n_images:,}** images into **{found}**"
    return f"{said}; {study.n_images - inside:,} are in no pattern." if inside < study.n_images else f"{said}."


def nothing_found(patterns: Patterns) -> None:
    """Say why there are no cards, and the next step."""
    st.info(
        f"Layer `{patterns.layer}` groups nothing with this clustering. Choose the covering recipe, or a smaller "
        "minimum size, under Clustering in the sidebar."
    )


def open_pattern(pattern: int | None) -> None:
    """Open a pattern's page within the page, or go back to all of them."""
    if pattern is None:
        st.query_params.pop("pattern", None)
    else:
        st.query_params["pattern"] = str(pattern)


def opened(patterns: Patterns, notes: dict[int, Note]) -> int | None:
    """Return the pattern that the address names, with the ways back and on above it; None for all cards."""
    asked = st.query_params.get("pattern", "")
    if not asked.lstrip("-").isdigit() or not (patterns.label == int(asked)).any():
        return None
    pattern = int(asked)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All patterns", on_click=open_pattern, args=(None,), icon=":material/arrow_back:")
        _step("Previous", pattern - 1, pattern > 0)
        _step("Next", pattern + 1, 0 <= pattern < patterns.n_patterns - 1)
    title = pattern_title(pattern, notes.get(pattern, Note()).name)
    st.html(f"<h3 style='margin:0'>{chip(pattern_color(pattern, patterns.n_patterns), title)}</h3>")
    return pattern


def _step(label: str, pattern: int, possible: bool) -> None:
    about = "Patterns are numbered along a line on which neighbours are alike."
    st.button(label, on_click=open_pattern, args=(pattern,), disabled=not possible, type="tertiary", help=about)


def sorted_patterns(study: Study, patterns: Patterns, by: str, stability: NDArray[Any] | None = None) -> list[int]:
    """Return pattern numbers in the order asked for; by similarity they stand as they are numbered.

    Parameters
    ----------
    stability
        [pattern] where it was computed; without it, patterns asked for by stability stand as they are numbered.
    """
    keys: dict[str, Callable[[], NDArray[Any]]] = {
        "size": lambda: patterns.size,
        "persistence": lambda: patterns.persistence,
        "purity": lambda: _purity(study, patterns),
        "errors": lambda: np.bincount(
            patterns.label[misclassified(study) & (patterns.label != NOISE)], minlength=patterns.n_patterns
        ),
    }
    if stability is not None:
        keys["stability"] = lambda: stability
    if by not in keys:
        return list(range(patterns.n_patterns))
    return [int(n) for n in np.argsort(-np.asarray(keys[by](), float), kind="stable")]


def _purity(study: Study, patterns: Patterns) -> NDArray[Any]:
    n_classes = max(len(study.class_names), int(study.target.max(initial=0)) + 1)
    counts = class_counts(patterns.label, study.target, patterns.n_patterns, n_classes)[:-1, :-1]
    purity: NDArray[Any] = counts.max(axis=1) / np.maximum(1, counts.sum(axis=1))
    return purity


def matching(study: Study, patterns: Patterns, word: str) -> set[int]:
    """Return the patterns with an image whose class or file name has `word` in it."""
    word = word.lower()
    classes = [number for number, name in enumerate(study.class_names) if word in name.lower()]
    named = np.isin(study.target, classes)
    named |= np.fromiter((word in name.lower() for name in study.ids), bool, study.n_images)
    return set(patterns.label[named].tolist())


def cards(study: Study, patterns: Patterns, config: ClusterConfig) -> None:
    """Show a card per pattern, a page at a time, and the noise as a card of its own at the end."""
    left, right = st.columns([2, 1])
    stability = known_stability(study, patterns, config)
    offered = {"errors": study.predictions is not None, "stability": stability is not None}
    sorts = [by for by in SORTS if offered.get(by, True)]
    by = left.segmented_control("Sort by", sorts, default="size", required=True, key="sort", bind="query-params")
    search = right.text_input("Search", placeholder="class or file name", key="search", bind="query-params").strip()
    numbers, notes = sorted_patterns(study, patterns, str(by), stability), notes_of(study, patterns.layer, config)
    if (patterns.label == NOISE).any():
        numbers.append(NOISE)
    if search:
        found = matching(study, patterns, search)
        numbers = [n for n in numbers if n in found or search.lower() in notes.get(n, Note()).name.lower()]
    if not numbers:
        st.info(f"No pattern holds an image or class like '{search}'. Try another word.")
        return
    pages = -(-len(numbers) // CARDS_PER_PAGE)
    page = min(st.pagination(pages, key=f"cards-{patterns.layer}"), pages) if pages > 1 else 1
    with st.container(horizontal=True):
        sure = badges(study, patterns, config)
        there = kept_looks(study, patterns.layer, config)
        if there is not None and there.asked and not there.kept:
            offer_looks(patterns.layer, key="cards-looks")
    shown = numbers[(page - 1) * CARDS_PER_PAGE : page * CARDS_PER_PAGE]
    made = there.kept if there is not None else {}
    key = f"cards-of-{study.folder.name}-{patterns.layer}"
    pattern_cards(study, patterns, shown, notes, sure, made, key=key, on_open=open_pattern)
