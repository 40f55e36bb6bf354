"""What belongs to one visitor: the model, the images, unpacked uploads, and (on a server) the studies.

Streamlit keeps the state of a session that lost its connection for two minutes, in case it comes back, and lets go of
it only when another session ends. Models and pictures are too large, and too much somebody's own, to wait for that.
They are held here, by one object per session, which lets go of them `GRACE` seconds after the session was last seen;
what a server that was killed left behind is removed by the next one, a day after it was last used.
"""

from __future__ import annotations

import ctypes
import gc
import os
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from nap_core.store import cache_folder

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

GRACE = 150.0  # seconds; Streamlit takes a lost session back for 120
DAY = 86_400.0
_VISITOR = "visitor"
_here: WeakValueDictionary[str, Visitor] = WeakValueDictionary()


class Visitor:
    """One session's model, images and files.

    Parameters
    ----------
    is_local
        Whether the visitor sits at the machine itself: files then stay for a day, for the pictures of studies that are
        opened again.
    session
        Streamlit's name of the session, by which it is asked whether somebody is there.
    """

    def __init__(self, *, is_local: bool = False, session: str = "") -> None:
        self.token, self.is_local, self.session = secrets.token_hex(8), is_local, session
        self.network: Network | None = None
        self.images: ImageSet | None = None
        self.kept: dict[str, Any] = {}  # what was worked out about them, such as the list of layers
        self.uploads: dict[str, dict[int, Any]] = {}  # study's folder → number → picture given to the Image page
        self.new_images: dict[str, Any] = {}  # study's folder → those that the New images page asks about
        self._timer: threading.Timer | None = None
        _here[self.token] = self

    @property
    def folder(self) -> Path:
        """A folder that nobody else can guess; made when it is asked for."""
        folder = visitors_folder() / self.token
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def is_owner_of(self, folder: Path) -> bool:
        """Whether `folder` lies in the visitor's own."""
        return (visitors_folder() / self.token) in folder.absolute().parents

    def take_images(self, images: ImageSet | None) -> None:
        """Hold other images; files of earlier ones stay, since studies show their pictures from them."""
        self.images = images
        self.kept.clear()

    def take_network(self, network: Network | None) -> None:
        """Hold another model."""
        self.network = network
        self.kept.clear()

    def stay(self) -> None:
        """Say that the session is there."""
        timer, self._timer = self._timer, None
        if timer:
            timer.cancel()
        folder = visitors_folder() / self.token
        if folder.exists():
            os.utime(folder)

    def leave(self, after: float | None = None) -> None:
        """Say that the session has ended, unless it comes back within `after` seconds, `GRACE` when absent."""
        holds = self.network is not None or self.images is not None or self.new_images
        if not holds and not (visitors_folder() / self.token).exists():
            return  # a reader of a study holds nothing
        self._timer = threading.Timer(GRACE if after is None else after, self.forget)
        self._timer.daemon = True
        self._timer.start()

    def drop_uploads(self, files: Iterable[Any]) -> None:
        """Let go of the bytes of uploads, which Streamlit would keep until the session is shut down."""
        if runtime.exists():
            manager: Any = runtime.get_instance().uploaded_file_mgr  # its type does not promise `remove_file`
            for file in files:
                manager.remove_file(self.session, file.file_id)

    def forget(self) -> None:
        """Let go of model, images and files, unless the connection was only lost for a while."""
        if _is_connected(self.session):
            self.leave()
            return
        self.network = self.images = self._timer = None
        self.kept.clear()
        self.uploads.clear()
        self.new_images = {}
        if not self.is_local:
            _remove([visitors_folder() / self.token])
        if runtime.exists():
            runtime.get_instance().uploaded_file_mgr.remove_session_files(self.session)
        _return_memory()


def visitors_folder() -> Path:
    """Return the folder that holds one folder per visitor."""
    return cache_folder() / "visitors"


def visitor() -> Visitor:
    """Return the visitor whose session this is."""
    found: Visitor | None = st.session_state.get(_VISITOR)
    if found is None:
        sweep()
        found = st.session_state[_VISITOR] = Visitor(is_local=runs_locally(), session=_session())
    _present(found.token, found).stay()
    return found


@st.cache_resource(scope="session", show_spinner=False, on_release=Visitor.leave)
def _present(token: str, _visitor: Visitor) -> Visitor:
    """Return the visitor; Streamlit lets go of the result when the session loses its connection."""
    return _visitor


def sweep() -> None:
    """Remove what sessions left behind that were last seen more than a day ago, and half-unpacked studies."""
    scratch = (cache_folder() / "studies").glob(".opening-*")
    _remove(f for f in (*visitors_folder().glob("*"), *scratch) if f.name not in _here and _is_old(f))


def _session() -> str:
    context = get_script_run_ctx()
    return context.session_id if context else ""


def _is_connected(session: str) -> bool:
    """Whether somebody has the page open; a connection that comes back need not run the page again."""
    return bool(session) and runtime.exists() and runtime.get_instance().is_active_session(session)


def _return_memory() -> None:
    """Let the system have what was freed; glibc keeps it in the arenas of threads that are no more."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > DAY
    except FileNotFoundError:
        return False


def _remove(folders: Iterable[Path]) -> None:
    for folder in list(folders):
        shutil.rmtree(folder, ignore_errors=True)


def runs_locally() -> bool:
    """Whether the visitor sits at the machine that runs the app, so that folder paths are theirs to read."""
    host = (st.context.url or "").split("//")[-1].split("/")[0].split(":")[0]
    guest = (st.context.ip_address or "").removeprefix("::ffff:")  # IPv4, heard by a server that listens to IPv6, too
    return host in ("localhost", "127.0.0.1") and guest in ("", "127.0.0.1", "::1")
