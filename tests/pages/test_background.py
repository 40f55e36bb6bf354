"""A page whose work goes on in the background: it is told while it lasts, done once, and its failure is a sentence."""

from __future__ import annotations

import time
from threading import Event

import numpy as np
from streamlit.testing.v1 import AppTest

from nap_core.study import Study
from nap_core.study.maps import layout
from nap_core.ui.background import get_ready


def slow_page(release: str, count: str) -> None:
    import time
    from pathlib import Path

    import streamlit as st

    from nap_core.errors import StudyError
    from nap_core.ui.background import run_meanwhile

    def work() -> None:
        with Path(count).open("a") as file:
            file.write("x")
        while not Path(release).exists():
            time.sleep(0.01)
        if Path(release).read_text() == "bad":
            raise StudyError("The layer cannot be laid out.")
        Path(count).with_suffix(".done").touch()

    if Path(count).with_suffix(".done").exists():
        st.write("here it is")
    else:
        run_meanwhile(count, work, "Laying out.")
        st.write("instead")


def shown(test: AppTest) -> str:
    return " ".join(element.value for element in test.markdown)


def after(test: AppTest, part: str) -> AppTest:
    for _ in range(200):
        if part in shown(test) + " ".join(error.value for error in test.error):
            return test
        time.sleep(0.05)
        test.run()
    raise AssertionError(f"'{part}' never came; the page says {shown(test)}")


def test_the_page_goes_on_and_shows_the_result_when_it_is_there(tmp_path):
    release, count = tmp_path / "release", tmp_path / "count"
    test = AppTest.from_function(slow_page, args=(str(release), str(count)), default_timeout=20).run()
    assert "Laying out." in shown(test)
    assert "instead" in shown(test)
    test.run()
    release.write_text("good")
    after(test, "here it is")
    assert count.read_text() == "x"


def test_a_failure_is_a_sentence(tmp_path):
    release, count = tmp_path / "release", tmp_path / "count"
    release.write_text("bad")
    test = AppTest.from_function(slow_page, args=(str(release), str(count)), default_timeout=20).run()
    assert not after(test, "The layer cannot be laid out.").exception


def page_with_what_is_behind_it() -> None:
    from nap_core.ui.frame import behind_the_page, frame

    frame()
    behind_the_page()


def test_the_first_map_is_got_ready_only_where_none_is_there(tmp_path, monkeypatch):
    asked = Event()
    monkeypatch.setattr("nap_core.ui.frame.warm_up", asked.set)
    get_ready.clear()
    values = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    own = Study.from_activations(tmp_path / "own", {"layer": values})
    for study in ("digits", str(tmp_path / "gone")):
        assert not behind(study).exception
        assert not asked.is_set()
    assert not behind(str(own.folder)).exception
    assert asked.wait(20)
    asked.clear()
    assert not behind(str(own.folder)).exception  # once in a process
    get_ready.clear()
    layout(own, "layer")
    assert not behind(str(own.folder)).exception
    assert not asked.is_set()


def behind(study: str) -> AppTest:
    test = AppTest.from_function(page_with_what_is_behind_it, default_timeout=30)
    test.session_state["study"] = study
    return test.run()
