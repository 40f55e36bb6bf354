"""What pages stand on: the study that is open, the models and images of this visitor."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

import streamlit as st

from nap_core.errors import NapError
from nap_core.inputs.demos import DEMOS
from nap_core.store import cache_folder
from nap_core.study import Study

FIRST = "shapes"
_CHOICE = "study"


@st.cache_resource(show_spinner="Opening the study", max_entries=16)
def _opened(folder: str, _changed: float) -> Study:
    return Study.open(folder)


@st.cache_resource(show_spinner="Unpacking the built-in study")
def _demo_folder(name: str) -> str:
    return str(Study.demo(name).folder)


def _named_on_the_command_line() -> str | None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--study")
    return str(parser.parse_known_args(sys.argv[1:])[0].study or "") or None


def open_study(folder: Path | str) -> None:
    """Make the study in `folder` (or the demo of that name) the one that this visitor sees."""
    st.session_state[_CHOICE] = str(folder)
    if str(folder) in DEMOS:
        st.query_params[_CHOICE] = str(folder)
    else:
        st.query_params.pop(_CHOICE, None)


def chosen_study() -> str:
    """Return the demo's name or the folder that this visitor chose: here, in the address, on the command line."""
    asked = st.query_params.get(_CHOICE)
    if asked in DEMOS:
        st.session_state[_CHOICE] = asked  # an address is lost on the way to another page
    return str(st.session_state.get(_CHOICE) or _named_on_the_command_line() or FIRST)


def current_study() -> Study:
    """Return the open study; where it cannot be opened, say why and end the page.

    A visitor's own study is reached through this session alone: the address names demos only.
    """
    chosen = chosen_study()
    try:
        folder = _demo_folder(chosen) if chosen in DEMOS else chosen
        about = Path(folder) / "study.json"
        study = _opened(folder, about.stat().st_mtime if about.exists() else 0.0)
    except NapError as error:
        show_error(error)
        st.button("Open the built-in study", on_click=open_study, args=(FIRST,))
        st.stop()
    if not study.is_finished:
        st.title("This study is not finished")
        st.write("Some of its layers have no activations yet. Continue the run; what is done is kept.")
        go_to("Continue on Layers", "layers", key="continue")
        st.stop()
    return study


def show_error(error: NapError) -> None:
    """Show what came, what is possible and what to do."""
    st.error(str(error))


def new_folder() -> Path:
    """Return a folder for a study of this visitor that nobody else can guess."""
    return cache_folder() / "studies" / secrets.token_hex(8)


def go_to(label: str, page: str, *, key: str, **address: str) -> None:
    """Show a button that leads to another page, with `address` as its query."""
    if st.button(label, key=key, icon=":material/arrow_forward:", type="tertiary"):
        st.switch_page(f"pages/{page}.py", query_params=address)
