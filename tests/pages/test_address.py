"""Which study an address opens, at the machine itself and on a hosted app."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nap_core.study import Study
from nap_core.ui import resources
from nap_core.ui import visitor as visitor_module

PAGE = Path(__file__).resolve().parents[2] / "pages" / "overview.py"


@pytest.fixture
def own_study(tmp_path, monkeypatch):
    monkeypatch.setenv("NAP_CACHE", str(tmp_path))
    rows = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    study = Study.from_activations(tmp_path / "studies" / "0a1b", {"fc": rows}, title="my own rows")
    study.cluster()
    yield study
    st.cache_resource.clear()  # what was opened lies in a folder that only this test knows


def opened_at(address: str, *, is_local: bool, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(resources, "runs_locally", lambda: is_local)
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    test.query_params["study"] = address
    return test.run()


def test_an_address_reopens_a_study_of_this_machine(own_study, monkeypatch):
    test = opened_at("0a1b", is_local=True, monkeypatch=monkeypatch)
    assert test.title[0].value == "my own rows"
    assert test.query_params["study"] == "0a1b"


@pytest.mark.parametrize("address", ["0a1b", "../studies/0a1b", "nothing"])
def test_a_hosted_app_opens_no_study_of_its_disk(own_study, monkeypatch, address):
    test = opened_at(address, is_local=False, monkeypatch=monkeypatch)
    assert test.title[0].value == opened_at("", is_local=False, monkeypatch=monkeypatch).title[0].value
    assert "study" not in test.query_params


@pytest.mark.parametrize(
    ("url", "guest", "is_local"),
    [
        ("http://localhost:8501/", None, True),
        ("http://localhost:8501/", "::1", True),
        ("http://127.0.0.1:8501/", "::ffff:127.0.0.1", True),
        ("http://127.0.0.1:8501/", "::ffff:10.0.0.7", False),
        ("https://some.app/", "127.0.0.1", False),
    ],
)
def test_who_sits_at_the_machine(monkeypatch, url, guest, is_local):
    context = SimpleNamespace(url=url, ip_address=guest)
    monkeypatch.setattr(visitor_module, "st", SimpleNamespace(context=context))
    assert visitor_module.runs_locally() is is_local


def test_an_error_is_shown_as_it_stands_with_its_code_to_copy():
    message = "a*b.pt costs 3$. Do this:\n    import torch\n    print(1 * 2)\nThen come back."
    said = "a\\*b.pt costs 3\\$. Do this:\n\n```python\nimport torch\nprint(1 * 2)\n```\n\nThen come back."
    assert resources.error_words(message) == said
