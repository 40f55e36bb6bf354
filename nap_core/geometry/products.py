"""Distances that are exact where they count, at the price of a float32 matrix product where they do not.

A product in single precision, or in half of it, says of nearly every pair of rows that it is too far apart to matter,
and how far its answer may be wrong. The few pairs that are left are measured by their difference, in double precision.
So nothing depends on blocks, threads or device, and equal distances are equal numbers.

The bound is probabilistic: with `_ERRORS` standard deviations of the rounding error of a dot product it fails once in
some 10¹³ pairs that lie just at it.

References
----------
Higham, Mary: A new approach to probabilistic rounding error analysis. SIAM Journal on Scientific Computing 41 (2019).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import Float

if TYPE_CHECKING:
    from torch import Tensor

Index = NDArray[np.int64]
Table = NDArray[np.float64]

_ERRORS = 8.0
_UNIT = 2.0**-24  # rounding error of float32
BLOCK = 250_000
"""Numbers worked on at once: they stay in the cache of a core."""

_FEWEST_PAIRS = 64  # measured at once
_SHARED = 4_000_000  # numbers from which threads share the measuring
_OFTEN = 3  # pairs for each row of a cell, from which products are faster


def device() -> str:
    """Return where products are computed: a CUDA device where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def taken(table: Tensor, rows: Index | slice) -> Tensor:
    """Return rows of a table; much faster than by brackets."""
    import torch

    return table[rows] if isinstance(rows, slice) else table.index_select(0, torch.from_numpy(rows).to(table.device))


