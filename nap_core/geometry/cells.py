"""Rows parted into cells of neighbours, and how far at least each row is from each cell.

What lies in another group need not be looked at. A few hundred leaders, drawn where rows are still far from all of
them, gather the rows nearest to each; those that lie within each other's rows share a cell. Between the centre of a
row's own cell and that of another there is a line; the row cannot be nearer to any row of the other cell than both are
along this line. Rows that are far from their leader, and those of very small cells, are strays: they would spoil a
cell's bounds, so their cells have none.

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

from nap_core.geometry.products import BLOCK, Rows, taken
from nap_core.types import Float

if TYPE_CHECKING:
    from torch import Tensor

Index = NDArray[np.int64]

FEWEST = 2_000
"""Rows below which cells save nothing."""

_PER_DRAWN = 400  # rows for each leader of one draw
_DRAWS = 4  # of leaders, unless more of them find groups
_PER_LEADER = 25  # rows at least for each leader of all draws
_MOST = 1_000  # leaders; at most as many cells that say nothing
_STILL = 0.9  # of the squared distances to leaders that a draw leaves, from which it is the last
_WORTH = 0.25  # of them that more draws than usual must leave: they find groups, and do not merely part what is one
_EVEN = 16  # columns, of which processors multiply whole lots
_NEAR = 0.5  # of the lesser radius between two centres: there is nothing to gain from parting their rows
_LARGEST, _SMALLEST = 512, 16  # rows of a cell
_STRAY = 3.0  # times the median distance to the leader
_KNOWN = 100  # times what a distance may be wrong, below which nothing is said of the line between two centres


def plain_cells(n: int) -> Index:
    """Return where cells begin that say nothing of where rows lie."""
    size = max(128, -(-n // _MOST))
    return np.append(np.arange(0, n, size), n)


def _leaders(rows: Tensor, half: Tensor) -> Tensor:
    """Return the nearest leader of each row; they are drawn, joined and moved to their middles on a third of them."""
    import torch

    random = np.random.default_rng(0)
    some = random.permutation(len(rows))[: max(len(rows) // 3, _EVEN)]
    rows_there, half_there = taken(rows, some), taken(half, some)
    n_drawn = -(-len(rows) // _PER_DRAWN // _EVEN) * _EVEN
    far, nearest = _nearest(rows_there, half_there, rows_there[:n_drawn])
    usual, left = nearest, far.sum()
    for draw in range(1, max(_DRAWS, min(_MOST, len(rows) // _PER_LEADER) // n_drawn)):
        weight = np.maximum(far.double().cpu().numpy(), 0)
        if not weight.sum() > 0:
            break
        drawn = random.choice(len(some), n_drawn, p=weight / weight.sum())
        new_far, new_nearest = _nearest(rows_there, half_there, taken(rows_there, drawn))
        nearest = torch.where(new_far < far, new_nearest + draw * n_drawn, nearest)
        before, far = far.sum(), torch.minimum(far, new_far)
        if draw < _DRAWS:
            usual, left = nearest, far.sum()
        if far.sum() > _STILL * before:
            break
    center, leader = _middles(rows_there, nearest if far.sum() < _WORTH * left else usual)
    cell, _, _ = _joined(rows_there, center, leader)
    center, cell = _middles(rows_there, torch.from_numpy(cell).to(rows.device))
    large = np.flatnonzero(np.bincount(cell) >= _SMALLEST // 3)
    return _nearest(rows, half, taken(center, large) if len(large) else center)[1]


def _nearest(rows: Tensor, half: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each row half the squared distance to the nearest centre, and which that is."""
    import torch
    from torch.nn.functional import pad

    own = 0.5 * center.square().sum(1)
    more = -len(center) % _EVEN
    center, own = pad(center, (0, 0, 0, more)), pad(own, (0, more), value=torch.inf)
    parts = [
        torch.addmm(own, rows[start : start + 16_384], center.T, alpha=-1.0).min(1)
        for start in range(0, len(rows), 16_384)
    ]
    return half + torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def _middles(rows: Tensor, member: Tensor) -> tuple[Tensor, Index]:
    """Return the middle of the rows of each leader that has some, and [row] which is its own."""
    import torch

    _, member = torch.unique(member, return_inverse=True)
    count = torch.bincount(member)
    total = torch.zeros(len(count), rows.shape[1], device=rows.device).index_add_(0, member, rows)
    return total / count[:, None], np.asarray(member.cpu().numpy(), np.int64)


