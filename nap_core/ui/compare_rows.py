"""The Compare page's rows: a pattern and its partner, what stayed, left and came, down to the images."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from nap_core.errors import counted
from nap_core.palette import pattern_color
from nap_core.study.comparison import Comparison
from nap_core.types import NOISE, Int, Patterns
from nap_core.ui.compare_choice import Side
from nap_core.ui.gallery import chip, pattern_title, pictures
from nap_core.ui.grid import paged_pictures
from nap_core.ui.panels import class_words, representatives
from nap_core.ui.pins import pin_button

ROWS_PER_PAGE = 8
_ROW = "row"
JACCARD = "Shared images over images in either (Jaccard index): 1 the same pattern, 0 nothing in common."


@st.fragment
def aligned_rows(left: Side, right: Side, comparison: Comparison) -> None:
    """Show every pair, and every pattern without a partner, as a row; those that changed most first."""
    rows = comparison.rows
    alone = sum(NOISE in row for row in rows)
    st.subheader("Pattern by pattern")
    st.caption(
        f"{counted(len(rows) - alone, 'pair')}, and {counted(alone, 'pattern')} without a partner; "
        "those that changed most come first. "
        "Patterns are paired one to one so that the pairs share as much as they can."
    )
    pages = -(-len(rows) // ROWS_PER_PAGE)
    page = min(st.pagination(pages, key=f"rows-{left.layer}-{right.layer}"), pages) if pages > 1 else 1
    for row in rows[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]:
        _row(left, right, comparison, row)


def _row(left: Side, right: Side, comparison: Comparison, row: tuple[int, int]) -> None:
    name = f"{row[0]},{row[1]}"
    is_open = st.query_params.get(_ROW) == name
    with st.container(border=True, key=f"aligned-{row[0]}-{row[1]}"):
        at_left, middle, at_right = st.columns([5, 3, 5], gap="medium", vertical_alignment="center")
        with at_left:
            _side(left, comparison.left, row[0]) if row[0] != NOISE else _whereabouts(comparison, row)
        with middle:
            _change(comparison, row)
            label = "Close" if is_open else "Images"
            st.button(label, key=f"open-{name}", on_click=_toggle, args=(name, is_open))
        with at_right:
            _side(right, comparison.right, row[1]) if row[1] != NOISE else _whereabouts(comparison, row)
        if is_open:
            _images(left, comparison, row)


def _toggle(name: str, is_open: bool) -> None:
    if is_open:
        st.query_params.pop(_ROW, None)
    else:
        st.query_params[_ROW] = name


def _side(side: Side, patterns: Patterns, pattern: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        size = f"<span style='opacity:.7'>{counted(int(patterns.size[pattern]), 'image')}</span>"
        title = chip(pattern_color(pattern, patterns.n_patterns), pattern_title(pattern))
        st.html(f"<b>{title}</b> {size}", width="content")
        pin_button(side.study, patterns, pattern, side.config, key="row")
    pictures(side.study, representatives(patterns, pattern), size=48)
    st.caption(class_words(side.study, patterns.members(pattern)) or "no classes known")


def _whereabouts(comparison: Comparison, row: tuple[int, int], most: int = 3) -> None:
    """Say, in the place of a missing partner, where the images of a pattern are on this side."""
    found, is_left = comparison.alignment, row[1] == NOISE
    there = found.right_label[found.left_label == row[0]] if is_left else found.left_label[found.right_label == row[1]]
    n_patterns = (comparison.right if is_left else comparison.left).n_patterns
    st.caption("No partner here. Its images are in")
    for pattern, count in Counter(there.tolist()).most_common(most):
        title = chip(pattern_color(pattern, n_patterns), pattern_title(pattern))
        st.html(f"{title} <span style='opacity:.7'>{count:,} of {len(there):,}</span>")


def _change(comparison: Comparison, row: tuple[int, int]) -> None:
    stayed, gone, came = (len(part) for part in comparison.alignment.members(*row))
    if NOISE not in row:
        st.markdown(f"**{comparison.alignment.jaccard[row]:.2f}** alike", help=JACCARD)
        st.markdown(f"{stayed:,} stayed · {gone:,} went · {came:,} came")
    else:
        st.markdown(f"**only on the {'left' if row[1] == NOISE else 'right'}**")
        st.markdown(counted(gone or came, "image"))


def _images(left: Side, comparison: Comparison, row: tuple[int, int]) -> None:
    parts = dict(zip(("stayed", "went", "came"), comparison.alignment.members(*row), strict=True))
    kinds = [kind for kind, images in parts.items() if len(images)]
    key, kind = f"part-{row}", kinds[-1]
    if len(kinds) > 1:
        words = {kind: f"{kind} ({len(parts[kind]):,})" for kind in kinds}
        start = "came" if "came" in kinds else kind
        kind = str(
            st.segmented_control(
                "Images that", kinds, default=start, format_func=words.__getitem__, required=True, key=key
            )
        )
    images: Int = comparison.left_image[parts[kind]]
    st.markdown(f"{counted(len(images), 'image')} {kind}: {class_words(left.study, images, 6)}")
    paged_pictures(left.study, [int(i) for i in images], key=f"{key}-{kind}", size=64, per_page=48)
