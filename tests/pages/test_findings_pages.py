"""What stands out, on the Overview, and what a pattern's images share, on the pattern opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from nap_core.inputs.demos import factors
from nap_core.study import Study
from nap_core.study.findings import findings
from nap_core.study.properties import keep_metadata, kept_metadata

PAGES = Path(__file__).resolve().parents[2] / "pages"


def opened(name: str, study: str, **address: str) -> AppTest:
    test = AppTest.from_file(str(PAGES / name), default_timeout=120)
    test.session_state["study"] = study
    for key, value in address.items():
        test.query_params[key] = value
    return test.run()


def said(test: AppTest) -> str:
    return " ".join(element.value for element in (*test.markdown, *test.caption)).replace("\\", "")


def test_the_planted_ring_is_told_first():
    test = opened("overview.py", "shapes")
    assert not test.exception
    told = said(test)
    assert "small light mark in the lower right corner" in told
    assert told.index("A mark that decides") < told.index("Patterns where errors gather")
    labels = [button.label for button in test.button]
    assert any(label.startswith("Pattern ") and label.endswith("of `features`") for label in labels)


@pytest.mark.parametrize("demo", ["shapes_clean", "digits"])
def test_where_nothing_was_planted_no_mark_is_told(demo):
    test = opened("overview.py", demo)
    assert not test.exception
    assert "mark that decides" not in said(test)
    assert "Where classes part" in said(test)


def test_the_images_of_a_finding_become_the_selection():
    test = opened("overview.py", "shapes")
    (first, *_) = findings(Study.demo("shapes"))
    test.button(key="select-0").click().run()
    kept = test.session_state["selection"][str(Study.demo("shapes").folder)]
    assert kept == tuple(sorted(first.image.tolist()))


def test_a_pattern_says_what_its_images_share():
    (first, *_) = findings(Study.demo("shapes"))
    test = opened("patterns.py", "shapes", **first.address)
    assert not test.exception
    assert "Busier in the corners than 9" in said(test)


def test_a_table_kept_with_the_study_is_compared(tmp_path):
    target = np.repeat(np.arange(3), 40)
    values = (np.random.default_rng(0).normal(size=(120, 8)) + 9 * np.eye(3, 8)[target]).astype(np.float32)
    ids = [f"{i:03d}.png" for i in range(120)]
    study = Study.from_activations(tmp_path / "own", {"a": values}, ids=ids, targets=target.tolist())
    study.cluster()
    rows = "\n".join(f"{name},{'north' if kind == 1 else 'south'}" for name, kind in zip(ids, target, strict=True))
    keep_metadata(study, f"file,site\n{rows}\n".encode())
    number = str(int(study.patterns("a").label[50]))
    test = opened("patterns.py", str(study.folder), layer="a", pattern=number)
    assert not test.exception
    assert "100% have site north" in said(test)
    test.button(key="metadata-away").click().run()
    assert not test.exception
    assert "have site north" not in said(test)


def test_a_table_brought_to_a_built_in_study_stays_in_the_session():
    study, marked = Study.demo("shapes"), factors("shapes")["watermark"] == 1
    (first, *_) = findings(study)
    test = opened("patterns.py", "shapes", **first.address)
    bring(test, b"nothing,here\nx,y\n")
    assert "No row of my table.csv belongs to an image" in test.error[0].value
    rows = "\n".join(f"{name},{'yes' if has else 'no'}" for name, has in zip(study.ids, marked, strict=True))
    bring(test, f"image,ring\n{rows}\n".encode())
    assert not test.exception
    assert "have ring yes" in said(test)
    assert kept_metadata(study) == {}


def bring(test: AppTest, table: bytes) -> None:
    test.file_uploader(key="metadata-file").set_value(("my table.csv", table, "text/csv")).run()
    test.button(key="metadata-use").click().run()


def test_a_study_of_activations_alone_has_its_overview(tmp_path):
    rng = np.random.default_rng(0)
    study = Study.from_activations(tmp_path / "own", {"a": rng.normal(size=(60, 8)).astype(np.float32)})
    study.cluster()
    test = opened("overview.py", str(study.folder))
    assert not test.exception
    assert "What stands out" in said(test)


def test_where_no_layer_groups_anything_the_overview_says_so(tmp_path):
    study = Study.from_activations(tmp_path / "alike", {"fc": np.ones((40, 8), np.float32)})
    study.cluster()
    test = AppTest.from_file(str(PAGES / "overview.py"), default_timeout=60)
    test.session_state["study"] = str(study.folder)
    assert not test.run().exception
    assert "all 40 are in no pattern" in " ".join(said.value for said in test.markdown)
