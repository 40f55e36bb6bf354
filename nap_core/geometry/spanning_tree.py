"""The minimum spanning tree of mutual reachability, exact, and the same for every order of the rows.

Mutual reachability of two images is the largest of their distance and their two core distances. It ties whenever a
core distance decides, and then many trees are minimal and HDBSCAN's labels depend on which of them was found. Edges
are compared here by mutual reachability, then by plain distance, then by the positions of their ends: a strict order,
in which the minimal tree is unique. Rows that are equal are one vertex that counts several times.

References
----------
Campello, Moulavi, Sander: Density-based clustering based on hierarchical density estimates. PAKDD 2013.
Prim: Shortest connection networks and some generalizations. Bell System Technical Journal 36 (1957).
Borůvka: O jistém problému minimálním (1926).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import Table, blocks, centred, distances, nearest, nearest_in, pairwise
from nap_core.types import Float

Index = NDArray[np.int64]

DENSE_UP_TO = 12_000
"""Rows up to which all distances are held at once (float32: 576 MB); beyond, blocks are computed when needed."""


def core_distance(near: Index, distance: Float, count: Index, min_samples: int) -> Float:
    """Return the distance [row] to the `min_samples`-th neighbour, the row itself not counted but its copies are.

    Parameters
    ----------
    near, distance
        [row, k] nearest other rows, ``k`` at least `min_samples` unless there are fewer rows.
    count
        [row] how many equal images a row stands for.
    min_samples
        As in hdbscan; where there are fewer neighbours, the farthest decides.
    """
    if not near.shape[1]:
        return np.zeros(len(near), dtype=np.float32)
    reached = (count - 1)[:, None] + np.cumsum(count[near], axis=1)
    position = np.minimum((reached < min_samples).sum(axis=1), near.shape[1] - 1)
    core = distance[np.arange(len(near)), position]
    return np.where(count - 1 >= min_samples, np.float32(0), core).astype(np.float32)


def grown_tree(matrix: Float, core: Float) -> Index:
    """Grow the tree from row 0 over all distances at once; return its edges [edge, 2]."""
    n = len(matrix)
    reach, edges = core.copy(), np.empty((n - 1, 2), np.int64)
    weight, plain = np.full(n, np.inf, np.float32), np.full(n, np.inf, np.float32)
    source = np.zeros(n, np.int64)
    here = 0
    for step in range(n - 1):
        # NaN compares as neither less nor equal, so rows already in the tree take no part in what follows.
        reach[here], weight[here] = np.nan, np.inf
        row = matrix[here]
        candidate = np.maximum(np.maximum(row, reach), core[here])
        better = candidate < weight
        tie = np.flatnonzero(candidate == weight)
        better[tie] = (row[tie] < plain[tie]) | ((row[tie] == plain[tie]) & (here < source[tie]))
        np.copyto(weight, candidate, where=better)
        np.copyto(plain, row, where=better)
        source[better] = here
        near = np.flatnonzero(weight == weight.min())
        if len(near) > 1:
            low, high = np.minimum(near, source[near]), np.maximum(near, source[near])
            near = near[np.lexsort((high, low, plain[near]))]
        here = int(near[0])
        edges[step] = source[here], here
    return edges


class _Boundary:
    """For every row the best known edge out of its component, and whether an unknown one could be better.

    An edge that is not among a row's neighbours weighs at least `listed`, and at least what the row's best edge weighed
    when all its distances were last looked at: components only grow, so a row's best edge only gets heavier.
    """

    def __init__(self, table: Table, core: Float, near: Index, plain: Float, metric: str) -> None:
        n = len(table)
        self.table, self.core, self.metric = table, core, metric
        self.near, self.near_plain = near, plain
        self.near_weight = np.maximum(np.maximum(plain, core[near]), core[:, None])
        self.listed = np.maximum(core, plain[:, -1])
        self.component = np.arange(n)
        self.target = np.full(n, -1, np.int64)
        self.weight, self.plain = np.full(n, np.inf, np.float32), np.full(n, np.inf, np.float32)
        self.is_exact = np.zeros(n, bool)

    def refresh(self) -> None:
        """Take the next best neighbour for rows whose edge has become an inner one."""
        stale = np.flatnonzero((self.target < 0) | (self.component[self.target] == self.component))
        was_exact = self.is_exact[stale] & (self.target[stale] >= 0)
        self.listed[stale[was_exact]] = np.maximum(self.listed, self.weight)[stale[was_exact]]
        inner = self.component[self.near[stale]] == self.component[stale, None]
        self._keep(stale, self.near[stale], np.where(inner, np.inf, self.near_weight[stale]), self.near_plain[stale])
        self.is_exact[stale] = self.weight[stale] < np.maximum(self.core, self.near_plain[:, -1])[stale]

    def settle(self) -> None:
        """Look at all distances of the rows whose unknown edges could beat their component's best known one."""
        waiting = np.flatnonzero(~self.is_exact)
        waiting = waiting[np.argsort(self.listed[waiting], kind="stable")]
        for part in blocks(len(waiting), len(self.table)):
            best = np.full(len(self.table), np.inf, np.float32)
            np.minimum.at(best, self.component, self.weight)
            row = waiting[part]
            row = row[self.listed[row] <= best[self.component[row]]]
            if len(row):
                self._scan(row)

    def _scan(self, row: Index) -> None:
        plain = distances(self.table[row], self.table, self.metric)
        weight = np.maximum(np.maximum(plain, self.core), self.core[row, None])
        weight[self.component == self.component[row, None]] = np.inf
        self._keep(row, np.broadcast_to(np.arange(len(self.table)), plain.shape), weight, plain)
        self.is_exact[row] = True

    def _keep(self, row: Index, target: Index, weight: Float, plain: Float) -> None:
        """Keep the first of each row's edges in the strict order."""
        least = weight.min(axis=1)
        tied = np.where(weight == least[:, None], plain, np.inf)
        first = np.where(tied == tied.min(axis=1)[:, None], target, len(self.table)).argmin(axis=1)
        at = np.arange(len(row)), first
        self.target[row] = np.where(np.isfinite(least), target[at], -1)
        self.weight[row], self.plain[row] = least, plain[at]

    def best_edges(self) -> Index:
        """Return the first edge out of every component, [edge, 2], each once."""
        row = np.flatnonzero(self.target >= 0)
        low, high = np.minimum(row, self.target[row]), np.maximum(row, self.target[row])
        order = np.lexsort((high, low, self.plain[row], self.weight[row], self.component[row]))
        _, first = np.unique(self.component[row][order], return_index=True)
        chosen = order[first]
        return np.unique(np.stack([low[chosen], high[chosen]], axis=1), axis=0)


