"""Products in bfloat16 where the processor has fast ones, and how far at most they are wrong.

A number in bfloat16 has eight binary digits. What that loses of a row is known, so by Cauchy and Schwarz a product of
two rows is wrong by no more than one's length times what the other lost, and the reverse. A row around the centre of
its cell is short and loses little. As a filter before exact distances this is enough, and several times as fast.
"""

from __future__ import annotations

import time
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.products import Rows, taken
from nap_core.types import Float

if TYPE_CHECKING:
    from torch import Tensor

Index = NDArray[np.int64]

_LOST = 1.01 * 2.0**-8  # at most, of a product that is itself rounded
_WORTH = 1.7  # times as fast as single precision, from which it is used


@cache
def is_fast() -> bool:
    """Whether this processor multiplies much faster in bfloat16 than in single precision, tried out once."""
    import torch

    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        table = torch.ones(768, 768, dtype=dtype)
        tries = []
        for _ in range(4):  # the first prepares
            began = time.perf_counter()
            table @ table
            tries.append(time.perf_counter() - began)
        seconds[dtype] = min(tries)
    return seconds[torch.float32] > _WORTH * seconds[torch.bfloat16]


class HalfPrecision:
    """Rows, and what is left of them after the centre of their cell, in bfloat16.

    Parameters
    ----------
    rows
        In the order of their cells.
    begin
        [cell + 1] where each begins.
    center
        [cell, feature] in single precision.
    apart
        [row, cell] half the squared distance of every row to every centre.
    wrong
        [row] how far that may be wrong.
    """

    def __init__(self, rows: Rows, begin: Index, center: Tensor, apart: Tensor, wrong: Float) -> None:
        import torch

        self.rows, self.begin, self.apart, self.wrong = rows, begin, apart, wrong
        self.whole, self.rest = torch.empty((2, *rows.product.shape), dtype=torch.bfloat16)
        self.lost, self.base = np.empty(rows.n, np.float32), torch.empty(rows.n)
        self.rest_length, self.rest_lost = np.empty((2, len(center)), np.float32)
        to_center = 0.5 * center.double().square().sum(1).numpy()
        for cell, (start, stop) in enumerate(pairwise(begin.tolist())):
            inside = rows.product[start:stop]
            self.whole[start:stop], self.lost[start:stop] = _rounded(inside)
            left = inside - center[cell]
            self.rest[start:stop], lost = _rounded(left)
            self.base[start:stop] = torch.from_numpy(rows.half[start:stop] - to_center[cell])
            self.rest_length[cell], self.rest_lost[cell] = left.norm(dim=1).max(), lost.max()

    def halves(self, rows: Index, cell: int) -> tuple[Tensor, Float]:
        """Return [row, row of the cell] half the squared distance, and [row] how far it may be wrong."""
        columns = slice(int(self.begin[cell]), int(self.begin[cell + 1]))
        product, wrong = self._products(rows, self.rest[columns], self.rest_length[cell], self.rest_lost[cell])
        return self._less(self.base[columns], product).add_(taken(self.apart[:, cell], rows)[:, None]), wrong

    def halves_to_all(self, rows: Index) -> tuple[Tensor, Float]:
        """Return [row, any row] half the squared distance, and [row] how far it may be wrong."""
        product, wrong = self._products(rows, self.whole, self.rows.longest, self.lost.max())
        here = taken(self.rows.half_there, rows)
        return self._less(self.rows.half_there, product).add_(here[:, None]), wrong

    @staticmethod
    def _less(base: Tensor, product: Tensor) -> Tensor:
        """Return `base` less `product`, in its place."""
        import torch

        return torch.sub(base, product, out=product)

    def _products(
        self, rows: Index, others: Tensor, longest: np.float32, most_lost: np.float32
    ) -> tuple[Tensor, Float]:
        found = (taken(self.whole, rows) @ others.T).float()
        most = np.maximum(found.amax(1).numpy(), -found.amin(1).numpy())
        length = self.rows.length[rows]
        wrong = length * most_lost + self.lost[rows] * (longest + most_lost) + _LOST * most
        wrong += self.rows.rounding() * length * longest
        return found, wrong + self.wrong[rows]


def _rounded(table: Tensor) -> tuple[Tensor, Float]:
    """Return the rows in bfloat16, and [row] how long at most what that loses of each is."""
    found = table.bfloat16()
    return found, (table - found).norm(dim=1).numpy() * np.float32(1 + 1e-5)
