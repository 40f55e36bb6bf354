"""Pictures that can be clicked: one opens its page, its mark takes it into the selection; all of many, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from nap_core.errors import counted
from nap_core.study import Study
from nap_core.ui.gallery import open_image, picture_data
from nap_core.ui.selection import change_selection, is_told_old, selected

_PARTS = Path(__file__).parent / "components"
_grid = st.components.v2.component(
    "nap_picture_grid",
    html='<div class="grid" role="group"></div>',
    css=(_PARTS / "picture_grid.css").read_text(encoding="utf-8"),
    js=(_PARTS / "picture_grid.js").read_text(encoding="utf-8"),
)


def picture_grid(study: Study, images: Sequence[int], *, key: str, size: int = 84) -> None:
    """Show images as a grid; a click on one opens its page, a click on its mark selects it."""
    images, chosen = [int(image) for image in images], set(selected(study).tolist())
    state = st.session_state.get(key)
    heard = list(state.get("chosen") or ()) if state else []

    def hear() -> None:
        now = {int(image) for image in st.session_state[key].get("chosen") or ()}
        change_selection(study, add=now & set(images), remove=images)

    result = _grid(
        key=key,
        data={
            "pictures": [picture_data(study, image) for image in images],
            "chosen": [image for image in images if image in chosen],
            "heard": heard,
            "size": size,
            "label": counted(len(images), "image"),
        },
        on_chosen_change=hear,
        on_opened_change=lambda: None,
    )
    if is_told_old(study):
        st.rerun()  # a click in a fragment runs only that, and the sidebar still tells the old selection
    if result.get("opened") is not None:
        open_image(study, int(result["opened"]))


def paged_pictures(study: Study, images: Sequence[int], *, key: str, size: int = 84, per_page: int = 60) -> None:
    """Show all of many images, a page at a time, with a button that selects all of them."""
    pages, page = -(-len(images) // per_page), 1
    with st.container(horizontal=True, vertical_alignment="center"):
        if pages > 1:
            page = min(st.pagination(pages, key=f"{key}-page"), pages)
        _select_all(study, images, key)
    picture_grid(study, images[(page - 1) * per_page : page * per_page], key=f"{key}-grid", size=size)


def _select_all(study: Study, images: Sequence[int], key: str) -> None:
    if not len(images):
        return
    if set(map(int, images)) <= set(selected(study).tolist()):
        label = "Take all out" if len(images) > 1 else "Take it out"
        change, about = {"remove": images}, "Out of the selection."
    else:
        label = f"Select all {len(images):,}" if len(images) > 1 else "Select it"
        change, about = {"add": images}, "Selected images stay so on every page."
    if st.button(label, key=f"{key}-all", type="tertiary", help=about):
        change_selection(study, **change)
        st.rerun()
