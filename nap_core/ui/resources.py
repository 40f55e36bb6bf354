"""What pages stand on: the study that is open, the models and images of this visitor."""

from __future__ import annotations

import argparse
import re
import secrets
import shutil
import sys
from itertools import groupby
from pathlib import Path

import streamlit as st

from nap_core.errors import NapError
from nap_core.inputs.demos import DEMOS
from nap_core.store import cache_folder
from nap_core.study import Study
from nap_core.ui.visitor import runs_locally, visitor

FIRST = "shapes"
_CHOICE, _RECENT, _GOING = "study", "recent-studies", "going-to"
MOST_RECENT = 8


@st.cache_resource(show_spinner="Opening the study", max_entries=16)
def _opened(folder: str, age: float) -> Study:
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
    st.session_state.setdefault(_RECENT, {}).pop(str(folder), None)
    st.session_state[_RECENT][str(folder)] = True  # the latest stands last
    for about_another in ("clustering", "image", "upload", "right", "row"):
        st.query_params.pop(about_another, None)
    _write_address(str(folder))


def chosen_study() -> str:
    """Return the demo's name or the folder that this visitor chose: in the address, here, on the command line.

    The choice is written into the address again, as an address is lost on the way to another page. A study of one's own
    is named there only at the machine itself.
    """
    asked = st.query_params.get(_CHOICE, "")
    if asked in DEMOS:
        st.session_state[_CHOICE] = asked
    elif asked and runs_locally() and (_own_studies() / Path(asked).name / "study.json").exists():
        st.session_state[_CHOICE] = str(_own_studies() / Path(asked).name)
    chosen = str(st.session_state.get(_CHOICE) or _named_on_the_command_line() or FIRST)
    _write_address(chosen)
    return chosen


def _own_studies() -> Path:
    return cache_folder() / "studies"


def _write_address(chosen: str) -> None:
    is_own = Path(chosen).parent == _own_studies() and runs_locally()
    name = chosen if chosen in DEMOS else Path(chosen).name if is_own else ""
    if not name or chosen == (_named_on_the_command_line() or FIRST):
        st.query_params.pop(_CHOICE, None)
    elif st.query_params.get(_CHOICE) != name:
        st.query_params[_CHOICE] = name


def recent_studies() -> dict[str, str]:
    """Return folder (or name of a demo) → title of what this visitor may open: demos, then the latest studies first.

    A visitor sees the studies of this session alone; at the machine itself those of earlier sessions, too.
    """
    folders = [name for name in reversed(st.session_state.get(_RECENT, {})) if name not in DEMOS]
    if chosen_study() not in (*DEMOS, *folders):
        folders.insert(0, chosen_study())
    if runs_locally():
        made = _own_studies().glob("*/study.json")
        folders += [str(about.parent) for about in sorted(made, key=_age) if str(about.parent) not in folders]
    titles = {folder: _title(folder, _age(Path(folder) / "study.json")) for folder in folders[:MOST_RECENT]}
    return {name: demo.title for name, demo in DEMOS.items()} | {f: title for f, title in titles.items() if title}


def _age(about: Path) -> float:
    """Return a number that is smaller for a file written later; 0 where there is none."""
    return -about.stat().st_mtime if about.exists() else 0.0


@st.cache_data(show_spinner=False, max_entries=256)
def _title(folder: str, age: float) -> str:
    try:
        study = Study.open(folder)
    except NapError:
        return ""
    return f"{study.title} · {study.about['made']}"


def opened_study(chosen: str) -> Study:
    """Return a demo by its name, or the study in a folder.

    Raises
    ------
    StudyError
        If there is no study.
    """
    folder = _demo_folder(chosen) if chosen in DEMOS else chosen
    return _opened(folder, _age(Path(folder) / "study.json"))


def current_study() -> Study:
    """Return the open study; where it cannot be opened, say why and end the page.

    On a hosted app a visitor's own study is reached through this session alone: there the address names demos only.
    """
    try:
        study = opened_study(chosen_study())
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
    """Show what came, what is possible and what to do; lines of code as such, to be copied."""
    st.error(error_words(str(error)))


def error_words(message: str) -> str:
    """Return an error's message where Markdown is read: its signs as they stand, its indented lines as code."""
    said = []
    for is_code, lines in groupby(message.splitlines(), key=lambda line: line.startswith("    ")):
        if is_code:
            said.append("\n".join(["```python", *(line[4:] for line in lines), "```"]))
        else:
            said.append("\n".join(re.sub(r"([*$~<])", r"\\\1", line) for line in lines))
    return "\n\n".join(said)


def new_folder() -> Path:
    """Return a folder for a study: among this machine's, or on a server among the visitor's own, which end with it."""
    return studies_folder() / secrets.token_hex(8)


def studies_folder() -> Path:
    """Return where this visitor's studies are made."""
    return _own_studies() if runs_locally() else visitor().folder / "studies"


def is_deletable(folder: str) -> bool:
    """Whether this visitor may delete the study in `folder`: it was made here, and not elsewhere on this machine."""
    if folder in DEMOS:
        return False
    is_kept_here = runs_locally() and Path(folder).absolute().parent == _own_studies().absolute()
    return is_kept_here or visitor().is_owner_of(Path(folder))


def delete_study(folder: str) -> None:
    """Remove a study with all its results; another one is opened where it was the open one."""
    if not is_deletable(folder):
        return
    was_open = chosen_study() == folder
    st.session_state.get(_RECENT, {}).pop(folder, None)
    _opened.clear(folder, _age(Path(folder) / "study.json"))
    shutil.rmtree(folder, ignore_errors=True)
    if was_open:
        open_study(FIRST)


def study_size(folder: str) -> int:
    """Return how many bytes a study takes on the disk."""
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())


def go_to(label: str, page: str, *, key: str, **address: str | int) -> None:
    """Show a button that leads to another page, or to another place of this one, with `address` as its query."""
    if st.button(
        label, key=key, icon=":material/arrow_forward:", type="tertiary", on_click=set_out, args=(page, address)
    ):
        arrive()


def set_out(page: str, address: dict[str, str | int]) -> None:
    """Remember, in a callback, where a click leads; `arrive` goes there.

    What a widget keeps in the address, only the widget may write: it is told its new value before it is drawn again.
    """
    chosen = {name: value for name, value in address.items() if name in st.session_state}
    for name, value in chosen.items():
        st.session_state[name] = value
    st.session_state[_GOING] = page, {name: value for name, value in address.items() if name not in chosen}


def arrive() -> None:
    """Go where the last click leads, if it leads anywhere."""
    page, address = st.session_state.pop(_GOING, ("", {}))
    if page:
        st.switch_page(f"pages/{page}.py", query_params=address)
