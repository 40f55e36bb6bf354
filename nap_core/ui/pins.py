"""Pinned patterns: single patterns of any layer, clustering or study, kept side by side for this session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig, told, understood
from nap_core.errors import NapError
from nap_core.palette import pattern_color
from nap_core.study import Study
from nap_core.types import Int, Patterns
from nap_core.ui.gallery import chip, pattern_title, pictures
from nap_core.ui.notes import called
from nap_core.ui.panels import class_words, representatives
from nap_core.ui.resources import opened_study
from nap_core.ui.widgets import current_clustering

_PINS = "pinned-patterns"
MOST_PINS = 12


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a pinned pattern is found again."""

    folder: str  # of the study
    layer: str
    clustering: str  # as `told` writes it
    pattern: int  # or NOISE


def pinned() -> list[Pin]:
    """Return this visitor's pins, the oldest first."""
    return list(st.session_state.get(_PINS, ()))


def pin(study: Study, layer: str, config: ClusterConfig, pattern: int) -> None:
    """Keep a pattern, or the noise of a layer, beside the others; the oldest goes where there are too many."""
    new = Pin(str(study.folder), layer, told(config), pattern)
    st.session_state[_PINS] = [*(old for old in pinned() if old != new), new][-MOST_PINS:]


def unpin(old: Pin) -> None:
    """Put a pinned pattern away."""
    st.session_state[_PINS] = [kept for kept in pinned() if kept != old]


def pin_button(
    study: Study, patterns: Patterns, pattern: int, config: ClusterConfig | None = None, *, key: str = ""
) -> None:
    """Show a button that pins a pattern, or puts it away again.

    Parameters
    ----------
    config
        The clustering that made `patterns`; the one this visitor looks at where absent.
    key
        Tells buttons for the same pattern apart where a page has several.
    """
    config = config or current_clustering(study)
    this = Pin(str(study.folder), patterns.layer, told(config), pattern)
    key = f"pin-{key}-{this.folder}-{this.layer}-{this.clustering}-{pattern}"
    if this in pinned():
        if st.button("Unpin", key=key, icon=":material/keep_off:", type="tertiary"):
            unpin(this)
            st.rerun()  # of the whole page: a click in a fragment runs only that, and the cards stand elsewhere
        return
    about = f"Keeps {pattern_title(pattern).lower()} of {patterns.layer} on the Compare page, beside other pins."
    if st.button("Pin", key=key, icon=":material/keep:", type="tertiary", help=about):
        pin(study, patterns.layer, config, pattern)
        st.rerun()


def pinned_cards() -> None:
    """Show the pinned patterns side by side, and how many images each two of them share."""
    st.subheader("Pinned patterns")
    if not pinned():
        st.caption("Nothing is pinned. Press Pin at a pattern, here or on Patterns, to keep it beside others.")
        return
    found: list[tuple[Pin, Study, Patterns]] = []
    for one in pinned():
        try:
            study = opened_study(one.folder)
            found.append((one, study, study.patterns(one.layer, understood(one.clustering))))
        except NapError as error:
            st.warning(f"{_where(one)} cannot be shown. {error}")
            st.button("Remove", key=f"remove-{one}", on_click=unpin, args=(one,))
    with st.grid(min_column_width=220):
        for number, (one, study, patterns) in enumerate(found, start=1):
            _card(number, one, study, patterns)
    if len(found) > 1:
        _shared_images(found)


def _where(one: Pin) -> str:
    return f"{pattern_title(one.pattern)} of `{one.layer}`"


def _members(one: Pin, patterns: Patterns) -> Int:
    return patterns.members(one.pattern)


def _card(number: int, one: Pin, study: Study, patterns: Patterns) -> None:
    members = _members(one, patterns)
    with st.container(border=True, height="stretch", key=f"pinned-{number}"):
        color = pattern_color(one.pattern, patterns.n_patterns)
        share = f"{len(members):,} of {study.n_images:,} images"
        title = chip(color, called(study, one.layer, one.pattern, understood(one.clustering)))
        st.html(f"<b>{number}. {title}</b><br><span style='opacity:.7'>{share}</span>")
        st.caption(f"`{one.layer}` · {one.clustering} · {study.title}")
        if not len(members):
            st.write("It has no images any more: the study was run again.")
        else:
            shown = representatives(patterns, one.pattern)
            pictures(study, shown[:1], size=96)
            pictures(study, shown[1:], size=40)
            st.caption(class_words(study, members) or "no classes known")
        st.button("Remove", key=f"remove-{one}", type="tertiary", on_click=unpin, args=(one,))


def _shared_images(found: list[tuple[Pin, Study, Patterns]]) -> None:
    names = [{study.ids[i] for i in _members(one, patterns)} for one, study, patterns in found]
    shared = np.array([[len(a & b) for b in names] for a in names])
    titles = [f"{n}. {pattern_title(one.pattern)}" for n, (one, _, _) in enumerate(found, start=1)]
    st.caption("Images that each two of them share, matched by name")
    table = {"": titles} | {title: shared[:, i].tolist() for i, title in enumerate(titles)}
    st.dataframe(table, hide_index=True)
