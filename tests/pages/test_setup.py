"""Setup under AppTest: nothing there yet, a study taken away and brought back, wrong files, deleting."""

from __future__ import annotations

import gc
import os
import shutil
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from nap_core.store import cache_folder
from nap_core.study import Study
from nap_core.study.bundle import pack_study
from nap_core.ui import visitor as visitor_module
from nap_core.ui.studies_panel import _packed, file_name
from nap_core.ui.visitor import Visitor, sweep, visitors_folder

PAGE = Path(__file__).resolve().parents[2] / "pages" / "setup.py"


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    """The visitor of these tests sits at the machine."""
    monkeypatch.setattr(visitor_module, "runs_locally", lambda: True)
    for module in ("resources", "setup_panel", "studies_panel"):
        monkeypatch.setattr(f"nap_core.ui.{module}.runs_locally", lambda: True)


def opened(begin: str | None = None) -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    if begin:
        test.session_state["begin"] = begin
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(e.value for kind in (test.markdown, test.caption, test.info, test.error) for e in kind)


@pytest.fixture
def kept_study() -> Study:
    """A copy of the digits' study among this machine's own."""
    folder = cache_folder() / "studies" / "0123456789abcdef"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Study.demo("digits").folder, folder)
    return Study.open(folder)


def test_nothing_there_yet_names_both_needs():
    test = opened()
    assert not test.exception
    assert "No model yet" in texts(test)
    assert "No images yet" in texts(test)


def test_a_study_goes_and_comes_back_the_same(kept_study, tmp_path):
    file = tmp_path / "digits.nap.zip"
    pack_study(kept_study, file)
    before = {folder.name for folder in (cache_folder() / "studies").iterdir()}
    test = opened("open")
    uploaders = test.get("file_uploader")
    assert not test.exception
    uploaders[0].upload(file.name, file.read_bytes(), "application/zip").run()
    new = {folder.name for folder in (cache_folder() / "studies").iterdir()} - before
    again = Study.open(cache_folder() / "studies" / new.pop())
    for layer in kept_study.layer_names:
        assert (again.patterns(layer).label == kept_study.patterns(layer).label).all()
    assert [again.thumbnail(i) for i in range(20)] == [kept_study.thumbnail(i) for i in range(20)]
    assert not list(visitors_folder().glob("*/study-file-*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"not a zip", "only zip files are unpacked"), (b"PK\x05\x06" + bytes(18), "holds no whole study (study.json: ")],
)
def test_a_wrong_file_is_a_sentence(content, said):
    test = opened("open")
    test.get("file_uploader")[0].upload("study.zip", content, "application/zip").run()
    assert not test.exception
    assert said in test.error[0].value
    assert str(cache_folder()) not in test.error[0].value
    assert not list((cache_folder() / "studies").glob(".opening-*"))


def test_a_study_is_listed_and_deleted(kept_study):
    test = opened("open")
    assert f"{kept_study.n_images:,} images" in texts(test)
    assert "on disk" in texts(test)
    test.button(key=f"sure-{kept_study.folder.name}").click().run()
    assert not test.exception
    assert not kept_study.folder.exists()
    assert Study.demo("digits").is_finished


def test_the_open_study_is_offered_as_a_file():
    test = opened("open")
    assert any("Download as one file" in button.proto.label for button in test.get("download_button"))
    assert _packed(Study.demo("digits")).startswith(b"PK\x03\x04")  # Streamlit takes bytes, not any file
    assert file_name("Résumé of /etc: <b>") == "r-sum-of-etc-b"
    assert file_name("…") == "study"


def test_what_a_visitor_leaves_is_removed():
    guest, host = Visitor(), Visitor(is_local=True)
    for one in (guest, host):
        (one.folder / "photo.jpg").write_bytes(b"x")
        one.leave(after=0.05)
        one._timer.join()
    assert not (visitors_folder() / guest.token).exists()
    kept = visitors_folder() / host.token
    assert (kept / "photo.jpg").exists()
    sweep()
    assert kept.exists()
    token = host.token
    del host, one
    gc.collect()
    long_ago = time.time() - 2 * visitor_module.DAY
    os.utime(kept, (long_ago, long_ago))
    sweep()
    assert not (visitors_folder() / token).exists()


def test_a_connection_lost_for_a_while_costs_nothing(monkeypatch):
    guest = Visitor(session="there")
    (guest.folder / "photo.jpg").write_bytes(b"x")
    monkeypatch.setattr(visitor_module, "_is_connected", lambda session: session == "there")
    guest.forget()
    assert (guest.folder / "photo.jpg").exists()
    guest.stay()
    guest.session = "gone"
    guest.forget()
    assert not (visitors_folder() / guest.token).exists()


def test_a_visitor_who_comes_back_keeps_everything():
    guest = Visitor()
    (guest.folder / "photo.jpg").write_bytes(b"x")
    guest.leave(after=0.2)
    guest.stay()
    time.sleep(0.4)
    assert (guest.folder / "photo.jpg").exists()
    assert guest.is_owner_of(guest.folder / "studies" / "1")
    assert not guest.is_owner_of(visitors_folder())
