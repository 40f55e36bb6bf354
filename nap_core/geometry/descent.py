"""Neighbours that are nearly the nearest, and the tree through them, for sets too large to compare all with all.

NN-descent asks the neighbours of neighbours until hardly anything improves. It misses some, so everything made of it is
called approximate. Distances are measured exactly. The tree takes edges of the neighbour graph only; parts that no edge
ties are joined by the shortest way between some rows of each.

References
----------
Dong, Moses, Li: Efficient k-nearest neighbor graph construction for generic similarity measures. WWW 2011.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import nearest
from nap_core.geometry.products import Rows
from nap_core.geometry.search import Search
from nap_core.geometry.spanning_tree import Growth, core_distance, spanning_tree, with_copies
from nap_core.types import Float

Index = NDArray[np.int64]

FEWEST = 4_000
"""Rows below which all are compared with all in any case: that takes a moment, too."""

_NEIGHBORS = 24  # at least, in the graph that the tree is taken from
_JOINING = 20_000  # rows between which ways are looked for that join parts


def nearest_by(search: str, values: NDArray[Any], k: int, metric: str = "euclidean") -> tuple[Index, Float]:
    """Return what `nearest` does; where `search` is ``approximate``, with some neighbours missed."""
    return nearest(values, k, metric) if search == "exact" else nearly_nearest(values, k, metric)


def nearly_nearest(values: NDArray[Any], k: int, metric: str = "euclidean") -> tuple[Index, Float]:
    """Return `k` near rows of every row by NN-descent, and their distances, nearest first."""
    if len(values) < max(FEWEST, 4 * k):
        return nearest(values, k, metric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynndescent import NNDescent

        # One thread: with several, what is found depends on how many there are.
        found = NNDescent(
            np.asarray(values, np.float32), metric=metric, n_neighbors=k + 1, random_state=0, n_jobs=1
        ).neighbor_graph[0]
    near = _without_own(np.asarray(found, np.int64), k)
    row = np.repeat(np.arange(len(near)), k)
    distance = Rows(values, metric).distance(row, near.ravel()).reshape(near.shape)
    order = np.lexsort((near, distance), axis=1)
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(distance, order, axis=1)


def _without_own(found: Index, k: int) -> Index:
    """Return the first `k` of each row that are another row; where too few were found, the row before or after."""
    own = np.arange(len(found))[:, None]
    missing = found < 0
    beside = np.where(own + 1 < len(found), own + 1, own - 1)
    found = np.where(missing, beside, found)
    last = np.argsort(found == own, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, last, axis=1)


def approximate_tree(
    values: NDArray[Any], min_samples: int = 5, metric: str = "euclidean", *, group: Index | None = None
) -> tuple[Index, Float]:
    """Return what `spanning_tree` does, of nearly nearest neighbours."""
    n = len(values)
    if n < FEWEST:
        return spanning_tree(values, min_samples, metric, group=group)
    group = np.arange(n) if group is None else group
    near, plain = nearly_nearest(values, max(min_samples, _NEIGHBORS), metric)
    core = core_distance(near, plain, np.bincount(group, minlength=n).astype(np.int64), min_samples)
    edges = _tree_of_graph(near, plain, core)
    edges = np.concatenate([edges, _joining(values, metric, core, _parts(edges, n))])
    plain = Rows(values, metric).distance(edges[:, 0], edges[:, 1])
    return with_copies(edges, np.maximum(plain, core[edges].max(axis=1)), plain, core, group)


def _tree_of_graph(near: Index, plain: Float, core: Float) -> Index:
    """Return the edges [edge, 2] of the spanning forest of the neighbour graph, in the strict order."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import minimum_spanning_tree

    n, k = near.shape
    row, other = np.repeat(np.arange(n), k), near.ravel()
    low, high = np.minimum(row, other), np.maximum(row, other)
    _, first = np.unique(low * n + high, return_index=True)
    low, high, apart = low[first], high[first], plain.ravel()[first]
    order = np.lexsort((high, low, apart, np.maximum(apart, np.maximum(core[low], core[high]))))
    rank = np.arange(1.0, len(order) + 1)  # instead of weights, so that no two are equal
    forest = minimum_spanning_tree(coo_matrix((rank, (low[order], high[order])), shape=(n, n)).tocsr()).tocoo()
    return np.stack([forest.row, forest.col], axis=1).astype(np.int64)


def _parts(edges: Index, n: int) -> Index:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    links = coo_matrix((np.ones(len(edges), np.int8), edges.T), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _joining(values: NDArray[Any], metric: str, core: Float, part: Index) -> Index:
    """Return edges [part - 1, 2] that join all parts, between the densest rows of each."""
    n_parts = int(part.max()) + 1
    if n_parts == 1:
        return np.empty((0, 2), np.int64)
    order = np.lexsort((core, part))
    rank = np.arange(len(order)) - np.searchsorted(part[order], part[order])
    taken = np.sort(order[rank < max(1, _JOINING // n_parts)])
    search = Search(values[taken], metric)
    near, plain = search.nearest(1)
    edges, _ = Growth(search, core[taken][search.number], near, plain, part[taken][search.number]).grow()
    return taken[edges]
