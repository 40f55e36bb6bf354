"""What the methods are measured on: layers whose images have a known truth, and why some are missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nap_core.study import Study
from tests.benchmarks.planted import among_background, planted, structureless

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PHOTO_LAYERS = ("features.6", "features.13", "features.17", "features.18", "classifier")


@dataclass(frozen=True)
class Case:
    """One layer and what is true of its images."""

    data: str
    layer: str
    truth: str  # what the groups of `target` are
    values: NDArray[np.float32]  # [image, feature] raw pooled activations
    target: NDArray[np.int32]  # [image] group, NOISE for none


def planted_cases() -> Iterator[Case]:
    for n_units, n_groups, background in (
        (64, 10, 0.1),
        (256, 30, 0.1),
        (128, 30, 0.2),
        (512, 60, 0.1),
        (2048, 100, 0.1),
    ):
        made = planted(n_units, n_groups, background=background)
        yield Case("planted", f"{n_units} units", f"{n_groups} groups", made.values, made.target)
    for n_units in (3, 256):
        made = structureless(n_units)
        yield Case("planted", f"{n_units} units", "nothing", made.values, made.target)


def background_cases() -> Iterator[Case]:
    """Clear groups in a background that takes a tenth, or four tenths, of the images."""
    for n_units, n_groups in ((64, 10), (512, 30)):
        for kind in ("even", "normal"):
            for among in (0.1, 0.4):
                made = among_background(n_units, n_groups, among, kind)
                yield Case("background", f"{n_units} units", made.name, made.values, made.target)


def demo_cases() -> Iterator[Case]:
    from nap_core.inputs.demos import factors

    for name, layer, factor in (
        ("shapes", "stage1", "colour"),
        ("shapes", "stage4", "shape"),
        ("shapes", "features", "shape"),
        ("digits", "stage2", "digit"),
        ("digits", "stage3", "digit"),
        ("digits", "features", "digit"),
        ("digits", "logits", "digit"),
    ):
        yield Case(name, layer, factor, Study.demo(name).activations(layer).values, factors(name)[factor])


def dense_cases() -> Iterator[Case]:
    """The hidden layers of a ReLU network 64–32 that saw the digits 0 to 7 only."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    found = load_digits()
    values, digit = found.data / 16, found.target.astype(np.int32)
    seen = (digit < 8) & (np.arange(len(digit)) % 2 == 0)
    network = MLPClassifier((64, 32), random_state=0, max_iter=300).fit(values[seen], digit[seen])
    for layer in range(2):
        values = np.maximum(values @ network.coefs_[layer] + network.intercepts_[layer], 0)
        yield Case("digits, dense", f"hidden {layer + 1}", "digit", values.astype(np.float32), digit)


def photo_cases() -> Iterator[Case]:
    """MobileNetV2 on photos of 157 classes; the first run extracts, later ones read."""
    study = photo_study("imagenet_multi")
    for layer in study.layer_names:
        yield Case("photos", layer, "157 classes", study.activations(layer).values, study.target)


def photo_study(folder: str, layers: tuple[str, ...] = PHOTO_LAYERS) -> Study:
    """Open, and on the first time make, the study of one of the folders of real pictures."""
    from nap_core.activations.extract import network_layers
    from nap_core.inputs.images import load_images
    from nap_core.inputs.models import load_model
    from nap_core.store import cache_folder

    network = load_model(weights=SHARED / "models" / "mobilenet_v2_a_fp16.safetensors")
    images = load_images(SHARED / "images" / folder)
    chosen = [layer for layer in network_layers(network, images) if layer.name in layers]
    study = Study.create(cache_folder() / "benchmarks" / folder, network, images, chosen)
    study.extract(network, images)
    return study


SOURCES: dict[str, Callable[[], Iterator[Case]]] = {
    "planted": planted_cases,
    "background": background_cases,
    "demos": demo_cases,
    "dense": dense_cases,
    "photos": photo_cases,
}


def cases(names: list[str]) -> Iterator[Case]:
    """Go through the named sources, saying which cannot be had."""
    for name in names or list(SOURCES):
        if name == "photos" and not SHARED.is_dir():
            print(
                f"photos: skipped, because the folder of real weights and pictures is not at {os.path.relpath(SHARED)}"
            )
            continue
        yield from SOURCES[name]()
