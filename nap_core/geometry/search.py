"""Exact nearest neighbours, and for every row how far at least it is from whole cells of others.

Each row looks at its own cell first. How far its neighbours there are rules out most cells where there are groups, and
none where there are not. What a product then says of a cell is kept as a bound, so that the spanning tree asks again
only where it has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.cells import FEWEST, bounds, cells, centers, plain_cells
from nap_core.geometry.half_precision import HalfPrecision, is_fast
from nap_core.geometry.lists import BLOCK, Lists, settled
from nap_core.geometry.products import Rows, taken
from nap_core.types import Float

if TYPE_CHECKING:
    from torch import Tensor

Index = NDArray[np.int64]

_SPARE = 3  # neighbours beyond those asked for, by which a list is known to be complete
_SPARE_ROUGH = 15  # the same where products are rough
_MANY = 32  # rows from which a product in half precision is worth its start
_WIDE = 0.35  # share of all rows beyond which a row looks at all, which needs no gathering


def least_by_cell(table: Tensor, size: Index) -> Float:
    """Return [row, cell] the smallest number in each run of `size` [cell] columns."""
    if table.device.type == "cpu":
        return np.asarray(np.minimum.reduceat(table.numpy(), np.append(0, np.cumsum(size)[:-1]), axis=1))
    import torch

    cell = torch.repeat_interleave(torch.from_numpy(size)).to(table.device)
    found = torch.full((len(table), len(size)), torch.inf, device=table.device)
    return np.asarray(found.index_reduce_(1, cell, table, "amin").cpu().numpy())


def nearest_of_first(rows: Rows, n_first: int, k: int) -> tuple[Index, Float]:
    """Return for each row after the first `n_first` the `k` nearest of those, and their distances, nearest first."""
    k = min(k, n_first)
    number, parts = np.arange(rows.n), []

    def look(query: Index) -> tuple[Tensor, Float]:
        return rows.halves(query, slice(0, n_first))

    step = max(1, BLOCK // n_first)
    for start in range(n_first, rows.n, step):
        query = np.arange(start, min(start + step, rows.n))
        found = Lists(len(query), min(k + _SPARE, n_first))
        found.put(slice(None), *look(query), 0)
        parts.append(settled(rows, query, look, found, k, number))
    near, distance = zip(*parts, strict=True)
    return np.concatenate(near), np.concatenate(distance)


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
        self.half_precision: HalfPrecision | None = None
        if metric == "euclidean" and n >= FEWEST:
            self.number, self.begin, self.is_bounded = cells(rows.product, rows.half_there)
            self.rows = rows.in_order(self.number, self.begin)
            self.center, between, apart, wrong = centers(self.rows, self.begin, self.is_bounded)
            self.least = bounds(self.center, between, apart, wrong, self.begin, self.is_bounded)
            np.maximum(self.least - self.rows.lost, 0.0, out=self.least)
            if apart.device.type == "cpu" and is_fast():
                self.half_precision = HalfPrecision(self.rows, self.begin, self.center, apart, wrong)
        else:
            self.number, self.begin, self.rows = np.arange(n), plain_cells(n), rows
            self.is_bounded = np.zeros(len(self.begin) - 1, bool)
            self.least = np.zeros((n, len(self.begin) - 1), np.float32)
        self.size = np.diff(self.begin)
        self.cell_of = np.repeat(np.arange(len(self.size)), self.size)

    def halves(self, rows: Index, cell: int) -> tuple[Tensor, Float]:
        """Return what `Rows.halves` does between `rows` and the rows of a cell, as fast as can be."""
        if self.half_precision is not None and len(rows) >= _MANY:
            return self.half_precision.halves(rows, cell)
        return self.rows.halves(rows, self._inside(cell))

    def _halves_to_all(self, rows: Index) -> tuple[Tensor, Float]:
        if self.half_precision is not None:
            return self.half_precision.halves_to_all(rows)
        return self.rows.halves(rows, slice(None))

    def nearest(self, k: int) -> tuple[Index, Float]:
        """Return the `k` nearest other rows and their distances, nearest first; of equal ones that which came first.

        Rows are meant by their place in `number`.
        """
        n = self.rows.n
        k = min(k, n - 1)
        found = Lists(n, min(k + _SPARE, n - 1))
        for cell in np.flatnonzero(self.is_bounded).tolist():
            self._look_inside(cell, found)
        wide = self._look_around(found, k, self._look_beside(found, k))
        if not len(wide):
            return settled(self.rows, np.arange(n), self._halves_to_all, found, k, self.number)
        narrow = np.setdiff1d(np.arange(n), wide)
        near, distance = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
        for rows, lists in ((narrow, found.of(narrow)), (wide, self._look_all(wide, k))):
            near[rows], distance[rows] = settled(self.rows, rows, self._halves_to_all, lists, k, self.number)
        return near, distance

    def _look_inside(self, cell: int, found: Lists) -> None:
        """Look for neighbours of a cell's rows among themselves."""
        rows = self._inside(cell)
        half, wrong = self.rows.halves_around(self.center[cell], rows, rows)
        half.fill_diagonal_(float("inf"))
        self.learn(rows, cell, self.rows.at_least(half.amin(1).cpu().numpy(), wrong))
        found.put(rows, half, wrong, rows.start)

    def _look_beside(self, found: Lists, k: int) -> NDArray[np.bool_]:
        """Look into the one other cell that may hold the nearest neighbours, as the own one may end beside a row.

        Return [row, cell] where was looked so far.
        """
        first = np.zeros(self.rows.n, np.int64)
        for cell in range(len(self.size)):
            bound = self.least[self._inside(cell)].copy()
            bound[:, cell] = np.inf
            first[self._inside(cell)] = bound.argmin(axis=1)
        reach = self.rows.at_most(found.half[:, k - 1], found.wrong[:, k - 1])
        is_other = self.is_bounded[self.cell_of] & (first != self.cell_of)
        rows = np.flatnonzero(is_other & (self.least[np.arange(self.rows.n), first] <= reach))
        for cell in np.unique(first[rows]).tolist():
            some = rows[first[rows] == cell]
            self._look(some, cell, reach[some], found)
        is_known: NDArray[np.bool_] = np.arange(len(self.size)) == self.cell_of[:, None]
        is_known[rows, first[rows]] = True
        return is_known

    def _look_around(self, found: Lists, k: int, is_known: NDArray[np.bool_]) -> Index:
        """Look into all other cells that may hold neighbours; return the rows for which these are too many."""
        reach = self.rows.at_most(found.half[:, k - 1], found.wrong[:, k - 1])
        needed = (self.least <= reach[:, None]) & ~is_known
        is_wide = ~self.is_bounded[self.cell_of]
        for cell in np.flatnonzero(self.is_bounded).tolist():
            is_wide[self._inside(cell)] = needed[self._inside(cell)] @ self.size > _WIDE * self.rows.n
        needed[is_wide] = False
        for cell in np.flatnonzero(needed.any(axis=0)).tolist():
            rows = np.flatnonzero(needed[:, cell])
            reach = self.rows.at_most(found.half[rows, k - 1], found.wrong[rows, k - 1])
            is_open = self.least[rows, cell] <= reach
            if is_open.any():
                self._look(rows[is_open], cell, reach[is_open], found)
        return np.flatnonzero(is_wide)

    def _look(self, rows: Index, cell: int, reach: Float, found: Lists) -> None:
        """Look for neighbours of `rows`, none farther than `reach` [row], among the rows of another cell."""
        half, wrong = self.rows.halves_around(self.center[cell], rows, self._inside(cell))
        if not self.is_bounded[cell]:
            half, wrong = self._measured(rows, cell, reach, half, wrong)
        value = half.amin(1).cpu().numpy()
        bound = self.rows.at_least(value, wrong)
        self.learn(rows, cell, bound)
        found.beyond[rows] = np.minimum(found.beyond[rows], np.where(bound > reach, value - wrong, np.inf))
        some = np.flatnonzero(bound <= reach)
        if len(some):
            found.add(rows[some], taken(half, some), wrong[some], int(self.begin[cell]))

    def _measured(self, rows: Index, cell: int, reach: Float, half: Tensor, wrong: Float) -> tuple[Tensor, Float]:
        """Return `half` and `wrong` with what may lie within `reach` measured: strays are near to no centre."""
        import torch

        found = half.cpu().numpy()
        row, column = np.nonzero(found <= self.rows.halves_up_to(reach, wrong)[:, None])
        found -= wrong[:, None]
        found[row, column] = 0.5 * np.square(self.rows.distance(rows[row], column + self.begin[cell]))
        farthest = np.minimum(reach, 2 * self.rows.longest)
        return torch.from_numpy(found).to(half.device), np.float32(2.0**-22) * np.square(farthest)

    def _look_all(self, rows: Index, k: int) -> Lists:
        """Look for neighbours of `rows` among all rows."""
        n = self.rows.n
        found = Lists(len(rows), min(k + (_SPARE if self.half_precision is None else _SPARE_ROUGH), n - 1))
        step = max(1, BLOCK // n)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            half, wrong = self._halves_to_all(part)
            half[np.arange(len(part)), part] = np.inf
            self.learn(part, slice(None), self.rows.at_least(least_by_cell(half, self.size), wrong[:, None]))
            found.put(slice(start, start + step), half, wrong, 0)
        return found

    def _inside(self, cell: int) -> slice:
        return slice(int(self.begin[cell]), int(self.begin[cell + 1]))

    def learn(self, rows: Index | slice, cells: Index | slice | int, least: Float) -> None:
        """Keep that `rows` are at least so far from all rows of `cells`."""
        self.least[rows, cells] = np.maximum(self.least[rows, cells], least)

    def look_back(self, half: Tensor, wrong: Float, rows: Index, cell: int) -> None:
        """Learn from `half` [row, row of the cell] how far at least the rows of the cell are from the cells of `rows`.

        Infinite where a distance does not matter, in both directions. `rows` ascend; few of them would say little, as
        the rest of their cells bounds what is learnt.
        """
        if len(rows) < _MANY:
            return
        own = self.cell_of[rows]
        run = np.flatnonzero(np.diff(own, prepend=-1))
        cells = own[run]
        there = self._inside(cell)
        value = np.minimum.reduceat(half.cpu().numpy(), run, axis=0).T
        bound = self.rows.at_least(value, wrong.max(initial=np.float32(0)))
        left = self._left_out(rows, cells, np.diff(np.append(run, len(rows))), cell)
        self.learn(there, cells, np.minimum(bound, left))

    def _left_out(self, rows: Index, cells: Index, count: Index, cell: int) -> Float:
        """Return [cell of `cells`] how far at least those of its rows that are not among `rows` are from a cell."""
        least = np.full(len(cells), np.inf, np.float32)
        partly = np.flatnonzero(count < self.size[cells])
        if len(partly):
            number = np.concatenate([np.arange(self.begin[cell], self.begin[cell + 1]) for cell in cells[partly]])
            others = np.setdiff1d(number, rows, assume_unique=True)
            np.minimum.at(least, np.searchsorted(cells, self.cell_of[others]), self.least[others, cell])
        return least
