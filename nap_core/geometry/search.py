"""Exact nearest neighbours, and for every row how far at least it is from whole cells of others.

Each row looks at its own cell first. How far its neighbours there are rules out most cells where there are groups, and
none where there are not. What a product then says of a cell is kept as a bound, so that the spanning tree asks again
only where it has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.cells import FEWEST, bounds, cells, plain_cells
from nap_core.geometry.products import Rows
from nap_core.types import Float

if TYPE_CHECKING:
    from torch import Tensor

Index = NDArray[np.int64]

_SPARE = 3  # neighbours beyond those asked for, by which a list is known to be complete
_WIDE = 0.35  # share of all rows beyond which a row looks at all, which needs no gathering
_BLOCK = 12_000_000  # pairs in one product


def smallest(table: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the `k` smallest numbers of each row of `table` [row, column] and their columns."""
    n = table.shape[1]
    k = min(k, n)
    width = int((n * k) ** 0.5)  # columns of interleaved sets, of which at most k hold the k smallest
    depth = n // width
    if depth < 4:
        found = table.topk(k, largest=False)
        return found.values, found.indices
    import torch

    sets = table[:, : depth * width].view(len(table), depth, width)
    chosen = sets.amin(1).topk(k, largest=False, sorted=False).indices
    inside = sets.gather(2, chosen[:, None].expand(-1, depth, -1)).flatten(1)
    column = (torch.arange(depth, device=table.device)[:, None] * width + chosen[:, None]).flatten(1)
    rest = torch.arange(depth * width, n, device=table.device).expand(len(table), -1)
    found = torch.cat([inside, table[:, depth * width :]], 1).topk(k, largest=False)
    return found.values, torch.cat([column, rest], 1).gather(1, found.indices)


def least_by_cell(table: Tensor, size: Index) -> Float:
    """Return [row, cell] the smallest number in each run of `size` [cell] columns."""
    if table.device.type == "cpu":
        return np.asarray(np.minimum.reduceat(table.numpy(), np.append(0, np.cumsum(size)[:-1]), axis=1))
    import torch

    cell = torch.repeat_interleave(torch.from_numpy(size)).to(table.device)
    found = torch.full((len(table), len(size)), torch.inf, device=table.device)
    return np.asarray(found.index_reduce_(1, cell, table, "amin").cpu().numpy())


