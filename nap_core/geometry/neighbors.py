"""Distances by blocks, and exact nearest neighbours.

Where all distances of a block are wanted, they come from one matrix product in double precision on centred rows: the
difference of large squares then still holds the distance of two nearly equal images. They are kept as float32, so that
equal distances are equal numbers. Where only the nearest are wanted, see `nap_core.geometry.search`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.products import Rows
from nap_core.geometry.search import Search, nearest_of_first
from nap_core.types import Float

Index = NDArray[np.int64]
Table = NDArray[np.float64]

_BLOCK = 8_000_000  # distances in one block: 64 MB in double precision


def centred(values: NDArray[Any]) -> Table:
    """Return the rows in double precision with the mean row at the origin; no distance changes."""
    table = np.asarray(values, dtype=np.float64)
    return table - table.mean(axis=0) if len(table) else table


def distances(rows: Table, others: Table, metric: str = "euclidean") -> Float:
    """Return the distances [row, other] between centred rows; ``euclidean``, ``manhattan`` or ``chebyshev``."""
    if metric != "euclidean":
        from scipy.spatial.distance import cdist

        return np.asarray(cdist(rows, others, {"manhattan": "cityblock"}.get(metric, metric)), dtype=np.float32)
    square = rows @ others.T
    square *= -2.0
    square += np.einsum("ij,ij->i", rows, rows)[:, None]
    square += np.einsum("ij,ij->i", others, others)[None, :]
    np.maximum(square, 0.0, out=square)
    return np.sqrt(square, out=square).astype(np.float32)


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Cut `n_rows` so that a block with `n_columns` fits comfortably in memory."""
    step = max(1, _BLOCK // max(1, n_columns))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def pairwise(values: NDArray[Any], metric: str = "euclidean") -> Float:
    """Return all distances [row, row], exactly symmetric, 0 on the diagonal."""
    table = centred(values)
    n = len(table)
    matrix = np.empty((n, n), dtype=np.float32)
    for rows in blocks(n, n):
        part = distances(table[rows], table[rows.start :], metric)
        square = part[:, : len(part)]
        square[:] = np.minimum(square, square.T)  # a product may round its two halves differently
        matrix[rows, rows.start :] = part
        matrix[rows.start :, rows] = part.T
    np.fill_diagonal(matrix, 0.0)
    return matrix


def _nearest_of(part: Float, k: int) -> tuple[Index, Float]:
    """Return the `k` smallest of each row, ascending, equal ones by column."""
    index = np.argpartition(part, k - 1, axis=1)[:, :k] if k < part.shape[1] else np.tile(np.arange(k), (len(part), 1))
    index.sort(axis=1)
    distance = np.take_along_axis(part, index, axis=1)
    order = np.argsort(distance, axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1).astype(np.int64), np.take_along_axis(distance, order, axis=1)


def nearest(values: NDArray[Any], k: int, metric: str = "euclidean") -> tuple[Index, Float]:
    """Return the `k` nearest other rows of every row and their distances, each [row, k], nearest first.

    Parameters
    ----------
    values
        [row, feature] at least two rows.
    k
        At most one less than the rows; more is cut to that.
    metric
        ``euclidean``, ``manhattan`` or ``chebyshev``.
    """
    search = Search(values, metric)
    place = np.argsort(search.number)
    near, distance = search.nearest(k)
    return search.number[near[place]], distance[place]


def nearest_among(
    values: NDArray[Any], queries: Index, candidates: Index, k: int, metric: str = "euclidean"
) -> tuple[Index, Float]:
    """Return for each of the rows `queries` the `k` nearest of the rows `candidates`, as `nearest` does."""
    rows = Rows(values[np.concatenate([candidates, queries])], metric)
    near, distance = nearest_of_first(rows, len(candidates), k)
    return candidates[near], distance


def nearest_in_parts(
    queries: NDArray[Any],
    parts: Iterable[NDArray[Any]],
    k: int,
    metric: str = "euclidean",
    skip: NDArray[Any] | None = None,
) -> tuple[Index, Float]:
    """Return the `k` rows nearest to each query among rows that come in parts, as `nearest` does.

    Memory holds one part and its distances, however many rows there are.

    Parameters
    ----------
    queries
        [query, feature]
    parts
        The rows, some at a time, each [row, feature], in order.
    skip
        [query] the row that is left out, because it is the query itself; none by default.
    """
    table = np.asarray(queries, dtype=np.float64)
    own = np.full(len(table), -1) if skip is None else np.asarray(skip)
    index, distance = np.empty((len(table), 0), np.int64), np.empty((len(table), 0), np.float32)
    origin, first = None, 0
    for part in parts:
        rows = np.asarray(part, dtype=np.float64)
        origin = rows.mean(axis=0) if origin is None else origin
        far = distances(table - origin, rows - origin, metric)
        inside = np.flatnonzero((own >= first) & (own < first + len(rows)))
        far[inside, own[inside] - first] = np.inf
        near, near_distance = _nearest_of(far, min(k, len(rows)))
        index, distance = np.hstack([index, near + first]), np.hstack([distance, near_distance])
        best = np.argsort(distance, axis=1, kind="stable")[:, :k]
        index, distance = np.take_along_axis(index, best, axis=1), np.take_along_axis(distance, best, axis=1)
        first += len(rows)
    there = min(k, first - (skip is not None))
    return index[:, :there], distance[:, :there]