def _boruvka(table: Table, core: Float, near: Index, plain: Float, metric: str) -> Index:
    """Merge components along their best edges, with memory for some rows of distances only; return edges [edge, 2]."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n, boundary = len(table), _Boundary(table, core, near, plain, metric)
    edges = np.empty((0, 2), np.int64)
    while len(edges) < n - 1:
        boundary.refresh()
        boundary.settle()
        edges = np.concatenate([edges, boundary.best_edges()])
        links = coo_matrix((np.ones(len(edges), np.int8), edges.T), shape=(n, n))
        boundary.component = connected_components(links, directed=False)[1].astype(np.int64)
    return edges


def _edge_distance(table: Table, edges: Index, metric: str) -> Float:
    """Return the plain distance [edge] of the two ends."""
    order = {"euclidean": 2, "manhattan": 1, "chebyshev": np.inf}[metric]
    plain = np.empty(len(edges), np.float32)
    for part in blocks(len(edges), 8 * table.shape[1]):
        plain[part] = np.linalg.norm(table[edges[part, 0]] - table[edges[part, 1]], ord=order, axis=1)
    return plain


def with_copies(edges: Index, weight: Float, plain: Float, core: Float, group: Index) -> tuple[Index, Float]:
    """Name vertices by rows, tie every further copy to the first one, and sort the edges in the strict order."""
    _, first = np.unique(group, return_index=True)
    copy = np.setdiff1d(np.arange(len(group)), first)
    edges = np.concatenate([first[edges], np.stack([first[group[copy]], copy], axis=1)])
    weight, plain = (
        np.concatenate([weight, core[group[copy]]]),
        np.concatenate([plain, np.zeros(len(copy), np.float32)]),
    )
    low, high = edges.min(axis=1), edges.max(axis=1)
    order = np.lexsort((high, low, plain, weight))
    return np.stack([low, high], axis=1)[order], weight[order]


def spanning_tree(
    values: NDArray[Any],
    min_samples: int = 5,
    metric: str = "euclidean",
    *,
    group: Index | None = None,
    dense_up_to: int = DENSE_UP_TO,
) -> tuple[Index, Float]:
    """Return the minimum spanning tree of mutual reachability: edges [row - 1, 2] and weights, lightest first.

    Parameters
    ----------
    values
        [vertex, feature] all different rows.
    min_samples
        Core distance: the distance to this neighbour, the row itself not counted (as in hdbscan).
    metric
        ``euclidean``, ``manhattan`` or ``chebyshev``.
    group
        [row] the vertex at which each row lies, numbered by first occurrence; every row its own vertex by default.
    dense_up_to
        Vertices up to which all distances are held in memory. Both ways find the same tree.
    """
    table = centred(values)
    group = np.arange(len(table)) if group is None else group
    count = np.bincount(group, minlength=len(table)).astype(np.int64)
    if len(table) == 1:
        nothing = np.empty(0, np.float32)
        return with_copies(np.empty((0, 2), np.int64), nothing, nothing, np.zeros(1, np.float32), group)
    dense = len(table) <= dense_up_to
    matrix = pairwise(table, metric) if dense else np.empty((0, 0), np.float32)
    near, near_plain = nearest_in(matrix, min_samples) if dense else nearest(table, 2 * min_samples + 16, metric)
    core = core_distance(near, near_plain, count, min_samples)
    edges = grown_tree(matrix, core) if dense else _boruvka(table, core, near, near_plain, metric)
    plain = matrix[edges[:, 0], edges[:, 1]] if dense else _edge_distance(table, edges, metric)
    weight = np.maximum(plain, core[edges].max(axis=1))
    return with_copies(edges, weight, plain, core, group)
