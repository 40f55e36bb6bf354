"""A name that a reader gives to a pattern is told wherever the pattern is spoken of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nap_core.study import Study
from nap_core.study.notes import Note, write_note

PAGES = Path(__file__).resolve().parents[2] / "pages"


@pytest.fixture
def named(tmp_path, monkeypatch):
    monkeypatch.setenv("NAP_CACHE", str(tmp_path / "cache"))
    group = np.repeat(np.arange(3), 30)
    rows = (np.eye(3)[group] * 10 + np.random.default_rng(0).normal(size=(90, 3))).astype(np.float32)
    study = Study.from_activations(tmp_path / "study", {"fc": rows, "head": rows * 2}, targets=group.tolist())
    study.cluster()
    write_note(study, "head", int(study.patterns("head").label[0]), Note("striped ones", ""), study.config)
    yield study
    st.cache_resource.clear()


def test_on_the_pattern_whose_images_go_there(named):
    test = AppTest.from_file(str(PAGES / "patterns.py"), default_timeout=120)
    test.session_state["study"] = str(named.folder)
    test.query_params["layer"] = "fc"
    test.query_params["pattern"] = str(named.patterns("fc").label[0])
    test.run()
    assert not test.exception
    target = named.patterns("head").label[0]
    assert f"Pattern {target} · striped ones, 30 images" in [button.label for button in test.button]
