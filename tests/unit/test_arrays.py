"""Pictures that come as one array."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from nap_core.errors import InputError, UnsafeFileError
from nap_core.inputs.images import images_from_arrays, load_images

RAMP = np.linspace(0, 255, 48 * 32).reshape(32, 48).astype(np.uint8)
COLOUR = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)


def test_npz_with_everything(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=COLOUR[None].repeat(3, 0), labels=[2, 0, 1], class_names=["x", "y", "z"])
    images = load_images(tmp_path / "a.npz")
    assert images.ids == ("00000", "00001", "00002")
    assert (images.target.tolist(), images.class_names) == ([2, 0, 1], ("x", "y", "z"))
    assert np.array_equal(np.asarray(images.picture(1)), COLOUR)
    assert images.file(0) is None


def test_npz_names_of_classes_and_own_ids(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=RAMP[None].repeat(2, 0), targets=["dog", "cat"], ids=["p", "q"])
    images = load_images(tmp_path / "a.npz")
    assert (images.ids, images.target.tolist(), images.class_names) == (("p", "q"), [1, 0], ("cat", "dog"))
    assert images.picture(0).mode == "L"


def test_npz_without_pictures_or_with_objects(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=np.zeros(4))
    with pytest.raises(InputError, match=r"weights \[4\]"):
        load_images(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=np.array([[[print]]], dtype=object))
    with pytest.raises(UnsafeFileError, match="run code"):
        load_images(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", images=COLOUR[None])
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes().replace(b"\x93NUMPY", b"\x93NUMPX"))
    with pytest.raises(InputError, match="damaged"):
        load_images(tmp_path / "c.npz")


def test_arrays_of_any_kind() -> None:
    grey = RAMP[None]
    for array in (grey, grey[..., None], grey[:, None], grey / np.float32(255), grey.astype(np.int64)):
        assert np.array_equal(np.asarray(images_from_arrays(array).picture(0)), RAMP)
    assert np.array_equal(np.asarray(images_from_arrays(grey.astype(np.uint16) * 257).picture(0)), RAMP)
    assert np.asarray(images_from_arrays(grey > 100).picture(0)).max() == 255
    channels_first = np.moveaxis(COLOUR, -1, 0)[None]
    assert np.array_equal(np.asarray(images_from_arrays(channels_first).picture(0)), COLOUR)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((5, 5)), "shape"),
        (np.zeros((0, 5, 5)), "shape"),
        (np.zeros((2, 5, 5, 7), np.uint8), "shape"),
        (np.full((2, 5, 5), 16.0), "0 … 1"),
        (np.full((2, 5, 5), np.nan), "0 … 1"),
        (np.full((2, 5, 5), -1), "0 … 255"),
        (np.full((2, 5, 5), 1j), "complex"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        images_from_arrays(array)


def test_arrays_whose_lengths_disagree() -> None:
    with pytest.raises(InputError, match="one target per picture"):
        images_from_arrays(np.zeros((3, 4, 4), np.uint8), [1, 2])
    with pytest.raises(InputError, match="different"):
        images_from_arrays(np.zeros((3, 4, 4), np.uint8), ids=["a", "a", "b"])


def test_idx_with_labels_beside_it(tmp_path: Path) -> None:
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8)
    (tmp_path / "t-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4) + pixels.tobytes())
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 2) + bytes([4, 9]))
    images = load_images(tmp_path / "t-images-idx3-ubyte")
    assert (images.ids, images.target.tolist()) == (("t/00000", "t/00001"), [4, 9])
    assert np.array_equal(np.asarray(images.picture(1)), pixels[12:].reshape(3, 4))
    assert load_images(sorted(tmp_path.iterdir())).fingerprint == images.fingerprint
    with pytest.raises(InputError, match="holds the labels"):
        load_images(tmp_path / "t-labels-idx1-ubyte")
    with pytest.raises(InputError, match="t-images-idx3-ubyte"):
        load_images(tmp_path)
    (tmp_path / "t-images-idx3-ubyte").write_bytes((tmp_path / "t-images-idx3-ubyte").read_bytes()[:30])
    with pytest.raises(InputError, match="cut off"):
        load_images(tmp_path / "t-images-idx3-ubyte")
