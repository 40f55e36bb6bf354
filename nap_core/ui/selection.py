"""The reader's selection: some images of the open study, the same on every page, kept for the session."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import streamlit as st

from nap_core.study import Study
from nap_core.types import Int
from nap_core.ui.resources import go_to

_KEY, _TOLD = "selection", "selection-told"


def selected(study: Study) -> Int:
    """Return the selected images in image order."""
    kept = st.session_state.get(_KEY, {}).get(str(study.folder), ())
    return np.asarray([image for image in kept if image < study.n_images], np.int32)


def select(study: Study, images: Iterable[int]) -> None:
    """Make `images` the selection."""
    st.session_state.setdefault(_KEY, {})[str(study.folder)] = tuple(sorted({int(image) for image in images}))


def change_selection(study: Study, add: Iterable[int] = (), remove: Iterable[int] = ()) -> None:
    """Take images out of the selection, then others into it."""
    left = set(selected(study).tolist()) - {int(image) for image in remove}
    select(study, left | {int(image) for image in add})


def tell_selection(study: Study) -> None:
    """Say in the sidebar how many images are selected, with the way to them; nothing where none is."""
    n = len(selected(study))
    st.session_state[_TOLD] = n
    if n:
        with st.sidebar.container(border=True, key="selection"):
            st.markdown(f"**{n:,} selected** images")
            with st.container(horizontal=True):
                go_to("Show", "selection", key="show-selection")
                st.button("Clear", key="clear-selection", type="tertiary", on_click=select, args=(study, ()))


def is_told_old(study: Study) -> bool:
    """Whether the sidebar tells another number than there are."""
    n = len(selected(study))
    return bool(st.session_state.get(_TOLD, n) != n)
