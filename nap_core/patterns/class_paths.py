"""Where the images of a class are split over patterns, and where they come together, layer by layer.

A class of which a third each lies in three patterns is spread over three; where one pattern holds most and the rest are
stragglers, it is spread over little more than one. The number that behaves like this is the exponential of the entropy
of the class's distribution over patterns. Images in no pattern are told apart: they are not spread, they are not there.

References
----------
Hill: Diversity and evenness: a unifying notation and its consequences. Ecology 54 (1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nap_core.patterns.agreement import class_counts
from nap_core.types import NOISE, Float, Int, Patterns, frozen_array

TOGETHER = 0.8
"""Share of a class's images that one pattern must hold for the class to be together there."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassPaths:
    """How every class lies in the patterns of every layer; 0, or `NOISE`, where all its images are noise."""

    layers: tuple[str, ...]
    n_images: Int  # [class]
    n_spread: Float  # [layer, class] effective number of patterns its members are spread over, from 1
    noise_share: Float  # [layer, class] of its images, in [0, 1]
    main: Int  # [layer, class] the pattern that holds most of its images
    main_share: Float  # [layer, class] share of its images, noise included, that are there
    main_purity: Float  # [layer, class] share of that pattern's images of known class that are of this class

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_images", frozen_array(self.n_images, np.int32))
        object.__setattr__(self, "main", frozen_array(self.main, np.int32, 2))
        for name in ("n_spread", "noise_share", "main_share", "main_purity"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32, 2))
            assert getattr(self, name).shape == self.main.shape == (len(self.layers), len(self.n_images))


def class_paths(chain: Sequence[Patterns], target: Int) -> ClassPaths:
    """Return how the classes lie in the patterns of some layers.

    Parameters
    ----------
    target
        [image] class of each image, or `NOISE`.
    """
    n_classes = int(target.max(initial=NOISE)) + 1
    tables = [class_counts(p.label, target, p.n_patterns, n_classes)[:, :n_classes] for p in chain]
    rows = [_row(table[:-1], table[-1]) for table in tables]
    columns = (np.stack(column) for column in zip(*rows, strict=True))
    n_images = np.bincount(target[target != NOISE], minlength=n_classes)
    return ClassPaths(tuple(p.layer for p in chain), n_images.astype(np.int32), *columns)


def _row(table: NDArray[np.int64], noise: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Return one layer's figures, each [class], of its counts [pattern, class] and [class]."""
    inside, n = table.sum(axis=0), np.maximum(table.sum(axis=0) + noise, 1)
    if not len(table):
        zero = np.zeros(len(noise))
        return zero, noise / n, zero + NOISE, zero, zero
    share = table / np.maximum(inside, 1)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=0)
    main, each = table.argmax(axis=0), np.arange(table.shape[1])
    held = table[main, each]
    purity = held / np.maximum(table.sum(axis=1)[main], 1)
    return np.exp(entropy) * (inside > 0), noise / n, np.where(inside > 0, main, NOISE), held / n, purity


def together_from(paths: ClassPaths, number: int) -> int | None:
    """Return the first layer from which on one pattern always holds `TOGETHER` of a class; None where it never does."""
    apart = np.flatnonzero(paths.main_share[:, number] < TOGETHER)
    first = int(apart[-1]) + 1 if len(apart) else 0
    return first if first < len(paths.layers) else None
