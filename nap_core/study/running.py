"""What a run will cost, before it begins, and how far a run is that was stopped.

The pass through the network is rehearsed (`nap_core.activations.extract.forecast`), and so is the making of thumbnails.
Grouping is not: its cost follows from the numbers of images and features, by constants that were measured once, times
how much slower this machine is now than the one they were measured on, which a short loop tells.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nap_core.configs import ClusterConfig
from nap_core.study.folder import THUMBNAIL
from nap_core.study.study import Study
from nap_core.types import LayerInfo

if TYPE_CHECKING:
    from nap_core.inputs.image_set import ImageSet
    from nap_core.inputs.models import Network

_LOOP_SECONDS = 0.06  # of `_slowness`, on the idle core on which the constants below were measured
_UMAP_START, _HDBSCAN_START = 6.0, 2.0  # once per process: imports, and compiled parts
_LAYER_SECONDS, _UMAP_SECONDS = 0.1, 0.9e-3  # per layer; per image
_PAIR_SECONDS = 4e-11  # per pair of images and feature, where every distance is taken
_BATCH, _OUTPUTS_ALIVE, _PASS_BYTES = 32, 2, 100e6  # of a run: images, largest outputs held at once, its own code
_UMAP_BYTES, _HDBSCAN_BYTES, _COPIES = 250e6, 60e6, 4  # of their code; of a layer's table while it is grouped
_BYTES_PER_RESULT, _BYTES_PER_IMAGE = 90, 150  # per image and layer: patterns; per image: names and predictions


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was measured on a few images, per image."""

    thumbnail_seconds: float
    thumbnail_bytes: float
    pass_seconds: float
    slowness: float  # this machine now, times the one that the constants are of


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run will cost."""

    thumbnail_seconds: float
    pass_seconds: float
    group_seconds: float
    stored_bytes: int  # activations, patterns, thumbnails
    memory_bytes: int  # beside what the process holds before

    @property
    def seconds(self) -> float:
        """All steps together."""
        return self.thumbnail_seconds + self.pass_seconds + self.group_seconds


def rehearse(
    network: Network, images: ImageSet, layers: Sequence[LayerInfo], pooling: str, precision: str = "float32"
) -> Rehearsal:
    """Take a few seconds to find out how long the steps of a run take; nothing is stored."""
    from nap_core.activations.extract import forecast

    seconds, n_bytes = _thumbnails(images)
    passing = forecast(network, images, layers, pooling, precision=precision).seconds / len(images)
    return Rehearsal(seconds, n_bytes, passing, _slowness())


def costs(
    rehearsed: Rehearsal,
    n_images: int,
    layers: Sequence[LayerInfo],
    pooling: str,
    config: ClusterConfig,
    known: Sequence[LayerInfo] = (),
) -> Costs:
    """Forecast a run over `n_images` for `layers`; `known` are all layers of the model, for the memory of a pass."""
    from nap_core.activations.pooling import n_features

    features = [n_features(layer.output_shape, layer.kind, pooling) for layer in layers]
    per_image = 4 * sum(features) + rehearsed.thumbnail_bytes + _BYTES_PER_IMAGE + _BYTES_PER_RESULT * len(layers)
    return Costs(
        thumbnail_seconds=rehearsed.thumbnail_seconds * n_images,
        pass_seconds=rehearsed.pass_seconds * n_images,
        group_seconds=rehearsed.slowness * group_seconds(n_images, features, config),
        stored_bytes=int(n_images * per_image),
        memory_bytes=_memory(n_images, features, config, known or layers),
    )


def _memory(n_images: int, features: Sequence[int], config: ClusterConfig, known: Sequence[LayerInfo]) -> int:
    """Return what a pass and the grouping of the widest layer take; little of the first is free for the second."""
    largest = max(math.prod(layer.output_shape) for layer in known)
    passing = _PASS_BYTES + 4 * _BATCH * _OUTPUTS_ALIVE * largest
    return int(passing + _start(config, _UMAP_BYTES, _HDBSCAN_BYTES) + 4 * _COPIES * n_images * max(features))


def _start(config: ClusterConfig, umap: float, hdbscan: float) -> float:
    """Return what is paid once per process for the packages that `config` needs, if they are not there yet."""
    if config.reduction == "umap" and "umap" not in sys.modules:
        return umap
    return 0.0 if "hdbscan" in sys.modules else hdbscan


def group_seconds(n_images: int, features: Sequence[int], config: ClusterConfig) -> float:
    """Return the seconds that grouping takes on the machine of the constants, for layers of so many features."""
    start = _start(config, _UMAP_START, _HDBSCAN_START)
    if config.reduction != "umap":
        width = [config.n_components if config.reduction == "pca" else d for d in features]
        return start + sum(_LAYER_SECONDS + _PAIR_SECONDS * n_images**2 * (200 + d) for d in width)
    return start + sum(_LAYER_SECONDS + _UMAP_SECONDS * n_images * (1 + d / 3000) for d in features)


def _slowness() -> float:
    began = time.perf_counter()
    sum(i * i % 7 for i in range(1_500_000))
    return (time.perf_counter() - began) / _LOOP_SECONDS


def _thumbnails(images: ImageSet, n: int = 12) -> tuple[float, float]:
    """Return seconds and bytes per thumbnail, from a few of all over the set."""
    from nap_core.inputs.images import thumbnail

    seconds, sizes = [], []
    for image in np.random.default_rng(0).permutation(len(images))[:n]:
        began = time.perf_counter()
        sizes.append(len(thumbnail(images.picture(int(image), at_least=THUMBNAIL), THUMBNAIL)))
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)), float(np.mean(sizes))  # the first picture pays for what is loaded once


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a run is."""

    n_images: int
    n_done: int  # images that have passed the model for all layers chosen
    n_layers: int
    n_grouped: int  # layers that have patterns


def run_state(study: Study) -> RunState:
    """Read from the disk how far the run of a study is."""
    keys = [study.about["keys"][name] for name in study.layer_names]
    done = [
        study.n_images if study.store.path(key).is_dir() else int(study.store.draft(key).state.get("n_done", 0))
        for key in keys
    ]
    grouped = sum(study.has_patterns(name) or name in study.problems for name in study.layer_names)
    return RunState(study.n_images, min(done), len(keys), grouped)
