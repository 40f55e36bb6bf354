"""What stands around every page: which study is open, and what is selected in it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from nap_core.embedding import warm_up
from nap_core.errors import NapError
from nap_core.inputs.demos import DEMOS
from nap_core.study.maps import has_layout
from nap_core.ui.background import get_ready
from nap_core.ui.resources import arrive, chosen_study, open_study, opened_study, recent_studies
from nap_core.ui.selection import tell_selection
from nap_core.ui.steps import count_steps
from nap_core.ui.visitor import visitor

PAGE_STYLE = Path(__file__).parent / "components" / "page.css"


def frame() -> None:
    """Let the reader change to another study, and tell the selection; silent where the study cannot be opened."""
    visitor()  # the session is there: what belongs to it stays
    arrive()  # before a widget is drawn
    studies, chosen = recent_studies(), chosen_study()
    names = list(studies)
    with st.sidebar.container(gap=None):
        count_steps()
        st.selectbox(
            "Study",
            names,
            index=names.index(chosen) if chosen in names else None,
            format_func=lambda name: studies[name],
            key=f"open-{chosen}",
            on_change=lambda: open_study(st.session_state[f"open-{chosen}"]),
            help="The built-in studies, and those that you opened or ran.",
        )
    try:
        tell_selection(opened_study(chosen))
    except NapError:
        return  # the page says what is wrong with it


def behind_the_page() -> None:
    """Get ready, when the page is there, what the reader of a study without layouts would wait for on its map."""
    chosen = chosen_study()
    if chosen in DEMOS:
        return  # their layouts are shipped
    try:
        study = opened_study(chosen)
        is_wanted = study.is_finished and not has_layout(study, study.layer_names[0], study.config)
    except NapError:
        return
    if is_wanted:
        get_ready("layouts", warm_up)
