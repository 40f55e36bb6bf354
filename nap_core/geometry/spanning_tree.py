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

from nap_core.geometry.search import Search
from nap_core.types import Float

Index = NDArray[np.int64]

_MORE = 6  # neighbours that are listed beyond those that the core distance needs: first candidates for edges
_ENOUGH = 0.05  # share of components whose first edge is listed, below which all rows are looked at
_BOUNDS = 16_000_000  # bounds that are compared at once


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


class _Edges:
    """The first edge out of every component in the strict order, as far as it is known."""

    def __init__(self, n_components: int) -> None:
        self.weight = np.full(n_components, np.inf, np.float32)
        self.plain = np.full(n_components, np.inf, np.float32)
        self.low, self.high = np.full((2, n_components), np.iinfo(np.int64).max)

    def offer(self, component: Index, weight: Float, plain: Float, one: Index, other: Index) -> None:
        """Keep edges [edge] that come before those known, each from `component` to a row outside."""
        low, high = np.minimum(one, other), np.maximum(one, other)
        order = np.lexsort((high, low, plain, weight, component))
        component, place = np.unique(component[order], return_index=True)
        first = order[place]
        new = tuple(part[first] for part in (weight, plain, low, high))
        old = tuple(part[component] for part in (self.weight, self.plain, self.low, self.high))
        is_new = new[3] < old[3]
        for mine, theirs in zip(new[2::-1], old[2::-1], strict=True):
            is_new = (mine < theirs) | ((mine == theirs) & is_new)
        component = component[is_new]
        for kept, offered in zip((self.weight, self.plain, self.low, self.high), new, strict=True):
            kept[component] = offered[is_new]


