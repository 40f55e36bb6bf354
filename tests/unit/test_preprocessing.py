"""Preprocessing gives torchvision's numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from nap_core.activations.batches import example_batch
from nap_core.errors import ConfigError
from nap_core.inputs.images import load_images
from nap_core.inputs.models import network
from nap_core.inputs.preprocessing import INTERPOLATIONS, Preprocessing
from nap_core.inputs.zoo import MODELS


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


SIZES = [(500, 375), (333, 500), (224, 224), (32, 32), (31, 17), (1, 1), (1, 40), (257, 256), (225, 230)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b3", "regnet_y_16gf", "vit_b_16", "swin_v2_t"])
def test_equals_torchvision(name: str, size: tuple[int, int]) -> None:
    from torchvision import models

    image = picture(*size)
    for published in MODELS[name].weights:
        expected = models.get_model_weights(name)[published.name].transforms()(image).numpy()
        ours = published.preprocessing(image).numpy()
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(20, 31), (10, 10), (51, 8)])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_small_pictures_are_padded_as_torchvision_does(size: tuple[int, int], interpolation: str) -> None:
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    theirs = ImageClassification(crop_size=25, resize_size=13, interpolation=InterpolationMode(interpolation))
    ours = Preprocessing(13, 25, interpolation=interpolation)
    np.testing.assert_allclose(ours.array(picture(*size)), theirs(picture(*size)).numpy(), rtol=0, atol=1e-6)


def test_channels_follow_the_network() -> None:
    grey, colour = picture(9, 9, "L"), picture(9, 9)
    three = Preprocessing(None, None, (0, 0, 0), (1, 1, 1))(grey).numpy()
    assert three.shape == (3, 9, 9)
    assert (three[0] == three[2]).all()
    one = Preprocessing(None, None, (0,), (1,), channels=1)(colour).numpy()
    np.testing.assert_array_equal(one[0], np.asarray(colour.convert("L"), np.float32) / np.float32(255))


def test_large_jpegs_are_decoded_smaller(tmp_path: Path) -> None:
    draw = np.random.default_rng(0).integers(0, 256, (15, 20, 3), np.uint8)
    smooth = Image.fromarray(draw).resize((400, 300), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "large.jpg", quality=95)
    smooth.resize((100, 75)).save(tmp_path / "small.jpg", quality=95)
    images, exact = load_images(tmp_path), Preprocessing(32, 28)
    reduced = replace(exact, reduced=True)
    assert exact.key != reduced.key
    assert (exact.at_least, reduced.at_least) == (None, 64)
    assert images.picture(0, 64).size == (100, 75)
    whole, quick = (example_batch(network(nn.Conv2d(3, 1, 3), way), images, 2) for way in (exact, reduced))
    np.testing.assert_array_equal(whole[1], quick[1])
    assert 0 < float((whole[0] - quick[0]).abs().mean()) < 0.05


def test_every_field_is_in_the_key() -> None:
    base = {"resize": 9, "crop": 8, "mean": (0.1,), "std": (1.0,), "channels": 1, "interpolation": "bilinear"}
    changed = {"resize": 10, "crop": 7, "mean": (0.2,), "std": (2.0,), "interpolation": "bicubic", "reduced": True}
    keys = {Preprocessing(**{**base, name: value}).key for name, value in changed.items()}
    assert len(keys | {Preprocessing(**base).key}) == len(changed) + 1
    assert Preprocessing(9, 8, (0,), (1,), 1).key == Preprocessing(9, 8, (0.0,), (1.0,), 1).key
    assert Preprocessing(9, 8).key != Preprocessing(9, 8, channels=1, mean=(0.5,), std=(0.5,)).key


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 4},
        {"mean": (0.5,)},
        {"std": (0.0, 1.0, 1.0)},
        {"mean": (float("nan"), 0.0, 0.0)},
        {"interpolation": "cubic"},
        {"resize": 0},
        {"crop": 100_000},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Preprocessing(**{"resize": 8, "crop": 8, **wrong})  # type: ignore[arg-type]
