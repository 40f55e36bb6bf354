"""What patterns look for, kept with the study: made in parts, stopped, gone on with, read without the network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nap_core.errors import StudyError
from nap_core.explain.autoencoder import Training
from nap_core.inputs.models import load_model
from nap_core.store import Store
from nap_core.study import Study, looks, synthetic
from nap_core.study.bundle import pack_study, unpack_study
from nap_core.study.folder import pack_results

LAYER = "stage3"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, one_thread):
    monkeypatch.setattr(synthetic, "usual_training", lambda size: Training(n_codes=8, n_steps=25))
    monkeypatch.setattr(looks, "PART", 5)


def bare(folder: Path) -> Study:
    """The digits without the looks that they are shipped with."""
    shutil.copytree(Study.demo("digits").folder, folder)
    for about in (folder / "results").glob("??/*/about.json"):
        if json.loads(about.read_text())["kind"] == "looks":
            shutil.rmtree(about.parent)
    return Study.open(folder)


@pytest.fixture(scope="module")
def digits():
    return load_model("digits")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return bare(tmp_path / "study")


def test_made_in_parts_stopped_and_gone_on_with(study: Study, digits, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = looks.looks(study, LAYER)
    size = study.patterns(LAYER).size
    assert (nothing.kept, nothing.is_finished, nothing.way) == ({}, False, "")
    assert set(nothing.asked) == set(np.flatnonzero(size >= looks.FEWEST_MEMBERS).tolist())
    assert (np.diff(size[list(nothing.asked)]) <= 0).all()
    seen: list[int] = []
    part = looks.make_looks(study, digits, LAYER, watch=lambda there: seen.append(len(there.kept)) or True)
    assert (seen, list(part.kept), part.is_finished) == ([5], list(nothing.asked[:5]), False)
    asked, made = [], looks.prototypes
    monkeypatch.setattr(looks, "prototypes", lambda *a, **k: asked.extend(a[3]) or made(*a, **k))
    told: list[tuple[int, int]] = []
    whole = looks.make_looks(study, digits, LAYER, progress=lambda done, total: told.append((done, total)))
    assert asked == list(nothing.asked[5:])
    assert whole.is_finished
    assert list(whole.kept) == list(nothing.asked)
    assert told[-1][0] == told[-1][1]
    assert all(a <= b for (a, _), (b, _) in pairwise(told))


def test_a_look_is_the_prototype_with_its_check_and_places(study: Study, digits) -> None:
    found = looks.make_looks(study, digits, LAYER)
    pattern = found.asked[0]
    look = found.kept[pattern]
    wish = synthetic.wish_for(study, digits, LAYER, pattern=pattern)
    assert synthetic.has_images(study, digits, wish)
    made = synthetic.synthetic(study, digits, wish)
    np.testing.assert_array_equal(look.picture, np.round(255 * made.images.picture[0, 0]).astype(np.uint8))
    assert look.check.light == made.check.light
    assert look.check.is_suspicious == made.check.is_suspicious
    np.testing.assert_allclose(look.check.nn_ratio, made.check.nn_ratio)
    assert look.check.text == made.check.text
    assert look.places is not None
    assert (look.places.shape, look.places.max()) == ((2, 2), 255)
    assert looks.make_looks(study, digits, "features").kept[0].places is None  # plain vectors have no places


def test_what_is_kept_is_read_without_torch(study: Study, digits) -> None:
    looks.make_looks(study, digits, LAYER)
    program = (
        "import sys; from nap_core.study import Study; from nap_core.study import looks; looks.PART = 5;"
        f"assert looks.looks(Study.open(sys.argv[1]), {LAYER!r}).is_finished; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(study.folder)], check=True, cwd=Path(__file__).parents[2])


def test_looks_are_shipped_without_what_made_them(study: Study, digits, tmp_path: Path) -> None:
    looks.make_looks(study, digits, "features")
    pack_results(study.folder / "results", tmp_path)
    with np.load(tmp_path / "results.npz") as packed:
        kinds = {about["kind"] for about in json.loads(str(packed["abouts"])).values()}
    assert "looks" in kinds
    assert not kinds & {"synthetic", "generator", "picture facts"}


def test_a_bundle_whose_looks_do_not_fit_is_refused(study: Study, digits, tmp_path: Path) -> None:
    looks.make_looks(study, digits, "features")
    pack_study(study, tmp_path / "whole.zip")
    assert looks.looks(unpack_study(tmp_path / "whole.zip", tmp_path / "again"), "features").is_finished
    for about in Store(study.folder / "results").folder.glob("??/*/about.json"):
        if json.loads(about.read_text())["kind"] == "looks":
            np.save(about.with_name("width.npy"), np.array(3, np.int32))
    pack_study(study, tmp_path / "bad.zip")
    with pytest.raises(StudyError, match="do not fit their sheet"):
        unpack_study(tmp_path / "bad.zip", tmp_path / "bad")