def _joined(rows: Tensor, center: Tensor, leader: Index) -> tuple[Index, Float, Float]:
    """Join leaders that lie within each other's rows.

    Return [row] a number that such leaders share, [row] how far it is from its own, and [leader] within what lie half
    of its rows.
    """
    import torch
    from scipy.sparse.csgraph import connected_components

    apart = _apart(rows, center, leader)
    size = np.bincount(leader)
    radius = apart[np.lexsort((apart, leader))][np.cumsum(size) - size + (size - 1) // 2]
    spread = np.square(radius) * size / np.maximum(size - 1, 1)  # around where the middle of very many would be
    between = np.square(torch.cdist(center, center).cpu().numpy())
    near = between <= _NEAR**2 * np.minimum(spread, spread[:, None]) + spread / size + (spread / size)[:, None]
    return connected_components(near, directed=False)[1].astype(np.int64)[leader], apart, radius


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
    center, leader = _middles(rows, _leaders(rows, half))
    cell, apart, radius = _joined(rows, center, leader)
    n_cells = int(cell.max()) + 1
    is_stray = (apart > _STRAY * radius[leader]) | (np.bincount(cell) < _SMALLEST)[cell]
    cell[is_stray] = n_cells
    order = np.lexsort((leader, cell)).astype(np.int64)
    begin, number = _begin(np.bincount(cell, minlength=n_cells + 1))
    return order, begin, number < n_cells


def _apart(rows: Tensor, center: Tensor, leader: Index) -> Float:
    """Return how far each row is from the middle of its leader's rows."""
    apart = np.empty(len(rows), np.float32)
    step = max(1, BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        apart[part] = (rows[part] - taken(center, leader[part])).norm(dim=1).cpu().numpy()
    return apart


def _begin(size: Index) -> tuple[Index, Index]:
    """Return where cells begin that hold no more than fits of `size` rows each, and of which size they are part."""
    parts = -(-size // _LARGEST)
    first = np.append(0, np.cumsum(size))
    begin = [np.linspace(*ends, n + 1)[:-1].astype(np.int64) for ends, n in zip(pairwise(first), parts, strict=True)]
    return np.append(np.concatenate(begin), first[-1]), np.repeat(np.arange(len(size)), parts)


def centers(rows: Rows, begin: Index, is_bounded: NDArray[np.bool_]) -> tuple[Tensor, Tensor, Tensor, Float]:
    """Return the centre of each cell, and how far every row is from each.

    Parameters
    ----------
    rows
        Cell by cell.

    Returns
    -------
    center
        [cell, feature] the middle of its rows; the origin for cells of strays.
    between
        [cell, cell] half the squared distance of centres.
    apart
        [row, cell] half the squared distance.
    wrong
        [row] how far `apart` may be wrong.
    """
    import torch

    near = rows.product
    center = torch.stack([near[start:stop].mean(0) for start, stop in pairwise(begin.tolist())])
    center[torch.from_numpy(~is_bounded).to(center.device)] = 0.0
    between = (0.5 * torch.cdist(center.double(), center.double()).square()).float()
    apart = torch.empty(rows.n, len(center), device=near.device)
    length = torch.empty(rows.n, device=near.device)
    for cell, (start, stop) in enumerate(pairwise(begin.tolist())):
        left = near[start:stop] - center[cell]
        torch.linalg.vector_norm(left, dim=1, out=length[start:stop])
        half = 0.5 * length[start:stop].square()
        torch.addmm(half[:, None], left, (center[cell] - center).T, out=apart[start:stop])
        apart[start:stop] += between[cell]
    widest = float((2.0 * between.max()).sqrt())
    wrong = rows.rounding() * length * (length + widest) + 2.0**-22 * (length + widest).square()
    return center, between, apart, wrong.cpu().numpy()


def bounds(
    center: Tensor, between: Tensor, apart: Tensor, wrong: Float, begin: Index, is_bounded: NDArray[np.bool_]
) -> Float:
    """Return [row, cell] how far at least each row is from all rows of each cell.

    Parameters
    ----------
    center, between, apart, wrong
        As `centers` returns them.
    """
    import torch

    n_cells = len(begin) - 1
    between = torch.sqrt(2.0 * between)
    between[:, ~is_bounded] = 0.0
    between[~is_bounded] = 0.0
    slack = float(wrong.max())
    inverse = torch.where(between.square() > _KNOWN * slack, 0.999 / between, 0.0)
    lost = 4.0 * slack * inverse
    along = 0.5 * center.double().square().sum(1).float() - apart  # [row, cell] the product with the centre, but for
    # what is the same in all cells
    pull: Any = torch.empty(n_cells, n_cells, device=center.device)  # [cell, own cell] nearest to the own centre
    for cell in range(n_cells):
        inside = along[begin[cell] : begin[cell + 1]]
        pull[cell] = (inside[:, cell, None] - inside).amin(0)
    for own in range(n_cells):
        inside = along[begin[own] : begin[own + 1]]
        outward = inside - inside[:, own, None].clone()
        inside.copy_(((pull[:, own] - outward) * inverse[own] - lost[own]).clamp_(min=0.0))
    return np.asarray(along.cpu().numpy())
