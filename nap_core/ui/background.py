"""Work that goes on while the reader looks at something else: one piece at a time in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock, Thread

import streamlit as st

from nap_core.errors import NapError
from nap_core.ui.resources import show_error

_STEP = 0.5  # seconds between two looks at the work


@dataclass(frozen=True, slots=True)
class _Work:
    future: Future[object]
    began: float


@st.cache_resource
def _worker() -> tuple[ThreadPoolExecutor, dict[str, _Work], Lock]:
    return ThreadPoolExecutor(max_workers=1), {}, Lock()


def run_meanwhile(key: str, work: Callable[[], object], said: str) -> None:
    """Start `work` unless it runs already, say so with the seconds since, and run the page again when it is done.

    Parameters
    ----------
    key
        What is made; the same for all visitors who wait for the same.
    work
        Leaves its result in a store; called in a thread of its own, without Streamlit.
    said
        What is done, for the reader.
    """
    pool, running, lock = _worker()
    with lock:
        if key not in running:
            running[key] = _Work(pool.submit(work), time.monotonic())
    _wait(key, said)


@st.cache_resource
def get_ready(key: str, _work: Callable[[], object]) -> None:
    """Do the work of a `key` once in this process, beside all else; nobody waits for it, and nobody is told."""
    Thread(target=_work, daemon=True).start()


@st.fragment(run_every=_STEP)
def _wait(key: str, said: str) -> None:
    _, running, lock = _worker()
    work = running.get(key)
    if work is None:  # another visitor has seen it done
        st.rerun()
    elif not work.future.done():
        st.markdown(f":material/hourglass_top: {said} {time.monotonic() - work.began:.0f} s so far.")
    else:
        with lock:
            running.pop(key, None)
        _told(work.future)


def _told(future: Future[object]) -> None:
    try:
        future.result()
    except NapError as error:
        show_error(error)
        return
    st.rerun()
