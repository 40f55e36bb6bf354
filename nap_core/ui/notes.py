"""Names and notes of patterns as this visitor sees them.

The built-in studies are shared by all visitors, so what is written about them stays in the session; a visitor's own
study keeps its notes in its folder.
"""

from __future__ import annotations

import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.inputs.demos import DEMOS
from nap_core.study import Study
from nap_core.study.notes import LONGEST_NAME, LONGEST_NOTE, Note, read_notes, write_note
from nap_core.ui.gallery import pattern_title
from nap_core.ui.resources import chosen_study

_KEY = "notes"


def notes_of(study: Study, layer: str, config: ClusterConfig) -> dict[int, Note]:
    """Return pattern → note of a layer."""
    if chosen_study() not in DEMOS:
        return read_notes(study, layer, config)
    kept: dict[int, Note] = st.session_state.get(_KEY, {}).get(study.patterns_key(layer, config), {})
    return kept


def called(study: Study, layer: str, pattern: int, config: ClusterConfig) -> str:
    """Return what a pattern is called, with the name that a reader gave it."""
    return pattern_title(pattern, notes_of(study, layer, config).get(pattern, Note()).name)


def edit_note(study: Study, layer: str, pattern: int, config: ClusterConfig) -> None:
    """Let the reader name a pattern and note something about it."""
    note = notes_of(study, layer, config).get(pattern, Note())
    with st.popover("Name it" if not note.name else "Rename it", icon=":material/edit:"), st.form("note", border=False):
        name = st.text_input("Name", note.name, max_chars=LONGEST_NAME, placeholder="what these images share")
        text = st.text_area("Note", note.note, max_chars=LONGEST_NOTE)
        if st.form_submit_button("Keep", type="primary"):
            _keep(study, layer, pattern, Note(name.strip(), text.strip()), config)
            st.rerun()


def _keep(study: Study, layer: str, pattern: int, note: Note, config: ClusterConfig) -> None:
    if chosen_study() not in DEMOS:
        write_note(study, layer, pattern, note, config)
        return
    notes = st.session_state.setdefault(_KEY, {}).setdefault(study.patterns_key(layer, config), {})
    notes[pattern] = note
