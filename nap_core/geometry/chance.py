"""Rows whose nearest are no nearer than chance would have them: strays, whoever happens to be next to them.

A neighbour graph ties every row to somebody, however far, and what is tied is grouped. So each row's mean distance to
its five nearest is compared with what two kinds of rows without groups give, evened alike:

- *units apart*: every unit keeps its values, in an order of its own, so that nothing is left of their company;
- *one cloud*: normal rows with as much spread along each direction, so that nothing is left but a single lump.

A row is by chance where its nearest are as far as those of nine in ten rows of both kinds. One kind alone would take
too many: four groups at the corners of a square are two independent units, and few photos fill the directions that
they span as evenly as one lump.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.communities import evened
from nap_core.geometry.neighbors import nearest_among
from nap_core.types import Float

N_NEAREST = 5
AS_FAR = 0.1
"""Share of the rows without groups that may have nearer ones. At 0.25 a third more strays stay unseen, at 0.05 one in
ten rows of blurred planted groups is lost."""

FEWEST = 50
"""Rows below which nothing is said."""

N_COMPARED = 1000
"""Rows without groups whose distances are the yardstick, evenly taken."""


def usual_far(rows: NDArray[Any], metric: str) -> float:
    """Return the mean distance to the nearest that nine in ten of these rows have at least."""
    taken = np.arange(0, len(rows), -(-len(rows) // N_COMPARED))
    _, distance = nearest_among(rows, taken, np.arange(len(rows)), N_NEAREST + 1, metric)
    return float(np.quantile(distance[:, 1:].mean(axis=1), AS_FAR))  # the first is the row itself


def one_cloud(rows: Float, random: np.random.Generator, *, angle: bool) -> Float:
    """Return as many normal rows with the mean and spread of each column; of length 1 where `angle` says so."""
    found = rows.mean(axis=0) + rows.std(axis=0) * random.normal(size=rows.shape)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    if angle:
        np.divide(found, length, out=found, where=length > 0)
    rows_of_length: Float = found.astype(np.float32)
    return rows_of_length


def by_chance(
    values: NDArray[Any], rows: Float, distance: Float, metric: str = "euclidean", *, angle: bool = True, seed: int = 0
) -> NDArray[np.bool_]:
    """Return [row] whether a row's nearest are no nearer than by chance.

    Parameters
    ----------
    values
        [row, feature] all rows different.
    rows
        [row, component] the same, evened.
    distance
        [row, neighbour] between these, nearest first.
    """
    if len(values) < FEWEST:
        return np.zeros(len(values), bool)
    random = np.random.default_rng(seed)
    apart = evened(np.stack([random.permutation(column) for column in values.T], axis=1), angle=angle)
    least = [usual_far(kind, metric) for kind in (apart, one_cloud(rows, random, angle=angle))]
    found: NDArray[np.bool_] = distance[:, :N_NEAREST].mean(axis=1) >= max(least)
    return found & (min(least) > 0)
