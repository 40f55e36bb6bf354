"""How well patterns are parted, in figures that any clustering can be given: silhouette and DBCV.

Both look at the rows as they are compared in the layer, never at a reduction of them, which shows islands even where
there are none. Noise is left out of both, so they speak of the members only; coverage says how many these are.

The distance is that of density clustering: mutual reachability, the largest of the plain distance and the two core
distances. For the silhouette a core distance reaches to the `min_samples`-th nearest member, as in the clustering; for
DBCV it is the all-points core distance, which looks at the own pattern alone. Edges of a pattern's spanning tree that
weigh the same are told apart by plain distance, never by the order of the images.

References
----------
Rousseeuw: Silhouettes. Journal of Computational and Applied Mathematics 20 (1987).
Moulavi, Jaskowiak, Campello, Zimek, Sander: Density-based clustering validation. SIAM Data Mining (2014).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import Table, blocks, centred, distances, pairwise
from nap_core.geometry.spanning_tree import grown_tree
from nap_core.types import NOISE, Float

_MOST_OF_ONE = 2_000  # members of one pattern that DBCV looks at


def _reach(table: Table, core: Float, metric: str) -> Iterator[tuple[slice, Float]]:
    """Yield mutual reachability, some rows at a time; 0 from a row to itself."""
    for rows in blocks(len(table), len(table)):
        part = distances(table[rows], table, metric)
        np.maximum(part, core, out=part)
        np.maximum(part, core[rows, None], out=part)
        part[np.arange(len(part)), np.arange(rows.start, rows.stop)] = 0.0
        yield rows, part


def _core(table: Table, min_samples: int, metric: str) -> Float:
    """Return [row] the distance to the `min_samples`-th nearest other row."""
    k = min(min_samples, len(table) - 1)
    core = np.empty(len(table), np.float32)
    for rows in blocks(len(table), len(table)):
        part = distances(table[rows], table, metric)
        part[np.arange(len(part)), np.arange(rows.start, rows.stop)] = 0.0
        core[rows] = np.partition(part, k, axis=1)[:, k]
    return core


def silhouette(values: NDArray[Any], label: NDArray[Any], min_samples: int = 5, metric: str = "euclidean") -> Float:
    """Return [pattern] the mean silhouette of its members on mutual reachability, in [-1, 1].

    1: far nearer to their own pattern than to any other; 0: on the border; below: nearer to another. NaN where there
    is no other pattern.

    Parameters
    ----------
    values
        [image, feature]
    label
        [image] patterns; noise is left out.
    """
    kept = label != NOISE
    label = label[kept]
    n_patterns = int(label.max(initial=NOISE)) + 1
    if n_patterns < 2:
        return np.full(n_patterns, np.nan, np.float32)
    table = centred(values[kept])
    member = np.zeros((len(label), n_patterns), np.float32)
    member[np.arange(len(label)), label] = 1.0
    size = member.sum(axis=0)
    score = np.empty(len(label), np.float32)
    for rows, part in _reach(table, _core(table, min_samples, metric), metric):
        total, at = part @ member, (np.arange(len(part)), label[rows])
        own = total[at] / np.maximum(1, size[label[rows]] - 1)
        total /= size
        total[at] = np.inf
        other = total.min(axis=1)
        widest = np.maximum(own, other)
        score[rows] = np.divide(other - own, widest, out=np.zeros(len(own), np.float32), where=widest > 0)
    mean: Float = (np.bincount(label, weights=score, minlength=n_patterns) / size).astype(np.float32)
    return mean


def _all_points_core(matrix: Float, n_features: int) -> Float:
    """Return [row] the all-points core distance, by logarithms: a plain power of many dimensions overflows."""
    with np.errstate(divide="ignore"):
        density = -n_features * np.log(matrix.astype(np.float64))
    np.fill_diagonal(density, -np.inf)
    density[matrix == 0] = -np.inf  # equal rows say nothing of density, as in the authors' own program
    largest = density.max(axis=1, keepdims=True)
    base = np.where(np.isfinite(largest), largest, 0.0)
    total = np.exp(density - base).sum(axis=1) / max(1, len(matrix) - 1)
    with np.errstate(divide="ignore"):
        log_core = -(np.log(total) + base[:, 0]) / n_features
    return np.where(total > 0, np.exp(log_core), 0.0).astype(np.float32)


def _inside(values: Table, metric: str) -> tuple[NDArray[np.int64], Float, float]:
    """Return a pattern's inner rows, their core distances, and its sparseness: the longest edge between inner rows."""
    matrix = pairwise(values, metric)
    core = _all_points_core(matrix, values.shape[1])
    if len(values) < 2:
        return np.arange(len(values)), core, 0.0
    edge = grown_tree(matrix, core)
    weight = np.maximum(matrix[edge[:, 0], edge[:, 1]], core[edge].max(axis=1))
    is_inner = np.bincount(edge.ravel(), minlength=len(values)) > 1
    between = is_inner[edge].all(axis=1)
    inner = np.flatnonzero(is_inner) if is_inner.any() else np.zeros(1, np.int64)
    return inner, core[inner], float(weight[between].max() if between.any() else weight.max())


def dbcv(values: NDArray[Any], label: NDArray[Any], metric: str = "euclidean") -> Float:
    """Return [pattern] the density-based validity, in [-1, 1]; NaN where there is no other pattern.

    Above 0 the pattern is denser inside than the space between it and the nearest other one. Of more than 2,000 members
    every k-th is looked at.

    Parameters
    ----------
    values
        [image, feature]
    label
        [image] patterns; noise is left out.
    """
    n_patterns = int(label.max(initial=NOISE)) + 1
    if n_patterns < 2:
        return np.full(n_patterns, np.nan, np.float32)
    table = centred(values)
    parts, cores, sparse = [], [], np.zeros(n_patterns)
    for pattern in range(n_patterns):
        members = np.flatnonzero(label == pattern)
        members = members[:: -(-len(members) // _MOST_OF_ONE)]
        inner, core, sparse[pattern] = _inside(table[members], metric)
        parts.append(members[inner])
        cores.append(core)
    apart = _separation(table, parts, np.concatenate(cores), metric)
    widest = np.maximum(apart, sparse)
    return np.divide(apart - sparse, widest, out=np.zeros(n_patterns), where=widest > 0).astype(np.float32)


def _separation(table: Table, parts: list[NDArray[np.int64]], core: Float, metric: str) -> NDArray[np.float64]:
    """Return [pattern] the least mutual reachability from its inner rows to those of another."""
    size = np.array([len(part) for part in parts])
    start = np.append(0, np.cumsum(size))
    rows, owner = table[np.concatenate(parts)], np.repeat(np.arange(len(parts)), size)
    least = np.full(len(parts), np.inf)
    for block in blocks(len(rows), len(rows)):
        part = np.maximum(distances(rows[block], rows, metric), core)
        np.maximum(part, core[block, None], out=part)
        near = np.minimum.reduceat(part, start[:-1], axis=1)
        near[np.arange(len(near)), owner[block]] = np.inf
        np.minimum.at(least, owner[block], near.min(axis=1))
    return least
