"""A study as one file opens again exactly; a file that means harm or fits nothing is refused and leaves nothing."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nap_core.configs import RECIPES
from nap_core.errors import ArchiveError, NapError, StudyError
from nap_core.study import Study
from nap_core.study.bundle import bundle_size, pack_study, unpack_study
from nap_core.study.maps import has_layout, layout

Contents = dict[str, bytes]
PLAIN = replace(RECIPES["published"], min_cluster_size=4, min_samples=2)


def contents(study: Study) -> Contents:
    packed = io.BytesIO()
    pack_study(study, packed)
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content: Contents, to: Path) -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return to


@pytest.fixture(scope="module")
def demo() -> Study:
    study = Study.demo("digits")
    layout(study, study.layer_names[0], method="pca")
    return study


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Study:
    drawn = np.random.default_rng(0).normal(size=(30, 3)) * 0.01 + np.eye(3)[np.arange(30) % 3]
    study = Study.from_activations(
        tmp_path_factory.mktemp("small") / "s", {"a": drawn, "b": drawn[:, :2]}, config=PLAIN
    )
    study.cluster()
    return study


def test_a_study_opens_again_exactly(demo: Study, tmp_path: Path) -> None:
    (demo.folder / "notes.json").write_text("{}")
    pack_study(demo, tmp_path / "digits.zip")
    (demo.folder / "notes.json").unlink()
    again = unpack_study(tmp_path / "digits.zip", tmp_path / "again")
    assert (again.about, again.ids, again.class_names) == (demo.about, demo.ids, demo.class_names)
    assert again.target.tolist() == demo.target.tolist()
    assert (again.folder / "notes.json").read_text() == "{}"
    assert [again.thumbnail(i) for i in range(50)] == [demo.thumbnail(i) for i in range(50)]
    for layer in demo.layer_names:
        assert again.has_patterns(layer)
        for field in ("label", "probability", "medoid", "exemplar"):
            np.testing.assert_array_equal(getattr(again.patterns(layer), field), getattr(demo.patterns(layer), field))
        np.testing.assert_array_equal(again.activations(layer).values, demo.activations(layer).values)
    assert again.predictions is not None
    assert demo.predictions is not None
    np.testing.assert_array_equal(again.predictions.prediction, demo.predictions.prediction)
    assert has_layout(again, demo.layer_names[0], demo.config, "pca")
    assert contents(again) == contents(demo) | {"notes.json": b"{}"}


def test_the_size_is_known_before(demo: Study, tmp_path: Path) -> None:
    pack_study(demo, tmp_path / "digits.zip")
    assert bundle_size(demo) == pytest.approx((tmp_path / "digits.zip").stat().st_size, rel=0.05)


def test_nothing_of_this_machine_is_in_it(demo: Study, small: Study) -> None:
    for study in (demo, small):
        for name, data in contents(study).items():
            assert str(study.folder).encode() not in data, name
        assert "files" not in json.loads(contents(study)["images.json"])


def test_an_unfinished_study_is_not_packed(small: Study, tmp_path: Path) -> None:
    zipped({name: data for name, data in contents(small).items() if "/" not in name}, tmp_path / "half.zip")
    with zipfile.ZipFile(tmp_path / "half.zip") as archive:
        archive.extractall(tmp_path / "half")
    with pytest.raises(StudyError, match="not finished"):
        pack_study(Study.open(tmp_path / "half"), tmp_path / "x.zip")


def about(change: Callable[[dict[str, Any]], object], file: str = "study.json") -> Callable[[Contents], Contents]:
    def changed(content: Contents) -> Contents:
        facts = json.loads(content[file])
        change(facts)
        return content | {file: json.dumps(facts).encode()}

    return changed


def arrays(values: object, name: str = "values.npy") -> Callable[[Contents], Contents]:
    def changed(content: Contents) -> Contents:
        written = io.BytesIO()
        np.save(written, values, allow_pickle=True)  # type: ignore[arg-type]
        return {n: written.getvalue() if n.endswith(name) else data for n, data in content.items()}

    return changed


def without(part: str) -> Callable[[Contents], Contents]:
    return lambda content: {name: data for name, data in content.items() if part not in name}


def also(name: str, data: bytes = b"x") -> Callable[[Contents], Contents]:
    return lambda content: content | {name: data}


OUTSIDE = "../../" * 8 + "etc"
HARMFUL = {
    "a name outside": also("../study.json"),
    "a name from the root": also("/study.json"),
    "a strange name": also("results/run.py"),
    "an array at the top": also("values.npy"),
    "a pickle": also(f"results/aa/{'a' * 64}/values.pkl"),
    "an unknown folder": also("drafts/study.json"),
    "a key that leads out": about(lambda facts: facts["keys"].update(a=OUTSIDE)),
    "a key that is no text": about(lambda facts: facts["keys"].update(a=7)),
    "another version": about(lambda facts: facts.update(format=99)),
    "no title": about(lambda facts: facts.pop("title")),
    "a title that is no text": about(lambda facts: facts.update(title=["x"])),
    "an impossible clustering": about(lambda facts: facts["config"].update(min_cluster_size=-4)),
    "an unknown parameter": about(lambda facts: facts["config"].update(run="x")),
    "no layers": about(lambda facts: facts.update(layers=[])),
    "files of this machine": about(lambda facts: facts.update(files=[["/etc/passwd", 7]] * 30), "images.json"),
    "fewer ids": about(lambda facts: facts["ids"].pop(), "images.json"),
    "ids twice": about(lambda facts: facts.update(ids=["x"] * 30), "images.json"),
    "a class that is no number": about(lambda facts: facts.update(target=["x"] * 30), "images.json"),
    "no study": without("study.json"),
    "no images": without("images.json"),
    "no results": without("results/"),
    "half a result": without("values.npy"),
    "objects in an array": arrays(np.array([{"x": 1}] * 30, dtype=object)),
    "text instead of an array": lambda content: {n: b"x" if n.endswith(".npy") else d for n, d in content.items()},
    "another number of images": arrays(np.zeros((29, 3), np.float32)),
    "patterns of another study": arrays(np.full(30, 77, np.int32), "medoid.npy"),
    "thumbnails of nothing": also("thumbnails.npy"),
    "json in deep brackets": also("study.json", b"[" * 200_000),
    "json that is none": also("images.json", b"\xff"),
    "notes of another kind": also("notes.json", b'{"x": 1}'),
    "an empty zip": lambda content: {},
}


@pytest.mark.parametrize("case", HARMFUL)
def test_what_is_harmful_or_fits_nothing_is_refused(case: str, small: Study, tmp_path: Path) -> None:
    bad = zipped(HARMFUL[case](contents(small)), tmp_path / "bad.zip")
    with pytest.raises((ArchiveError, StudyError), match=r"bad\.zip"):
        unpack_study(bad, tmp_path / "in" / "study")
    assert not (tmp_path / "in").exists() or not list((tmp_path / "in").iterdir())
    assert [file.name for file in tmp_path.iterdir() if file.name != "in"] == ["bad.zip"]


def test_links_are_refused(small: Study, tmp_path: Path) -> None:
    bad = zipped(without("thumbnails")(contents(small)), tmp_path / "bad.zip")
    entry = zipfile.ZipInfo("thumbnails.npy")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ArchiveError, match="link"):
        unpack_study(bad, tmp_path / "study")


def test_a_thumbnail_that_blows_up_is_refused(demo: Study, tmp_path: Path) -> None:
    from PIL import Image

    large = io.BytesIO()
    Image.new("L", (3000, 3000)).save(large, "JPEG")
    content, data = contents(demo), np.frombuffer(large.getvalue(), np.uint8)
    ends = np.full(demo.n_images, len(data))
    bad = zipped(arrays(ends, "thumbnail_ends.npy")(arrays(data, "thumbnails.npy")(content)), tmp_path / "bad.zip")
    with pytest.raises(StudyError):
        unpack_study(bad, tmp_path / "study")


def test_an_existing_folder_is_left_alone(small: Study, tmp_path: Path) -> None:
    pack_study(small, tmp_path / "s.zip")
    with pytest.raises(StudyError, match="exists already"):
        unpack_study(tmp_path / "s.zip", small.folder)
    assert Study.open(small.folder).is_finished


@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_byte_ends_in_a_study_or_a_sentence(
    place: float, value: int, cut: bool, small: Study, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    pack_study(small, folder / "s.zip")
    data = bytearray((folder / "s.zip").read_bytes())
    at = int(place * len(data))
    if cut:
        del data[at:]
    else:
        data[at] = value
    (folder / "s.zip").write_bytes(data)
    try:
        assert unpack_study(folder / "s.zip", folder / "study").is_finished
    except NapError:
        assert [file.name for file in folder.iterdir()] == ["s.zip"]
