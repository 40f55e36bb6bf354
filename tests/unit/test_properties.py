"""Simple properties of pictures: each is moved alone, and the number has to follow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nap_core.errors import InputError
from nap_core.inputs.demos import demo_images, factors
from nap_core.inputs.properties import PROPERTIES, colour_names, image_properties, measured
from nap_core.study import Study
from nap_core.study.bundle import pack_study, unpack_study
from nap_core.study.properties import (
    keep_metadata,
    kept_metadata,
    pattern_traits,
    picture_properties,
    properties_key,
    property_columns,
)

RNG = np.random.default_rng(0)
GRAIN = RNG.integers(60, 200, (48, 64, 3)).astype(np.uint8)


def value(pixels: np.ndarray, name: str) -> float:
    return dict(zip(PROPERTIES, measured(Image.fromarray(pixels))[0], strict=True))[name]


def framed(pixels: np.ndarray, width: int, tone: int = 0) -> np.ndarray:
    inner = pixels[width : len(pixels) - width, width : pixels.shape[1] - width]
    return np.pad(inner, ((width, width), (width, width), (0, 0)), constant_values=tone)


def test_brightness_and_contrast():
    assert value(np.full((20, 20, 3), 255, np.uint8), "brightness") == pytest.approx(1, abs=1e-4)
    assert value(np.zeros((20, 20, 3), np.uint8), "brightness") == 0
    half = np.zeros((20, 20, 3), np.uint8)
    half[:10] = 255
    assert value(half, "contrast") == pytest.approx(0.5, abs=1e-4)
    assert value(GRAIN // 2, "brightness") < value(GRAIN, "brightness")


def test_saturation_and_colour():
    red = np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 255
    grey = np.full((20, 20, 3), 90, np.uint8)
    assert value(red, "saturation") == 1
    assert value(grey, "saturation") == 0
    turned = [measured(Image.fromarray(np.roll(red, shift, axis=2)))[1] for shift in range(3)]
    assert turned == pytest.approx([0, 120, 240])
    assert colour_names(np.array([*turned, np.nan], np.float32)) == ["red", "green", "blue", "grey"]


def test_edges_corners_and_place():
    plain = np.full((60, 60, 3), 128, np.uint8)
    assert value(plain, "edges") == 0
    marked = plain.copy()
    marked[48:56, 46:54] = 255
    assert value(marked, "corners") > 0.9
    assert value(marked, "x") > 0.75
    assert value(marked, "y") > 0.75
    assert value(marked, "spread") < 0.15
    assert value(np.flip(marked, 1), "x") == pytest.approx(1 - value(marked, "x"), abs=1e-5)


@pytest.mark.parametrize("tone", [0, 128, 255])
@pytest.mark.parametrize("width", [3, 8])
def test_a_frame_is_measured(width, tone):
    assert value(framed(GRAIN, width, tone), "border") == pytest.approx(width / 48, abs=0.01)


def test_bars_above_and_below_are_a_frame():
    barred = GRAIN.copy()
    barred[:6] = barred[-6:] = 0
    assert value(barred, "border") == pytest.approx(6 / 48, abs=0.01)


def test_content_on_a_plain_ground_is_no_frame():
    ground = np.full((64, 64, 3), 240, np.uint8)
    rows, columns = np.mgrid[:64, :64]
    ground[(rows - 32) ** 2 + (columns - 32) ** 2 < 18**2] = 30
    assert value(ground, "border") == 0
    assert value(GRAIN, "border") == 0


def test_size_of_the_file_does_not_matter():
    blocks = np.kron(RNG.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    larger = np.kron(blocks, np.ones((4, 4, 1))).astype(np.uint8)
    a, b = measured(Image.fromarray(blocks)), measured(Image.fromarray(larger))
    np.testing.assert_allclose(a[0], b[0], atol=0.01)
    assert (a[2] ^ b[2]).bit_count() <= 6


def test_nearly_the_same_picture_has_nearly_the_same_hash():
    smooth = np.asarray(Image.fromarray(RNG.integers(0, 256, (6, 6, 3)).astype(np.uint8)).resize((96, 96)))
    packed = io.BytesIO()
    Image.fromarray(smooth).save(packed, "JPEG", quality=60)
    again = np.asarray(Image.open(packed))
    lighter = np.clip(smooth.astype(int) + 12, 0, 255).astype(np.uint8)
    own = measured(Image.fromarray(smooth))[2]
    for other in (again, lighter):
        assert (own ^ measured(Image.fromarray(other))[2]).bit_count() <= 4
    assert (own ^ measured(Image.fromarray(np.rot90(smooth)))[2]).bit_count() > 10


def test_every_kind_of_picture_is_read():
    packed = io.BytesIO()
    Image.fromarray(GRAIN).save(packed, "PNG")
    given = [packed.getvalue(), GRAIN, GRAIN[..., 0], np.zeros((1, 1), np.uint8)]
    seen = []
    found = image_properties(given.__getitem__, len(given), progress=lambda done, n: seen.append((done, n)))
    assert seen[-1] == (4, 4)
    assert all(np.isfinite(values).all() for values in found.values.values())
    assert found.values["brightness"][0] == found.values["brightness"][1]
    assert found.values["aspect"].tolist() == pytest.approx([64 / 48, 64 / 48, 64 / 48, 1])
    assert found.small.shape == (4, 32, 32, 3)
    assert found.colour[2:] == ["grey", "grey"]


def test_no_picture():
    found = image_properties(lambda image: b"", 0)
    assert found.small.shape == (0, 32, 32, 3)
    assert set(found.values) == set(PROPERTIES)


def test_what_the_shapes_demo_planted_is_measured():
    images, true = demo_images("shapes"), factors("shapes")
    found = image_properties(lambda i: np.asarray(images.picture(i)), 300)
    is_red, looks_red = true["colour"][:300] == 0, np.array(found.colour) == "red"
    assert looks_red[is_red].mean() > 4 * looks_red[~is_red].mean()  # the ground has a colour of its own
    watermark = true["watermark"][:300] == 1
    corner = found.small[:, 24:, 24:].astype(float).std(axis=(1, 2, 3))
    assert np.median(corner[watermark]) > np.median(corner[~watermark])


def test_a_study_measures_its_pictures_once():
    study = Study.demo("digits")
    first = picture_properties(study)
    assert study.store.get(properties_key(study)) is not None
    asked: list[int] = []
    again = picture_properties(study, progress=lambda done, n: asked.append(done))
    assert not asked
    np.testing.assert_array_equal(first.fingerprint, again.fingerprint)
    assert len(first.hue) == study.n_images


def test_columns_of_a_study_say_what_its_patterns_share():
    study, true = Study.demo("shapes"), factors("shapes")
    columns = property_columns(study)
    assert {"brightness", "main colour", "the model's confidence"} <= set(columns)
    assert all(len(values) == study.n_images for values in columns.values())
    patterns = study.patterns("features")
    stars = int(np.bincount(patterns.label[(true["watermark"] == 1) & (patterns.label >= 0)]).argmax())
    found = [trait for trait in pattern_traits(study, "features") if trait.pattern == stars]
    assert found[0].words.startswith("busier in the corners than 9")
    planted = {"ring": np.where(true["watermark"] == 1, "yes", "no")}
    with_table = [trait for trait in pattern_traits(study, "features", metadata=planted) if trait.pattern == stars]
    assert (with_table[0].name, with_table[0].category) == ("ring", "yes")


def test_a_table_is_kept_with_its_study(tmp_path):
    values = RNG.normal(size=(30, 4)).astype(np.float32)
    study = Study.from_activations(tmp_path / "s", {"a": values}, ids=[f"{i}.png" for i in range(30)])
    assert kept_metadata(study) == {}
    keep_metadata(study, b"file,age\n3.png,7\n")
    assert kept_metadata(study)["age"][3] == 7
    study.cluster()
    pack_study(study, tmp_path / "s.zip")
    again = unpack_study(tmp_path / "s.zip", tmp_path / "again")
    assert kept_metadata(again)["age"][3] == 7
    keep_metadata(study, b"")
    assert kept_metadata(study) == {}


def test_a_study_without_pictures_says_so(tmp_path):
    study = Study.from_activations(tmp_path / "s", {"a": RNG.normal(size=(30, 4)).astype(np.float32)})
    with pytest.raises(InputError, match="came without pictures"):
        picture_properties(study)