class Rows:
    """Rows between which distances are wanted.

    Parameters
    ----------
    values
        [row, feature] float32, or float64 where that matters.
    metric
        ``euclidean``, ``manhattan`` or ``chebyshev``; only the first can be had from products.
    on
        Device of the products, `device()` by default.
    """

    def __init__(self, values: NDArray[Any], metric: str = "euclidean", on: str = "") -> None:
        is_single = np.asarray(values).dtype == np.float32
        self.given: NDArray[Any] = np.ascontiguousarray(values, dtype=np.float32 if is_single else np.float64)
        self.metric = metric
        self.n = len(self.given)
        self.number = np.arange(self.n)  # where each stands in `given`
        self.begin = np.zeros(1, np.int64)  # of cells, where it is known that neighbours share one
        self.half = np.zeros(self.n)
        self.lost = np.float32(0)  # of a distance at most, as rows are held in single precision
        if metric == "euclidean":
            self._prepare(on or device())

    def _prepare(self, on: str) -> None:
        import torch

        is_writable = self.given.flags.writeable  # torch warns of arrays that are not
        given = torch.from_numpy(self.given if is_writable else self.given.copy())
        middle, near_origin = given.mean(0), torch.empty(given.shape, dtype=torch.float32)
        step = max(1, BLOCK // max(1, given.shape[1]))
        for start in range(0, self.n, step):
            part = near_origin[start : start + step]
            part[:] = given[start : start + step] - middle
            self.half[start : start + step] = 0.5 * np.einsum("ij,ij->i", part, part, dtype=np.float64)
        self.product = near_origin.to(on)
        self.half_there = torch.from_numpy(self.half).float().to(on)
        self.length = np.sqrt(2.0 * self.half).astype(np.float32)
        self.longest = self.length.max(initial=np.float32(0))
        self.lost = np.float32(2.01 * _UNIT) * self.longest

    def in_order(self, number: Index, begin: Index) -> Rows:
        """Return the rows `number`, of which cells begin at `begin` [cell + 1]; nothing is computed again."""
        found = copy(self)
        found.n, found.number, found.half, found.begin = len(number), self.number[number], self.half[number], begin
        found.product, found.half_there, found.length = (
            taken(self.product, number),
            taken(self.half_there, number),
            self.length[number],
        )
        return found

    def rounding(self) -> float:
        """Return how far a product of two rows of length one may be wrong."""
        return _UNIT * (_ERRORS * float(np.sqrt(self.given.shape[1])) + 16.0)

    def halves(self, rows: Index | slice, columns: Index | slice) -> tuple[Tensor, Float]:
        """Return [row, column] half the squared distance, and [row] how far it may be wrong.

        For other metrics than the Euclidean the distance itself, with nothing wrong.
        """
        import torch

        if self.metric != "euclidean":
            from scipy.spatial.distance import cdist

            name = {"manhattan": "cityblock"}.get(self.metric, self.metric)
            found = cdist(self.given[self.number[rows]], self.given[self.number[columns]], name).astype(np.float32)
            return torch.from_numpy(found), np.zeros(len(found), np.float32)
        half = torch.addmm(
            self.half_there[columns], taken(self.product, rows), taken(self.product, columns).T, alpha=-1.0
        )
        half += taken(self.half_there, rows)[:, None]
        return half, 0.5 * self.rounding() * np.square(self.length[rows] + self.longest)

    def halves_around(self, center: Tensor, rows: Index | slice, columns: slice) -> tuple[Tensor, Float]:
        """Return what `halves` does, less wrong the nearer `rows` and `columns` are to `center` [feature]."""
        import torch

        here = taken(self.product, rows) - center
        own = 0.5 * here.square().sum(1)
        there, others = here, own
        if not (isinstance(rows, slice) and rows == columns):
            there = self.product[columns] - center
            others = 0.5 * there.square().sum(1)
        half = torch.addmm(others, here, there.T, alpha=-1.0)
        half += own[:, None]
        near = (own.sqrt() + others.max().sqrt()).cpu().numpy()
        return half, self.rounding() * np.square(near)

    def at_least(self, halves: Float, wrong: Float | np.float32) -> Float:
        """Return the least distances that `halves` may mean, each `wrong` at most."""
        if self.metric != "euclidean":
            return halves
        found = np.sqrt(np.maximum(2.0 * (halves - wrong), 0.0, dtype=np.float32)) * np.float32(1 - 1e-6)
        return np.asarray(np.maximum(found - self.lost, 0.0), np.float32)

    def at_most(self, halves: Float, wrong: Float) -> Float:
        """Return the largest distances that `halves` may mean."""
        if self.metric != "euclidean":
            return halves
        found = np.sqrt(np.maximum(2.0 * (halves + wrong), 0.0, dtype=np.float32)) * np.float32(1 + 1e-6)
        return np.asarray(found + self.lost, np.float32)

    def halves_up_to(self, distance: Float, wrong: Float) -> Float:
        """Return [row] the largest of `halves` that may mean a distance of at most `distance` [row]."""
        if self.metric != "euclidean":
            return distance
        farthest = np.square(distance.astype(np.float64) + self.lost)
        return ((0.5 * farthest + wrong) * (1 + 1e-6)).astype(np.float32)

    def distance(self, first: Index, second: Index) -> Float:
        """Return [pair] the exact distance, rounded to float32."""
        import torch

        if len(first) * self.given.shape[1] < _SHARED:
            return self._subtracted(first, second, map)
        found = self._multiplied(first, second) if len(self.begin) > 1 else np.full(len(first), np.nan, np.float32)
        left = np.flatnonzero(np.isnan(found))
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            found[left] = self._subtracted(first[left], second[left], threads.map)
        return found

    def _subtracted(self, first: Index, second: Index, each: Callable[..., Iterable[Float]]) -> Float:
        """Return [pair] the exact distance, block by block."""
        ends = np.arange(0, len(first), max(_FEWEST_PAIRS, BLOCK // max(1, self.given.shape[1])))[1:]
        return np.concatenate(list(each(self._measured, np.split(first, ends), np.split(second, ends))))

    def _multiplied(self, first: Index, second: Index) -> Float:
        """Return [pair] the exact distance where products in double precision say it for sure, NaN elsewhere.

        They are used where the rows of a cell occur again and again, and are then read from the cache of a core.
        """
        import torch

        found = np.full(len(first), np.nan, np.float32)
        size = np.diff(self.begin)
        cell = np.repeat(np.arange(len(size)), size)
        own = cell[first]
        inside = np.flatnonzero(own == cell[second])
        inside = inside[np.argsort(own[inside], kind="stable")]
        count = np.bincount(own[inside], minlength=len(size))
        end = np.cumsum(count)
        held = torch.empty(int(size.max(initial=0)), self.given.shape[1], dtype=torch.float64)
        for one in np.flatnonzero(count >= _OFTEN * size).tolist():
            start, stop = self.begin[one], self.begin[one + 1]
            table = held[: stop - start].copy_(torch.from_numpy(self.given[self.number[start:stop]]))
            table -= table[0].clone()
            pairs = inside[end[one] - count[one] : end[one]]
            found[pairs] = _by_products(table, first[pairs] - start, second[pairs] - start)
        return found

    def _measured(self, first: Index, second: Index) -> Float:
        apart = self.given[self.number[first]].astype(np.float64)
        apart -= self.given[self.number[second]]
        if self.metric == "euclidean":
            return np.asarray(np.sqrt(np.einsum("ij,ij->i", apart, apart)), np.float32)
        np.abs(apart, out=apart)
        if self.metric == "manhattan":
            return np.asarray(apart.sum(axis=1), np.float32)
        return np.asarray(apart.max(axis=1, initial=0), np.float32)


def _by_products(table: Tensor, first: Index, second: Index) -> Float:
    """Return [pair] the distance between rows of `table`, rounded to float32; NaN where its rounding is not sure.

    What a product in double precision loses is bounded for certain: it is far less than float32 can tell.
    """
    import torch

    n, n_features = table.shape
    order = np.argsort(first * n + second)
    first, second = first[order], second[order]
    begin = np.append(0, np.cumsum(np.bincount(first, minlength=n)))
    nothing = torch.zeros(len(order), dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its sparse tensors beta
        wanted = torch.sparse_csr_tensor(
            torch.from_numpy(begin), torch.from_numpy(second), nothing, (n, n), check_invariants=False
        )
    product = torch.sparse.sampled_addmm(wanted, table, table.T).values().numpy()
    square = np.vecdot(table.numpy(), table.numpy())
    length = np.sqrt(square)
    wrong = (n_features + 8) * 2.0**-52 * np.square(length[first] + length[second])
    apart = square[first] + square[second] - 2.0 * product
    least, most = (np.sqrt(np.maximum(end, 0.0)).astype(np.float32) for end in (apart - wrong, apart + wrong))
    found = np.empty(len(order), np.float32)
    found[order] = np.where(least == most, least, np.float32("nan"))
    return found
