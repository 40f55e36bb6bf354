"""Pictures of every kind in, one kind out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nap_core.inputs.images import load_images, thumbnail
from tests.drawn import COLOUR, RAMP, save


def only(path: Path) -> Image.Image:
    return load_images(path).picture(0)


def test_grey_stays_grey(tmp_path: Path) -> None:
    picture = only(save(tmp_path / "a.png", Image.fromarray(RAMP)))
    assert picture.mode == "L"
    assert np.array_equal(np.asarray(picture), RAMP)


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    picture = only(save(tmp_path / "a.png", Image.fromarray(RAMP > 100)))
    assert picture.mode == "L"
    assert set(np.unique(np.asarray(picture))) == {0, 255}


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_is_scaled_not_cut(tmp_path: Path, ending: str) -> None:
    wide = RAMP.astype(np.uint16) * 257
    picture = only(save(tmp_path / f"a.{ending}", Image.fromarray(wide)))
    assert picture.mode == "L"
    assert np.array_equal(np.asarray(picture), RAMP)


def test_32_bit_and_float_are_scaled(tmp_path: Path) -> None:
    whole = only(save(tmp_path / "i.tif", Image.fromarray(RAMP.astype(np.int32) * 257)))
    unit = only(save(tmp_path / "f.tif", Image.fromarray(RAMP.astype(np.float32) / 255)))
    far = only(save(tmp_path / "far.tif", Image.fromarray(RAMP.astype(np.float32) * 10 - 1000)))
    assert all(np.array_equal(np.asarray(picture), RAMP) for picture in (whole, unit, far))


def test_a_float_picture_with_nan_is_read(tmp_path: Path) -> None:
    values = np.full((4, 4), 0.5, np.float32)
    values[0, 0] = np.nan
    assert np.asarray(only(save(tmp_path / "a.tif", Image.fromarray(values)))).tolist()[0] == [0, 128, 128, 128]


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (10, 20, 30, 255)
    picture = only(save(tmp_path / "a.png", Image.fromarray(rgba)))
    assert picture.mode == "RGB"
    assert np.asarray(picture).tolist() == [[[10, 20, 30], [255] * 3], [[255] * 3, [255] * 3]]


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    picture = only(save(tmp_path / "a.png", Image.new("LA", (3, 3), (9, 0))))
    assert (picture.mode, picture.getpixel((0, 0))) == ("L", 255)


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    palette.putpixel((0, 0), 0)
    picture = only(save(tmp_path / "a.png", palette, transparency=0))
    assert (picture.mode, picture.getpixel((0, 0)), picture.getpixel((1, 1))) == ("RGB", (255, 255, 255), (200, 0, 0))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = only(save(tmp_path / "a.jpg", red, quality=95))
    r, g, b = picture.getpixel((5, 5))  # type: ignore[misc]
    assert picture.mode == "RGB"
    assert r > 240
    assert max(g, b) < 15


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(tmp_path: Path, orientation: int) -> None:
    turned = Image.fromarray(COLOUR)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = only(save(tmp_path / "a.png", turned, exif=exif))
    assert picture.size == ((48, 32) if orientation < 5 else (32, 48))
    expected = {1: COLOUR, 3: COLOUR[::-1, ::-1], 6: np.rot90(COLOUR, -1), 8: np.rot90(COLOUR)}
    if orientation in expected:
        assert np.array_equal(np.asarray(picture), expected[orientation])
    assert 0x0112 not in picture.getexif()


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_first_frame_of_an_animation(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    r, g, b = only(tmp_path / f"a.{ending}").getpixel((4, 4))  # type: ignore[misc]
    assert r > 200
    assert max(g, b) < 50


def test_content_counts_not_the_ending(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", 3, format="PNG")
    save(tmp_path / "b", 4, format="PNG")
    (tmp_path / "c.png").write_text("not a picture")
    images = load_images(tmp_path)
    assert images.ids == ("a.jpg", "b")
    assert [one.name for one in images.skipped] == ["c.png"]


def test_at_least_decodes_a_large_jpeg_smaller(tmp_path: Path) -> None:
    images = load_images(save(tmp_path / "a.jpg", Image.new("RGB", (800, 640))))
    assert images.picture(0).size == (800, 640)
    assert images.picture(0, at_least=100).size == (200, 160)  # a fourth: an eighth would have 80 pixels on one side
    assert images.picture(0, at_least=700).size == (800, 640)


def test_thumbnails() -> None:
    def size(shape: tuple[int, int]) -> tuple[int, int]:
        return Image.open(io.BytesIO(thumbnail(Image.new("RGB", shape), 96))).size

    assert size((800, 400)) == (96, 48)
    assert size((28, 28)) == (84, 84)
    assert size((60, 50)) == (60, 50)
    assert size((2000, 1)) == (96, 1)
    digit = Image.fromarray(((np.indices((8, 8)).sum(0) % 2) * 255).astype(np.uint8))
    large = np.asarray(Image.open(io.BytesIO(thumbnail(digit, 96))))
    assert ((large < 40) | (large > 215)).mean() > 0.9  # the pixels stay squares
