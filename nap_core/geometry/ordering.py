"""An order of the rows that depends on nothing but their content, and an order of groups in which neighbours are alike.

Ties, random draws and floating-point sums all depend on the order in which rows arrive. Sorting the rows by a digest of
their bytes before any of these, and undoing it after them, makes every result a function of the *set* of images.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]

_OPTIMAL_UP_TO = 400  # leaves; optimal ordering costs about the cube, and takes seconds beyond


def row_digests(values: NDArray[Any]) -> list[bytes]:
    """Return one digest per row of `values` [row, column]; equal rows, and only they, have equal digests.

    Negative zero counts as zero.
    """
    rows = np.ascontiguousarray(values + values.dtype.type(0))
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]


def canonical_order(values: NDArray[Any]) -> Index:
    """Return the permutation [row] that sorts the rows of `values` by their content; equal rows keep their order."""
    digests = row_digests(values)
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)


def distinct_rows(values: NDArray[Any]) -> tuple[Index, Index, Index]:
    """Find the distinct rows of `values` [row, column].

    Returns
    -------
    first
        [distinct] row at which each distinct row stands first, ascending.
    group
        [row] position in `first` of the row's content, so that ``values[first][group]`` equals ``values``.
    count
        [distinct] how often it occurs, at least 1.
    """
    seen: dict[bytes, int] = {}
    group = np.array([seen.setdefault(key, len(seen)) for key in row_digests(values)], dtype=np.int64)
    first = np.full(len(seen), len(group), dtype=np.int64)
    np.minimum.at(first, group, np.arange(len(group)))
    return first, group, np.bincount(group, minlength=len(seen)).astype(np.int64)


def line_order(centroid: NDArray[Any], size: NDArray[Any]) -> Index:
    """Return the permutation [group] that puts groups on a line on which neighbours are alike.

    Average linkage of the centroids, its leaves turned so that the sum of distances between neighbours is least. The
    line is turned so that the larger of its two ends comes first.

    Parameters
    ----------
    centroid
        [group, feature]
    size
        [group] members.

    References
    ----------
    Bar-Joseph, Gifford, Jaakkola: Fast optimal leaf ordering for hierarchical clustering. Bioinformatics 17 (2001).
    """
    if len(centroid) < 3:
        return np.argsort(-np.asarray(size), kind="stable").astype(np.int64)
    from scipy.cluster.hierarchy import leaves_list, linkage

    tree = linkage(centroid.astype(np.float64), "average", optimal_ordering=len(centroid) <= _OPTIMAL_UP_TO)
    order: Index = leaves_list(tree).astype(np.int64)
    return order[::-1].copy() if size[order[-1]] > size[order[0]] else order