def settled(
    rows: Rows, queries: slice, n_first: int, near: Index, half: Float, k: int, number: Index
) -> tuple[Index, Float]:
    """Measure the nearest that products have found, and return the `k` that are, with their distances.

    Parameters
    ----------
    queries
        Rows whose neighbours are wanted.
    n_first
        These are among the first so many rows.
    near, half
        [query, more than k] what products found, nearest first.
    number
        [row] what decides between neighbours at equal distances.
    """
    query = np.arange(queries.start, queries.stop)
    n_others = n_first - (queries.start < n_first)
    distance = rows.distance(np.repeat(query, near.shape[1]), near.ravel()).reshape(near.shape)
    order = np.lexsort((number[near], distance), axis=1)[:, :k]
    last = np.take_along_axis(distance, order[:, -1:], axis=1)
    is_open = near.shape[1] < n_others
    missed = np.flatnonzero(is_open & (last >= rows.at_least(queries, half[:, -1:])))
    near, distance = np.take_along_axis(near, order, axis=1), np.take_along_axis(distance, order, axis=1)
    step = max(1, _BLOCK // n_first)
    for start in range(0, len(missed), step):
        part = missed[start : start + step]
        near[part], distance[part] = _with_ties(rows, query[part], n_first, k, distance[part, -1], number)
    return near, distance


def _with_ties(rows: Rows, query: Index, n_first: int, k: int, reach: Float, number: Index) -> tuple[Index, Float]:
    """Return the `k` nearest of each query within `reach`, where many are equally near."""
    half = rows.halves(query, slice(0, n_first)).cpu().numpy()
    inside = np.flatnonzero(query < n_first)
    half[inside, query[inside]] = np.inf
    row, column = np.nonzero(half <= rows.halves_up_to(query, reach)[:, None])
    apart = rows.distance(query[row], column)
    order = np.lexsort((number[column], apart, row))
    kept = order[np.arange(len(row)) - np.searchsorted(row, row) < k]
    return column[kept].reshape(len(query), k), apart[kept].reshape(len(query), k)


def nearest_of_first(rows: Rows, n_first: int, k: int) -> tuple[Index, Float]:
    """Return for each row after the first `n_first` the `k` nearest of those, and their distances, nearest first."""
    k = min(k, n_first)
    wide, number = min(k + _SPARE, n_first), np.arange(rows.n)
    near, distance = np.empty((rows.n - n_first, k), np.int64), np.empty((rows.n - n_first, k), np.float32)
    step = max(1, _BLOCK // n_first)
    for start in range(n_first, rows.n, step):
        part = slice(start, min(start + step, rows.n))
        value, column = smallest(rows.halves(part, slice(0, n_first)), wide)
        at = slice(part.start - n_first, part.stop - n_first)
        near[at], distance[at] = settled(rows, part, n_first, column.cpu().numpy(), value.cpu().numpy(), k, number)
    return near, distance


class Search:
    """Rows in the order of their cells, with what is known of their distances.

    Parameters
    ----------
    values
        [row, feature] at least two rows.
    metric
        ``euclidean``, ``manhattan`` or ``chebyshev``.
    on
        Device of the products; a CUDA device where there is one by default.
    """

    def __init__(self, values: NDArray[Any], metric: str = "euclidean", on: str = "") -> None:
        rows = Rows(values, metric, on)
        n = rows.n
        if metric == "euclidean" and n >= FEWEST:
            self.number, self.begin, self.is_bounded = cells(rows.product, rows.half_there)
            self.rows = Rows(values[self.number], metric, on)
            self.least = bounds(self.rows.product, self.begin, self.is_bounded, float(rows.slack.max()))
        else:
            self.number, self.begin, self.rows = np.arange(n), plain_cells(n), rows
            self.is_bounded = np.zeros(len(self.begin) - 1, bool)
            self.least = np.zeros((n, len(self.begin) - 1), np.float32)
        self.size = np.diff(self.begin)
        self.cell_of = np.repeat(np.arange(len(self.size)), self.size)

    def nearest(self, k: int) -> tuple[Index, Float]:
        """Return the `k` nearest other rows and their distances, nearest first; of equal ones that which came first.

        Rows are meant by their place in `number`.
        """
        n = self.rows.n
        k = min(k, n - 1)
        wide = min(k + _SPARE, n - 1)
        near, half = np.zeros((n, wide), np.int64), np.full((n, wide), np.inf, np.float32)
        self._own_cells(near, half)
        self._other_cells(near, half, k)
        return settled(self.rows, slice(0, n), n, near, half, k, self.number)

    def _own_cells(self, near: Index, half: Float) -> None:
        for cell in np.flatnonzero(self.is_bounded):
            rows = np.arange(self.begin[cell], self.begin[cell + 1])
            self._look(rows, np.array([cell]), near, half)

    def _other_cells(self, near: Index, half: Float, k: int) -> None:
        reach = self.rows.at_most(slice(None), half[:, k - 1])
        everything = np.arange(len(self.size))
        is_wide = np.ones(self.rows.n, bool)
        for cell in np.flatnonzero(self.is_bounded):
            rows = np.arange(self.begin[cell], self.begin[cell + 1])
            needed = self.least[rows] <= reach[rows, None]
            needed[:, cell] = False
            wide = needed @ self.size > _WIDE * self.rows.n
            is_wide[rows] = wide
            others = np.flatnonzero(needed[~wide].any(axis=0))
            if len(others):
                self._look(rows[~wide], others, near, half)
        wide_rows = np.flatnonzero(is_wide)
        half[wide_rows] = np.inf
        step = max(1, _BLOCK // self.rows.n)
        for start in range(0, len(wide_rows), step):
            self._look(wide_rows[start : start + step], everything, near, half)

    def _columns(self, among: Index) -> Index | slice:
        """Return the rows of some cells."""
        if among[-1] - among[0] == len(among) - 1:
            return slice(int(self.begin[among[0]]), int(self.begin[among[-1] + 1]))
        return np.concatenate([np.arange(self.begin[cell], self.begin[cell + 1]) for cell in among])

    def _look(self, rows: Index, among: Index, near: Index, half: Float) -> None:
        """Look for neighbours of `rows` among the rows of some cells, and add them to the lists."""
        import torch

        columns = self._columns(among)
        found = self.rows.halves(rows, columns)
        number = np.arange(columns.start, columns.stop) if isinstance(columns, slice) else columns
        place = np.minimum(np.searchsorted(number, rows), len(number) - 1)
        inside = np.flatnonzero(number[place] == rows)
        found[torch.from_numpy(inside), torch.from_numpy(place[inside])] = torch.inf
        bound = self.rows.at_least(rows, least_by_cell(found, self.size[among]))
        self.least[np.ix_(rows, among)] = np.maximum(self.least[np.ix_(rows, among)], bound)
        value, column = (part.cpu().numpy() for part in smallest(found, half.shape[1]))
        value, column = np.hstack([half[rows], value]), np.hstack([near[rows], number[column]])
        best = np.argsort(value, axis=1, kind="stable")[:, : half.shape[1]]
        half[rows], near[rows] = np.take_along_axis(value, best, axis=1), np.take_along_axis(column, best, axis=1)

    def look_back(self, half: Tensor, rows: Index, cell: int) -> None:
        """Learn from `half` [row, row of the cell] how far at least the rows of the cell are from the cells of `rows`.

        Infinite where a distance does not matter, in both directions. `rows` ascend.
        """
        import torch

        own = self.cell_of[rows]
        run = np.flatnonzero(np.diff(own, prepend=-1))
        cells = own[run]
        half += torch.from_numpy(self.rows.half_of(rows)[:, None]).to(half.device)
        there = slice(int(self.begin[cell]), int(self.begin[cell + 1]))
        value = np.minimum.reduceat(half.cpu().numpy(), run, axis=0).T
        bound = self.rows.at_least(there, value - self.rows.half_of(there)[:, None])
        left = self._left_out(rows, cells, np.diff(np.append(run, len(rows))), cell)
        self.least[there, cells] = np.maximum(self.least[there, cells], np.minimum(bound, left))

    def _left_out(self, rows: Index, cells: Index, count: Index, cell: int) -> Float:
        """Return [cell of `cells`] how far at least those of its rows that are not among `rows` are from a cell."""
        least = np.full(len(cells), np.inf, np.float32)
        partly = np.flatnonzero(count < self.size[cells])
        if len(partly):
            members = self._columns(cells[partly])
            number = np.arange(members.start, members.stop) if isinstance(members, slice) else members
            others = np.setdiff1d(number, rows, assume_unique=True)
            np.minimum.at(least, np.searchsorted(cells, self.cell_of[others]), self.least[others, cell])
        return least
