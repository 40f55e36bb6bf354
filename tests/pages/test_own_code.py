"""A network of one's own code on Setup: where it may run, and how pictures reach it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from nap_core.ui import visitor as visitor_module

PAGE = Path(__file__).resolve().parents[2] / "pages" / "setup.py"
CODE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
"""


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor_module, "runs_locally", lambda: True)
    for module in ("resources", "setup_panel", "studies_panel"):
        monkeypatch.setattr(f"nap_core.ui.{module}.runs_locally", lambda: True)


@pytest.fixture
def page(tmp_path: Path) -> AppTest:
    (tmp_path / "own.py").write_text(CODE, encoding="utf-8")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "small.npz", images=rng.integers(0, 256, (30, 32, 32, 3), np.uint8))
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    test.session_state["model-way"] = "Own code"
    test.session_state["images-way"] = "Folder"
    return test.run()


def given(test: AppTest, folder: Path) -> AppTest:
    test.text_input[0].set_value(f"{folder / 'own.py'}:make").run()
    next(b for b in test.button if b.label == "Load this model").click().run()
    next(t for t in test.text_input if t.label.startswith("Folder")).set_value(str(folder / "small.npz")).run()
    return next(b for b in test.button if b.label == "Read the images").click().run()


def test_own_code_runs_only_where_the_operator_says_so(page, tmp_path, monkeypatch):
    monkeypatch.delenv("NAP_TRUST_LOCAL_FILES", raising=False)
    page.text_input[0].set_value(f"{tmp_path / 'own.py'}:make").run()
    next(b for b in page.button if b.label == "Load this model").click().run()
    assert not page.exception
    assert "set NAP_TRUST_LOCAL_FILES=1" in page.error[0].value
    assert "No model yet" in " ".join(one.value for one in page.info)


@pytest.mark.filterwarnings("ignore:NAP_TRUST_LOCAL_FILES")
def test_a_guess_is_said_and_corrected(page, tmp_path, monkeypatch):
    monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", "1")
    given(page, tmp_path)
    assert not page.exception
    assert "assumed is 32×32 pixels" in page.warning[0].value
    page.number_input[0].set_value(24)
    next(t for t in page.text_input if t.label.startswith("Mean")).set_value("0.5")
    next(b for b in page.button if b.label == "Use these").click().run()
    assert not page.exception
    assert not page.warning
    found = page.session_state["visitor"].network.preprocessing
    assert (found.crop, found.mean) == (24, (0.5, 0.5, 0.5))


@pytest.mark.filterwarnings("ignore:NAP_TRUST_LOCAL_FILES")
def test_wrong_numbers_are_a_sentence(page, tmp_path, monkeypatch):
    monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", "1")
    given(page, tmp_path)
    next(t for t in page.text_input if t.label.startswith("Mean")).set_value("half")
    next(b for b in page.button if b.label == "Use these").click().run()
    assert not page.exception
    assert "no numbers" in page.error[0].value
