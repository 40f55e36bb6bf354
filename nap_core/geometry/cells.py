"""Rows parted into cells of neighbours, and how far at least each row is from each cell.

What lies in another group need not be looked at. A few hundred leaders, drawn where rows are still far from all of
them, gather the rows nearest to each. Between the centre of a row's own cell and that of another there is a line; the
row cannot be nearer to any row of the other cell than both are along this line. Rows that are far from their leader,
and those of very small cells, are strays: they would spoil a cell's bounds, so their cells have none.

References
----------
Arthur, Vassilvitskii: k-means++. SODA 2007, for drawing leaders by squared distance.
Ramasubramanian, Paliwal: Fast k-dimensional tree algorithms for nearest neighbor search. IEEE Transactions on Signal
Processing 40 (1992), for bounds along lines between centres.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import Float

if TYPE_CHECKING:
    from torch import Tensor

Index = NDArray[np.int64]

FEWEST = 2_000
"""Rows below which cells save nothing."""

_PER_CELL, _MOST_CELLS = 100, 1_000  # rows for a leader on average; leaders at most
_LARGEST, _SMALLEST = 512, 16  # rows of a cell
_STRAY = 2.0  # times the median distance to the leader


def plain_cells(n: int) -> Index:
    """Return where cells begin that say nothing of where rows lie."""
    size = max(128, -(-n // _MOST_CELLS))
    return np.append(np.arange(0, n, size), n)


def _leaders(rows: Tensor, half: Tensor, n_leaders: int) -> Tensor:
    """Return the nearest leader of each row, after each leader has moved to the middle of its rows."""
    import torch

    random = np.random.default_rng(0)
    n = len(rows)
    chosen = random.permutation(n)[: n_leaders // 2]
    far, nearest = _nearest(rows, half, rows[chosen])
    for share in (4, 4):
        weight = np.maximum(far.double().cpu().numpy(), 0)
        if not weight.sum() > 0:
            break
        drawn = np.unique(random.choice(n, n_leaders // share, p=weight / weight.sum()))
        center = torch.cat([rows[chosen], rows[drawn]])
        chosen = np.append(chosen, drawn)
        far, nearest = _nearest(rows, half, center)
    return _nearest(rows, half, _middles(rows, nearest))[1]


def _nearest(rows: Tensor, half: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each row half the squared distance to the nearest centre, and which that is."""
    import torch

    own = 0.5 * center.square().sum(1)
    parts = [
        torch.addmm(own, rows[start : start + 16_384], center.T, alpha=-1.0).min(1)
        for start in range(0, len(rows), 16_384)
    ]
    return half + torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def _middles(rows: Tensor, member: Tensor) -> Tensor:
    import torch

    _, member = torch.unique(member, return_inverse=True)
    count = torch.bincount(member)
    total = torch.zeros(len(count), rows.shape[1], device=rows.device).index_add_(0, member, rows)
    return total / count[:, None]


def cells(rows: Tensor, half: Tensor) -> tuple[Index, Index, NDArray[np.bool_]]:
    """Part the rows.

    Parameters
    ----------
    rows
        [row, feature] around the origin, float32.
    half
        [row] half their squared length.

    Returns
    -------
    order
        The rows, cell by cell.
    begin
        [cell + 1] where each begins in `order`.
    is_bounded
        [cell] whether it is a cell of neighbours; strays are not.
    """
    n = len(rows)
    leader = _leaders(rows, half, min(_MOST_CELLS, max(2, n // _PER_CELL)))
    center = _middles(rows, leader)
    cell = np.unique(leader.cpu().numpy(), return_inverse=True)[1].astype(np.int64)
    apart = np.empty(n, np.float32)
    for start in range(0, n, 8_192):
        part = slice(start, start + 8_192)
        apart[part] = (rows[part] - center[cell[part]]).square_().sum(1).sqrt_().cpu().numpy()
    order = np.lexsort((apart, cell))
    size = np.bincount(cell)
    first = np.append(0, np.cumsum(size))
    median = apart[order][first[:-1] + (size - 1) // 2]
    is_stray = (apart > _STRAY * median[cell]) | (size < _SMALLEST)[cell]
    cell[is_stray] = len(size)
    order = np.argsort(cell, kind="stable").astype(np.int64)
    size = np.bincount(cell, minlength=len(size) + 1)
    first = np.append(0, np.cumsum(size))
    begin: list[int] = []
    bounded: list[bool] = []
    for number, (start, stop) in enumerate(pairwise(first.tolist())):
        parts = -(-(stop - start) // _LARGEST)
        begin += np.linspace(start, stop, parts + 1)[:-1].astype(int).tolist() if parts else []
        bounded += [number < len(size) - 1] * int(parts)
    return order, np.array([*begin, n], np.int64), np.array(bounded)


def bounds(rows: Tensor, begin: Index, is_bounded: NDArray[np.bool_], slack: float) -> Float:
    """Return [row, cell] how far at least each row is from all rows of each cell.

    Parameters
    ----------
    rows
        [row, feature] cell by cell.
    slack
        How far half a squared distance may be wrong.
    """
    import torch

    n_cells = len(begin) - 1
    center = torch.stack([rows[start:stop].mean(0) for start, stop in pairwise(begin.tolist())])
    along = rows @ center.T
    apart = torch.cdist(center, center)
    apart[:, ~is_bounded] = 0.0
    apart[~is_bounded] = 0.0
    inverse = torch.where(apart.square() > 4_000 * slack, 0.999 / apart, 0.0)  # nearer ones are not known well enough
    wrong = 4.0 * slack * inverse
    pull: Any = torch.empty(n_cells, n_cells, device=rows.device)  # [cell, own cell] nearest to the own centre
    for cell in range(n_cells):
        inside = along[begin[cell] : begin[cell + 1]]
        pull[cell] = (inside[:, cell, None] - inside).amin(0)
    for own in range(n_cells):
        inside = along[begin[own] : begin[own + 1]]
        outward = inside - inside[:, own, None].clone()
        inside.copy_(((pull[:, own] - outward) * inverse[own] - wrong[own]).clamp_(min=0.0))
    return np.asarray(along.cpu().numpy())
