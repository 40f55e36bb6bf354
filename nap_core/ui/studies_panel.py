"""Studies made before: the latest ones with date and size, one from a file, the open one taken away as a file."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import streamlit as st

from nap_core.errors import InputError, NapError, counted
from nap_core.inputs.demos import DEMOS
from nap_core.study import Study
from nap_core.study.bundle import bundle_size, pack_study, unpack_study
from nap_core.ui.resources import (
    chosen_study,
    delete_study,
    is_deletable,
    new_folder,
    open_study,
    opened_study,
    recent_studies,
    show_error,
    study_size,
)
from nap_core.ui.setup_panel import taken_uploads, uploader
from nap_core.ui.visitor import runs_locally
from nap_core.ui.widgets import show_progress, size_words

LARGEST_DOWNLOAD = 500e6  # bytes; the browser gets a file from memory
SUFFIX = ".nap.zip"


def take_away() -> None:
    """Offer the open study as one file."""
    try:
        study = opened_study(chosen_study())
    except NapError as error:
        show_error(error)
        return
    st.markdown(f"**Open now:** {_plain(study.title)} · {counted(study.n_images, 'image')}")
    if not study.is_finished:
        st.caption("It is not finished. Run it to the end, then it can be taken away as one file.")
        return
    size = bundle_size(study)
    if size > LARGEST_DOWNLOAD:
        st.caption(f"As one file it has {size_words(size)}, too much for a browser. Write it with:")
        st.code(f"python -m nap_core pack {study.folder} study{SUFFIX}", language="bash")
        return
    st.download_button(
        f"Download as one file ({size_words(size)})",
        lambda: _packed(study),
        file_name=f"{file_name(study.title)}{SUFFIX}",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        help="Patterns, notes and small pictures, to open again here or on another machine, exactly as they are. "
        "Neither the model nor the original pictures are in it.",
    )


def file_name(title: str) -> str:
    """Return a title as a file name: letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "study"


def _packed(study: Study) -> bytes:
    """Return the study as one file; on the disk first, since the zip would be in memory twice."""
    with tempfile.TemporaryFile() as file:
        pack_study(study, file)
        file.seek(0)
        return file.read()


def _plain(text: str) -> str:
    """Return a name as Markdown shows it letter by letter."""
    return re.sub(r"([\\`*_{}\[\]<>#$|~:])", r"\\\1", text)


def open_file() -> None:
    """Open a study that was taken away as one file."""
    file = uploader(f"A study as one file ({SUFFIX})", "study-file", type=("zip",), max_upload_size=1000)
    folder = new_folder()
    if file is not None and taken_uploads([file], "study-file", lambda paths: unpack_study(paths[0], folder)):
        _show(str(folder))


def _show(folder: str) -> None:
    open_study(folder)
    st.switch_page("pages/overview.py")


def list_studies() -> None:
    """List the built-in studies and the latest ones, with what they hold and the ways to open and delete them."""
    names = list(recent_studies())
    for folder in names:
        _row(folder, is_open=folder == chosen_study())
    if set(names) <= set(DEMOS):
        st.caption("Studies that you run or open are listed here, too.")
    elif not runs_locally():
        st.caption("Your studies are removed a few minutes after you close this page: download what you want to keep.")


def _row(folder: str, *, is_open: bool) -> None:
    try:
        title, facts = _told(folder)
    except NapError:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key=f"study-{_key(folder)}"):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{_plain(title)}**")
            st.caption(" · ".join(facts))
        if is_open:
            st.badge("open", color="blue")
        elif st.button("Open", key=f"open-{_key(folder)}"):
            _show(folder)
        if is_deletable(folder):
            _delete(folder, title)


def _told(folder: str) -> tuple[str, list[str]]:
    """Return title and facts; a demo is told without unpacking it."""
    if folder in DEMOS:
        demo = DEMOS[folder]
        return demo.title, ["built in", counted(demo.n, "image"), counted(len(demo.layers), "layer")]
    study = opened_study(folder)
    state = [] if study.is_finished else ["not finished"]
    sizes = [counted(study.n_images, "image"), counted(len(study.layers), "layer")]
    sizes.append(f"{size_words(study_size(folder))} on disk")
    return study.title, [study.about["made"], *sizes, *state]


def _delete(folder: str, title: str) -> None:
    with st.popover("Delete", icon=":material/delete:", key=f"delete-{_key(folder)}"):
        st.write(f"Removes all results, notes and small pictures of “{_plain(title)}”. Model and photos stay.")
        st.button("Delete it", type="primary", on_click=delete_study, args=(folder,), key=f"sure-{_key(folder)}")


def _key(folder: str) -> str:
    return Path(folder).name


def open_folder() -> None:
    """Open a study in a folder of this machine."""
    if not runs_locally():
        return
    with st.form("study-folder", border=False):
        folder = st.text_input("Folder of a study on this machine", placeholder="the folder given as --study")
        if st.form_submit_button("Open this folder") and folder:
            _show(str(Path(folder).expanduser()))


def import_activations() -> None:
    """Make a study of activations that were made elsewhere."""
    file = uploader("Activations made elsewhere (.npz)", "activations", type=("npz",))
    st.caption("One array [image, feature] per layer; `ids` and `targets` are optional. Any framework can write it.")
    folder = new_folder()
    if file is not None and taken_uploads([file], "activations", lambda paths: _import(paths[0], folder)):
        _show(str(folder))


def _import(path: Path, folder: Path) -> None:
    from nap_core.activations.imported import read_activations

    found = read_activations(path)
    study = Study.from_activations(folder, found.layers, ids=found.ids, targets=found.targets, title=path.stem)
    if problems := study.cluster(progress=show_progress("Grouping layers")):
        raise InputError(" ".join(problems.values()))
