"""Distances that are exact where they count, at the price of a float32 matrix product where they do not.

A product in single precision says of nearly every pair of rows that it is too far apart to matter, and how far its
answer may be wrong. The few pairs that are left are measured by their difference, in double precision. So nothing
depends on blocks, threads or device, and equal distances are equal numbers.

The bound is probabilistic: with `_ERRORS` standard deviations of the rounding error of a dot product it fails once in
some 10¹³ pairs that lie just at it.

References
----------
Higham, Mary: A new approach to probabilistic rounding error analysis. SIAM Journal on Scientific Computing 41 (2019).
"""

from __future__ import annotations

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
_PAIRS = 1024  # measured at once: their rows stay in the cache of a core


def device() -> str:
    """Return where products are computed: a CUDA device where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


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
        self.half = np.zeros(self.n, np.float32)
        if metric == "euclidean":
            self._prepare(on or device())

    def _prepare(self, on: str) -> None:
        import torch

        middle = self.given.mean(axis=0, dtype=np.float64)
        near_origin = np.empty(self.given.shape, np.float32)
        step = max(1, 4_000_000 // max(1, self.given.shape[1]))
        for start in range(0, self.n, step):
            part = self.given[start : start + step] - middle
            near_origin[start : start + step] = part
            self.half[start : start + step] = 0.5 * np.einsum("ij,ij->i", part, part)
        self.product = torch.from_numpy(near_origin).to(on)
        self.half_there = torch.from_numpy(self.half).to(on)
        length = np.sqrt(2.0 * self.half.astype(np.float64))
        rounding = _UNIT * (_ERRORS * np.sqrt(self.given.shape[1]) + 16.0)
        self.slack: Float = (0.5 * rounding * (length + length.max(initial=0.0)) ** 2).astype(np.float32)

    def halves(self, rows: Index | slice, columns: Index | slice) -> Tensor:
        """Return [row, column] half the squared distance less the row's own `half`, wrong by at most `slack` [row].

        For other metrics the distance itself, with nothing wrong.
        """
        import torch

        if self.metric != "euclidean":
            from scipy.spatial.distance import cdist

            name = {"manhattan": "cityblock"}.get(self.metric, self.metric)
            return torch.from_numpy(cdist(self.given[rows], self.given[columns], name).astype(np.float32))
        return torch.addmm(self.half_there[columns], self.product[rows], self.product[columns].T, alpha=-1.0)

    def half_of(self, rows: Index | slice) -> Float:
        """Return [row] what `halves` leave out."""
        return self.half[rows]

    def at_least(self, rows: Index | slice, halves: Float) -> Float:
        """Return the least distances that `halves` [row, …] may mean."""
        if self.metric != "euclidean":
            return halves
        shift = (self.half[rows] - self.slack[rows]).reshape(-1, *[1] * (halves.ndim - 1))
        found: Float = np.sqrt(np.maximum(2.0 * (halves + shift), 0.0, dtype=np.float32)) * np.float32(1 - 1e-6)
        return found

    def at_most(self, rows: Index | slice, halves: Float) -> Float:
        """Return the largest distances [row] that `halves` [row] may mean."""
        if self.metric != "euclidean":
            return halves
        found = np.maximum(2.0 * (halves + self.half[rows] + self.slack[rows]), 0.0, dtype=np.float32)
        return np.asarray(np.sqrt(found) * np.float32(1 + 1e-6))

    def halves_up_to(self, rows: Index, distance: Float) -> Float:
        """Return [row] the largest of `halves` that may mean a distance of at most `distance` [row]."""
        if self.metric != "euclidean":
            return distance
        half = 0.5 * distance.astype(np.float64) ** 2
        return (half * (1 + 1e-6) - self.half[rows] + self.slack[rows] * (1 + 1e-6)).astype(np.float32)

    def distance(self, first: Index, second: Index) -> Float:
        """Return [pair] the exact distance, rounded to float32."""
        found = np.empty(len(first), np.float64)
        for start in range(0, len(first), _PAIRS):
            part = slice(start, start + _PAIRS)
            apart = self.given[first[part]]
            apart -= self.given[second[part]]
            if self.metric == "euclidean":
                found[part] = np.sqrt(np.einsum("ij,ij->i", apart, apart, dtype=np.float64))
            else:
                np.abs(apart, out=apart)
                whole = self.metric == "manhattan"
                found[part] = apart.sum(axis=1, dtype=np.float64) if whole else apart.max(axis=1, initial=0)
        return found.astype(np.float32)