class Growth:
    """Components that grow together along their first edges; rows are meant by their place in the search's order.

    An edge that is not among a row's neighbours is at least as long as that to the last of them, and as `search.least`
    says of its cell.
    """

    def __init__(self, search: Search, core: Float, near: Index, plain: Float, component: Index | None = None) -> None:
        self.search, self.core, self.near, self.plain = search, core, near, plain
        self.weight = np.maximum(np.maximum(plain, core[near]), core[:, None])
        is_complete = near.shape[1] == len(core) - 1
        self.listed = np.full(len(core), np.inf, np.float32) if is_complete else np.maximum(core, plain[:, -1])
        self.core_of_cell = np.minimum.reduceat(core, search.begin[:-1])
        self.component = np.arange(len(core)) if component is None else component
        self.edges = _Edges(len(core))

    def grow(self) -> tuple[Index, Float]:
        """Return the edges [edge, 2] that join all components, and how long each is."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        n, place = len(self.core), np.argsort(self.search.number)
        found, apart = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)]
        n_components = int(self.component.max()) + 1
        while n_components > 1:
            chosen = self._first_edges(n_components)
            low, high = self.edges.low[chosen], self.edges.high[chosen]
            _, once = np.unique(low * n + high, return_index=True)  # an edge may be the first of both its ends
            found.append(np.stack([low[once], high[once]], axis=1))
            apart.append(self.edges.plain[chosen[once]])
            ends = self.component[place[found[-1]]]
            links = coo_matrix((np.ones(len(ends), np.int8), ends.T), shape=(n_components, n_components))
            n_components, joined = connected_components(links, directed=False)
            self.component = joined.astype(np.int64)[self.component]
        return np.concatenate(found), np.concatenate(apart)

    def _first_edges(self, n_components: int) -> Index:
        """Return components whose first edge out is known for sure."""
        self.edges = _Edges(n_components)
        self._offer_listed()
        unknown = np.full(n_components, np.inf, np.float32)
        np.minimum.at(unknown, self.component, self.listed)
        is_sure = self.edges.weight < unknown
        if is_sure.mean() < _ENOUGH:
            is_open = ~is_sure
            is_open[np.bincount(self.component).argmax()] = False  # the others find their way to it
            self._look(is_open)
            is_sure |= is_open
        return np.flatnonzero(is_sure)

    def _offer_listed(self) -> None:
        outside = self.component[self.near] != self.component[:, None]
        weight = np.where(outside, self.weight, np.inf)
        first = weight.argmin(axis=1)  # neighbours stand in the strict order
        row = np.flatnonzero(outside.any(axis=1))
        first = first[row]
        self._offer(row, self.near[row, first], self.plain[row, first])

    def _offer(self, row: Index, other: Index, plain: Float) -> None:
        weight = np.maximum(plain, np.maximum(self.core[row], self.core[other]))
        ends = self.search.number[row], self.search.number[other]
        for inside in (row, other):
            self.edges.offer(self.component[inside], weight, plain, *ends)

    def _look(self, is_open: NDArray[np.bool_]) -> None:
        """Find the first edges of open components among all rows: first where each most likely is, then all around."""
        row, cell, bound = self._doubtful(is_open, only_first=True)
        order = np.lexsort((bound, self.component[row]))
        _, nearest = np.unique(self.component[row][order], return_index=True)
        first = order[nearest]
        self._scan_all(row[first], cell[first])
        row, cell, _ = self._doubtful(is_open)
        self._scan_all(row, cell)

    def _scan_all(self, row: Index, cell: Index) -> None:
        order = np.lexsort((row, cell))
        cells, begin = np.unique(cell[order], return_index=True)
        for number, rows in zip(cells.tolist(), np.split(row[order], begin[1:]), strict=bool(len(cells))):
            self._scan(rows, number)

    def _doubtful(self, is_open: NDArray[np.bool_], *, only_first: bool = False) -> tuple[Index, Index, Float]:
        """Return pairs of a row of an open component and a cell that may hold the end of a better edge, and how light
        that edge may be; of each row all such cells, or only that with the least bound.
        """
        search = self.search
        alone = np.minimum.reduceat(self.component, search.begin[:-1])
        alone[alone != np.maximum.reduceat(self.component, search.begin[:-1])] = -1
        rows = np.flatnonzero(is_open[self.component])
        rows = rows[self.listed[rows] <= self.edges.weight[self.component[rows]]]
        step = max(1, _BOUNDS // len(alone))
        found = [(rows[:0], rows[:0], self.core[:0])]
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            own = self.component[part, None]
            bound = np.maximum(np.maximum(search.least[part], self.listed[part, None]), self.core_of_cell)
            bound[alone == own] = np.inf
            row, cell = np.arange(len(part)), bound.argmin(axis=1)
            if not only_first:
                row, cell = np.nonzero(bound <= np.minimum(self.edges.weight[own], np.finfo(np.float32).max))
            found.append((part[row], cell, bound[row, cell]))
        row, cell, least = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return row, cell, least

    def _scan(self, row: Index, cell: int) -> None:
        """Offer what edges from `row` into a cell may be better than those known."""
        import torch

        search, best = self.search, self.edges.weight
        row = row[np.maximum(search.least[row, cell], self.listed[row]) <= best[self.component[row]]]
        if not len(row):
            return
        first, last = search.begin[cell], search.begin[cell + 1]
        half, wrong = search.halves(row, cell)
        own, there = self.component[row], self.component[first:last]
        if (there != there[0]).any() or (own == there[0]).any():
            half.masked_fill_(torch.from_numpy(own[:, None] == there).to(half.device), torch.inf)
        value = half.amin(1).cpu().numpy()
        search.learn(row, cell, search.rows.at_least(value, wrong))
        order = np.lexsort((value, own))
        some = order[np.unique(own[order], return_index=True)[1]]
        some = some[np.isfinite(value[some])]
        other = half[some].argmin(1).cpu().numpy() + first
        self._offer(row[some], other, search.rows.distance(row[some], other))
        reach = best[own]
        up_to = search.rows.halves_up_to(reach, wrong)
        near = np.flatnonzero(value <= up_to)
        if len(near):
            light = half[near].cpu().numpy() <= up_to[near, None]
            light &= self.core[first:last] <= reach[near, None]
            place, column = np.nonzero(light)
            other = column + first
            self._offer(row[near[place]], other, search.rows.distance(row[near[place]], other))
        search.look_back(half, wrong, row, cell)


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
    on: str = "",
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
    on
        Device of the distances; a CUDA device where there is one by default. It does not change the result.
    """
    n = len(values)
    group = np.arange(n) if group is None else group
    count = np.bincount(group, minlength=n).astype(np.int64)
    if n == 1:
        nothing = np.empty(0, np.float32)
        return with_copies(np.empty((0, 2), np.int64), nothing, nothing, np.zeros(1, np.float32), group)
    search = Search(values, metric, on)
    near, plain = search.nearest(min_samples + _MORE)
    core = core_distance(near, plain, count[search.number], min_samples)
    edges, plain = Growth(search, core, near, plain).grow()
    core = core[np.argsort(search.number)]
    weight = np.maximum(plain, core[edges].max(axis=1))
    return with_copies(edges, weight, plain, core, group)
