"""The nearest of each row as products know them, and as they are once they have been measured.

A product says how far two rows are from each other and how far that may be wrong, so a list holds a few more than are
wanted, and what is known of all that it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.products import Rows
from nap_core.types import Float

if TYPE_CHECKING:
    from torch import Tensor

Index = NDArray[np.int64]

BLOCK = 4_000_000
"""Pairs in one product."""


def smallest(table: Tensor, k: int) -> tuple[Float, Index]:
    """Return the `k` smallest numbers of each row of `table` [row, column], smallest first, and their columns."""
    n = table.shape[1]
    k = min(k, n)
    width = int((n * k) ** 0.5)  # columns of interleaved sets, of which at most k hold the k smallest
    depth = n // width
    if depth < 4:
        found = _partitioned(table.cpu().numpy(), k) if table.device.type == "cpu" else None
        return found or _sorted(table, k)
    import torch

    sets = table[:, : depth * width].view(len(table), depth, width)
    chosen = sets.amin(1).topk(k, largest=False, sorted=False).indices
    inside = sets.gather(2, chosen[:, None].expand(-1, depth, -1)).flatten(1)
    column = (torch.arange(depth, device=table.device)[:, None] * width + chosen[:, None]).flatten(1)
    rest = torch.arange(depth * width, n, device=table.device).expand(len(table), -1)
    value, place = _sorted(torch.cat([inside, table[:, depth * width :]], 1), k)
    return value, np.take_along_axis(torch.cat([column, rest], 1).cpu().numpy(), place, axis=1)


def _sorted(table: Tensor, k: int) -> tuple[Float, Index]:
    found = table.topk(k, largest=False)
    return found.values.cpu().numpy(), found.indices.cpu().numpy()


def _partitioned(table: Float, k: int) -> tuple[Float, Index] | None:
    """Return what `smallest` does, which numpy finds faster in short rows; nothing where others equal the last."""
    place = np.flatnonzero(table <= np.partition(table, k - 1, axis=1)[:, k - 1 : k])
    if len(place) > len(table) * k:
        return None
    value, column = (part.reshape(len(table), k) for part in (table.ravel()[place], place % table.shape[1]))
    order = np.argsort(value, axis=1)
    return np.take_along_axis(value, order, axis=1), np.take_along_axis(column, order, axis=1)


class Lists:
    """The nearest of each row that products have found so far."""

    def __init__(self, n: int, length: int) -> None:
        self.near = np.zeros((n, length), np.int64)
        self.half = np.full((n, length), np.inf, np.float32)
        self.wrong = np.zeros((n, length), np.float32)  # how far `half` may be wrong
        self.beyond = np.full(n, np.inf, np.float32)  # what `half` is at least for rows that are not listed

    def of(self, rows: Index) -> Lists:
        """Return the lists of `rows`."""
        found = Lists(0, 0)
        found.near, found.half, found.wrong = self.near[rows], self.half[rows], self.wrong[rows]
        found.beyond = self.beyond[rows]
        return found

    def put(self, rows: slice, half: Tensor, wrong: Float, first: int) -> None:
        """List what was found first of `rows`: `half` [row, other], others from `first` on, and `wrong` [row]."""
        value, column = smallest(half, self.half.shape[1])
        listed = slice(0, value.shape[1])
        self.half[rows, listed], self.near[rows, listed] = value, column + first
        self.wrong[rows, listed] = wrong[:, None]
        if half.shape[1] > value.shape[1]:
            self.beyond[rows] = value[:, -1] - wrong

    def add(self, rows: Index, half: Tensor, wrong: Float, first: int) -> None:
        """Merge what was found next of `rows`, given as to `put`."""
        length = self.half.shape[1]
        new, column = smallest(half, length)
        if half.shape[1] > new.shape[1]:
            self.beyond[rows] = np.minimum(self.beyond[rows], new[:, -1] - wrong)
        value = np.hstack([self.half[rows], new])
        order = np.argsort(value, axis=1, kind="stable")
        best, rest = order[:, :length], order[:, length:]
        lost = np.hstack([self.wrong[rows], np.tile(wrong[:, None], new.shape[1])])
        dropped = np.take_along_axis(value - lost, rest, axis=1).min(axis=1, initial=np.inf)
        self.beyond[rows] = np.minimum(self.beyond[rows], dropped)
        near = np.hstack([self.near[rows], column + first])
        self.half[rows], self.wrong[rows], self.near[rows] = (
            np.take_along_axis(part, best, axis=1) for part in (value, lost, near)
        )


Look = Callable[[Index], tuple["Tensor", Float]]
"""Takes rows, and returns what `Rows.halves` does between them and all rows that may be neighbours."""


def settled(rows: Rows, query: Index, look: Look, found: Lists, k: int, number: Index) -> tuple[Index, Float]:
    """Measure the nearest that products have found, and return the `k` that are, with their distances.

    Parameters
    ----------
    query
        Rows whose neighbours are wanted.
    look
        For rows of which too many are equally near to be listed; those that may be neighbours are the first rows.
    found
        What products found of each.
    number
        [row] what decides between neighbours at equal distances.
    """
    reach = rows.at_most(found.half[:, :k], found.wrong[:, :k]).max(axis=1)
    row, column = np.nonzero(rows.at_least(found.half, found.wrong) <= reach[:, None])
    distance = np.full(found.half.shape, np.inf, np.float32)
    distance[row, column] = rows.distance(query[row], found.near[row, column])
    order = np.lexsort((number[found.near], distance), axis=1)[:, :k]
    near, distance = np.take_along_axis(found.near, order, axis=1), np.take_along_axis(distance, order, axis=1)
    missed = np.flatnonzero(distance[:, -1] >= rows.at_least(found.beyond, np.float32(0)))
    step = max(1, BLOCK // rows.n)
    for start in range(0, len(missed), step):
        part = missed[start : start + step]
        near[part], distance[part] = _with_ties(rows, query[part], look, k, distance[part, -1], number)
    return near, distance


def _with_ties(rows: Rows, query: Index, look: Look, k: int, reach: Float, number: Index) -> tuple[Index, Float]:
    """Return the `k` nearest of each query within `reach`, where many are equally near."""
    table, wrong = look(query)
    half = table.cpu().numpy()
    inside = np.flatnonzero(query < half.shape[1])
    half[inside, query[inside]] = np.inf
    row, column = np.nonzero(half <= rows.halves_up_to(reach, wrong)[:, None])
    apart = rows.distance(query[row], column)
    order = np.lexsort((number[column], apart, row))
    kept = order[np.arange(len(row)) - np.searchsorted(row, row) < k]
    return column[kept].reshape(len(query), k), apart[kept].reshape(len(query), k)
