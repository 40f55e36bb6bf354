"""What is said of one pattern beside its images: its units, its nearest patterns, where its images come from and go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nap_core.activations.single_unit import unit_layer
from nap_core.configs import ClusterConfig
from nap_core.keys import digest
from nap_core.patterns.clustering import compared
from nap_core.patterns.units import UnitContrast, strongest, unit_contrast
from nap_core.study.study import Study
from nap_core.types import NOISE, Float, Int


@dataclass(frozen=True, slots=True)
class Neighbor:
    """Another pattern, and how much it has to do with the one that is looked at."""

    layer: str
    pattern: int  # or NOISE
    n_shared: int  # images in both; 0 for patterns of the same layer
    distance: float  # of the centroids, for patterns of the same layer; NaN else


def contrast(
    study: Study, layer: str, pattern: int, config: ClusterConfig | None = None, most: int = 8
) -> UnitContrast:
    """Return the features in which a pattern differs most from all other images; see `unit_contrast`."""
    inside = study.patterns(layer, config).label == pattern
    return unit_contrast(study.activations(layer).values, inside, most)


def _centroids(study: Study, layer: str, config: ClusterConfig) -> Float:
    """Return [pattern, feature] the mean of each pattern's members, as `config` compares them."""

    def means() -> dict[str, np.ndarray]:
        patterns, values = study.patterns(layer, config), compared(study.activations(layer), config)
        total = np.zeros((patterns.n_patterns + 1, values.shape[1]), np.float64)
        np.add.at(total, patterns.label, values)
        return {"centroid": (total[:-1] / patterns.size[:, None]).astype(np.float32)}

    key = digest("centroids", patterns=study.patterns_key(layer, config), version=1)
    return study.store.compute(key, means, kind="centroids", layer=layer).arrays["centroid"]


def similar_patterns(
    study: Study, layer: str, pattern: int, config: ClusterConfig | None = None, most: int = 6
) -> list[Neighbor]:
    """Return the patterns of the same layer whose centroids are nearest."""
    centroid = _centroids(study, layer, config or study.config)
    distance = np.linalg.norm(centroid - centroid[pattern], axis=1)
    order = [int(n) for n in np.argsort(distance, kind="stable") if n != pattern][:most]
    return [Neighbor(layer, n, 0, float(distance[n])) for n in order]


def companions(
    study: Study, layer: str, pattern: int, other: str, config: ClusterConfig | None = None, most: int = 6
) -> list[Neighbor]:
    """Return the patterns of another layer that share most images with a pattern (or with the noise)."""
    flow = study.flow(layer, other, config)
    shared = flow.count[pattern]
    order = [int(n) for n in np.argsort(-shared, kind="stable") if shared[n]][:most]
    return [Neighbor(other, NOISE if n == flow.n_targets else n, int(shared[n]), float("nan")) for n in order]


def unit_values(study: Study, layer: str, unit: int | None) -> Float:
    """Return [image] how strongly a unit answers: its largest feature. Without a unit, the length of the layer's row.

    Raises
    ------
    UnknownUnitError
        If the layer has no such unit.
    """
    if unit is None:
        length: Float = np.linalg.norm(study.activations(layer).values, axis=1)
        return length
    largest: Float = study.activations(unit_layer(layer, unit)).values.max(axis=1)
    return largest


def strongest_images(study: Study, layer: str, unit: int | None, k: int, *, weakest: bool = False) -> Int:
    """Return the `k` images that drive a unit, or the whole layer, most (or least)."""
    return strongest(unit_values(study, layer, unit), k, weakest=weakest)
