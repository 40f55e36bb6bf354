"""Sets of images: what is in, in which order, and what could not be read."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nap_core.errors import ArchiveError, InputError
from nap_core.inputs import pictures
from nap_core.inputs.images import images_from_arrays, load_images
from nap_core.types import NOISE
from tests.drawn import COLOUR, save


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "bmp"])
def test_truncated_files_are_skipped_by_name(tmp_path: Path, ending: str) -> None:
    save(tmp_path / "good.png")
    cut(save(tmp_path / f"bad.{ending}", Image.fromarray(COLOUR).resize((300, 200))), 0.6)
    images = load_images(tmp_path)
    assert images.ids == ("good.png",)
    assert [one.name for one in images.skipped] == [f"bad.{ending}"]
    assert images.skipped[0].reason


def test_200_megapixels_are_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "good.png")
    save(tmp_path / "huge.png", Image.new("1", (20_000, 10_000)))
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"huge\.png.*more than 100 megapixels"):
        load_images(tmp_path / "huge.png")
    monkeypatch.undo()
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1000)
    save(tmp_path / "large.png", Image.new("1", (40, 30)))
    skipped = {one.name: one.reason for one in load_images(tmp_path).skipped}
    assert "megapixels" in skipped["huge.png"]
    assert "40 × 30" in skipped["large.png"]


def test_an_iphone_picture_is_told(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    assert [one.name for one in load_images(tmp_path).skipped] == ["b.HEIC"]


def test_eps_never_starts_a_program(tmp_path: Path) -> None:
    (tmp_path / "a.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    with pytest.raises(InputError, match=r"a\.eps.*not a picture of a known kind"):
        load_images(tmp_path)


def test_text_hidden_and_macos_files_are_passed_over(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "__MACOSX" / "b.png")
    save(tmp_path / ".git" / "c.png")
    (tmp_path / "._a.png").write_bytes(b"resource fork")
    for name in ("notes.txt", "labels.csv", "README.md"):
        (tmp_path / name).write_text("text")
    images = load_images(tmp_path)
    assert (images.ids, images.skipped) == (("a.png",), ())


def test_no_readable_image_names_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        load_images(tmp_path)
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(InputError, match="and no picture"):
        load_images(tmp_path)
    (tmp_path / "b.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"b\.jpg.*not a picture"):
        load_images(tmp_path)
    with pytest.raises(InputError, match="no file or folder"):
        load_images(tmp_path / "missing")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_in_a_circle_and_a_link_to_nowhere(tmp_path: Path) -> None:
    save(tmp_path / "d" / "a.png")
    (tmp_path / "d" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    images = load_images(tmp_path)
    assert images.ids == ("d/a.png",)
    assert [one.name for one in images.skipped] == ["gone.png"]


def test_a_file_that_vanished_is_an_error_with_its_name(tmp_path: Path) -> None:
    images = load_images(save(tmp_path / "a.png"))
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png.*no such file"):
        images.picture(0)


def test_ids_are_natural_order_and_same_names_stay_apart(tmp_path: Path) -> None:
    for name in ("cat/10.png", "cat/2.png", "dog/2.png", "cat 2/1.png"):
        save(tmp_path / name, len(name))
    images = load_images(tmp_path)
    assert images.ids == ("cat/2.png", "cat/10.png", "cat 2/1.png", "dog/2.png")
    assert images.class_names == ("cat", "cat 2", "dog")
    assert images.target.tolist() == [0, 0, 1, 2]
    assert images.file(3) == tmp_path / "dog" / "2.png"


def test_classes_are_numbered_as_imagefolder_does(tmp_path: Path) -> None:
    for name in ("1", "2", "10", "B", "a"):
        save(tmp_path / name / "x.png")
    assert load_images(tmp_path).class_names == ("1", "10", "2", "B", "a")


def test_a_folder_of_damaged_pictures_keeps_its_class_number(tmp_path: Path) -> None:
    for name in ("a", "c"):
        save(tmp_path / name / "x.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.png").write_bytes(b"?")
    images = load_images(tmp_path)
    assert (images.class_names, images.target.tolist()) == (("a", "b", "c"), [0, 2])


def test_pictures_in_one_folder_have_no_class(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    save(tmp_path / "more" / "c.png")
    images = load_images(tmp_path)
    assert (images.class_names, images.target.tolist()) == ((), [NOISE] * 3)


def test_classes_from_a_table(tmp_path: Path) -> None:
    for name in ("p/a.png", "p/b.png", "q/a.png", "q/c.png"):
        save(tmp_path / "set" / name)
    table = tmp_path / "classes.csv"
    table.write_text("id,target\np/a.png,cat\nq/a.png,dog\nb,dog\n")
    images = load_images(tmp_path / "set", classes=table)
    assert (images.class_names, images.target.tolist()) == (("cat", "dog"), [0, 1, 1, NOISE])
    table.write_text("File;Label\np/b.png;cat\n")
    assert load_images(tmp_path / "set", classes=table).target.tolist() == [NOISE, 0, NOISE, NOISE]
    table.write_text("file,colour\n")
    with pytest.raises(InputError, match="'id' and 'target'"):
        load_images(tmp_path / "set", classes=table)
    table.write_text("id,target\nzebra,1\n")
    with pytest.raises(InputError, match="zebra"):
        load_images(tmp_path / "set", classes=table)


def test_numbers_in_a_table_stay_numbers(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a.png")
    table = tmp_path / "classes.csv"
    table.write_text("id,target\na.png,7\n")
    images = load_images(tmp_path / "set", classes=table)
    assert (images.class_names, images.target.tolist()) == ((), [7])


def test_fingerprint_is_the_content(tmp_path: Path) -> None:
    for root in ("one", "two"):
        for i in range(4):
            save(tmp_path / root / f"{i}.png", i)
    one, two = load_images(tmp_path / "one"), load_images(tmp_path / "two")
    assert one.fingerprint == two.fingerprint
    assert one.subset([0, 1]).fingerprint != one.fingerprint
    assert one.subset([1, 0]).fingerprint != one.subset([0, 1]).fingerprint
    save(tmp_path / "two" / "3.png", 99)
    assert load_images(tmp_path / "two").fingerprint != one.fingerprint
    assert load_images([tmp_path / "one" / f"{i}.png" for i in range(4)]).fingerprint == one.fingerprint


def test_limited_is_stratified_seeded_and_keeps_order() -> None:
    target = np.repeat([0, 1, 2], [60, 30, 10])
    images = images_from_arrays(np.zeros((100, 4, 4), np.uint8), target)
    few = images.limited(20, seed=3)
    assert np.bincount(few.target).tolist() == [12, 6, 2]
    assert list(few.ids) == sorted(few.ids)
    assert few.ids == images.limited(20, seed=3).ids != images.limited(20, seed=4).ids
    assert images.limited(500) is images


def test_progress_counts_and_can_stop(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"{i}.png")
    seen: list[tuple[int, int]] = []
    load_images(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(1, 6)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_images(tmp_path, progress=stop)


def test_weights_belong_under_the_model(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    torch.save({"fc.weight": torch.zeros(2, 3)}, weights)
    with pytest.raises(InputError, match=r"'weights\.pth' holds a network's weights; it belongs under the model"):
        load_images(weights)
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(weights, "weights.pth")
    with pytest.raises(InputError, match="holds 1 file and no picture"):
        load_images(packed, unpacked=tmp_path)


def test_a_list_of_files(tmp_path: Path) -> None:
    files = [save(tmp_path / name) for name in ("b.png", "a.png")]
    (tmp_path / "notes.txt").write_text("text")
    images = load_images([*files, files[0], tmp_path / "notes.txt"])
    assert images.ids == ("a.png", "b.png")
    assert [one.name for one in images.skipped] == ["notes.txt"]  # who names a file wants to know
    with pytest.raises(InputError, match=r"missing\.png"):
        load_images([tmp_path / "missing.png"])
    with pytest.raises(InputError, match="No file was given"):
        load_images([])


def test_a_zip_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAP_CACHE", str(tmp_path / "cache"))
    for name in ("cat/1.png", "dog/1.png"):
        save(tmp_path / "set" / name, len(name))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in (tmp_path / "set").rglob("*.png"):
            archive.write(file, file.relative_to(tmp_path))
        archive.writestr("__MACOSX/set/._1.png", b"resource fork")
    zipped, folder = load_images(tmp_path / "set.zip"), load_images(tmp_path / "set")
    assert zipped.ids == folder.ids == ("cat/1.png", "dog/1.png")
    assert zipped.class_names == ("cat", "dog")
    assert zipped.fingerprint == folder.fingerprint == load_images([tmp_path / "set.zip"]).fingerprint
    assert len(list((tmp_path / "cache" / "uploads").iterdir())) == 1
    with pytest.raises(InputError, match="set of its own"):
        load_images([tmp_path / "set.zip", tmp_path / "set" / "cat" / "1.png"])


def test_other_archives_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    for mode, name in (("w", "a.tar"), ("w:gz", "a.tar.gz")):
        with tarfile.open(tmp_path / name, mode) as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "a.png", "a.png")
        with pytest.raises(ArchiveError, match="only zip"):
            load_images(tmp_path / name)


def test_published_idx_and_photos(shared_data: Path) -> None:
    fashion = load_images(shared_data / "arrays" / "fashion_t10k-images-idx3-ubyte.gz")
    assert len(fashion) == 10_000
    assert np.bincount(fashion.target).tolist() == [1000] * 10
    photos = load_images(shared_data / "images" / "imagenet_multi")
    assert (len(photos), len(photos.class_names), photos.skipped) == (1206, 157, ())


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("nap_core.inputs.images.kind_of_array", denied)
    with pytest.raises(InputError, match=r"a\.png' cannot be read: Permission denied"):
        load_images(save(tmp_path / "a.png"))
    with pytest.raises(InputError, match="No file or folder was named"):
        load_images(" ")
