"""The Patterns page: its sentence, its cards, and which of them is open."""

from __future__ import annotations

import streamlit as st

from nap_core.palette import pattern_color
from nap_core.study import Study
from nap_core.types import NOISE, Patterns
from nap_core.ui.gallery import chip, pattern_title
from nap_core.ui.panels import CARDS_PER_PAGE, SORTS, pattern_card, sorted_patterns


def headline(study: Study, patterns: Patterns) -> str:
    """Return the sentence that answers the page's question."""
    inside = int((patterns.label != NOISE).sum())
    return (
        f"Layer `{patterns.layer}` puts **{inside:,} of {study.n_images:,}** images into "
        f"**{patterns.n_patterns} patterns**; {study.n_images - inside:,} are in no pattern."
    )


def nothing_found(patterns: Patterns) -> None:
    """Say why there are no cards, and the next step."""
    st.info(
        f"Layer `{patterns.layer}` groups nothing with this clustering. Choose the covering recipe, or a smaller "
        "minimum size, under Clustering in the sidebar."
    )


def _open(pattern: int) -> None:
    st.query_params["pattern"] = str(pattern)


def _close() -> None:
    st.query_params.pop("pattern", None)


def opened(patterns: Patterns) -> int | None:
    """Return the pattern that the address names, with the way back above it; None for all cards."""
    asked = st.query_params.get("pattern", "")
    if not asked.lstrip("-").isdigit() or not NOISE <= int(asked) < patterns.n_patterns:
        return None
    pattern = int(asked)
    st.button("All patterns of this layer", on_click=_close, icon=":material/arrow_back:")
    st.html(f"<h3 style='margin:0'>{chip(pattern_color(pattern, patterns.n_patterns), pattern_title(pattern))}</h3>")
    return pattern


def cards(study: Study, patterns: Patterns) -> None:
    """Show a card per pattern, a page at a time, and the noise as a card of its own at the end."""
    left, right = st.columns([2, 1])
    by = left.segmented_control("Sort by", SORTS, default="size", required=True, key="sort", persist_state="session")
    search = right.text_input("Search", placeholder="class or file name", key="search", persist_state="session")
    numbers = sorted_patterns(study, patterns, str(by), search.strip())
    if not search and (patterns.label == NOISE).any():
        numbers.append(NOISE)
    if not numbers:
        st.info(f"No pattern holds an image or class like '{search}'. Try another word.")
        return
    pages = -(-len(numbers) // CARDS_PER_PAGE)
    page = min(st.pagination(pages, key=f"cards-{patterns.layer}"), pages) if pages > 1 else 1
    with st.grid(min_column_width=250):
        for pattern in numbers[(page - 1) * CARDS_PER_PAGE : page * CARDS_PER_PAGE]:
            pattern_card(study, patterns, pattern, _open)
