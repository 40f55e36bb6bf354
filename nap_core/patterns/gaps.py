"""Whether a gap lies between neighbouring patterns, or whether a continuum was cut in two.

Clustering cuts, whatever comes: UMAP and HDBSCAN's excess of mass part 1,000 rows of Gaussian noise into fifty
"patterns" that hold three quarters of them. So each pattern is compared with the patterns next to it, in the layer's
own space and not in the one that the reduction made. Density leaves the thin middle between two halves of one cloud in
no pattern, so there the images of no pattern are put where they are assigned. Communities leave out strays, which
belong to nobody (`nap_core.geometry.chance`) and fill no gap.
The images are seen along the line from one centre, 0, to the other, 1: where a gap parts the two, far fewer lie halfway
than around either centre. A centre never counts the image that is projected, else every small pattern would stand apart
in many dimensions. Equally many images are taken of both, those nearest to the other, so that a long curved pattern is
judged where it meets its neighbour. Patterns that no gap parts are put together, those with least of one first, until
gaps part all that are left: the islands.

Every pair is looked at again whenever one of the two has grown, however many images there are: fewer images that speak
for a pattern, or looking only where one has grown by a twentieth, is faster and leaves other islands.

The idea is that of the dip test: one mode has no valley.

References
----------
Hartigan, Hartigan: The dip test of unimodality. Annals of Statistics 13 (1985).
Ashman, Bird, Zepf: Detecting bimodality in astronomical datasets. Astronomical Journal 108 (1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.geometry.neighbors import Table, centred, nearest, pairwise
from nap_core.geometry.spanning_tree import grown_tree
from nap_core.types import NOISE, Float, Int, Patterns, frozen_array

N_NEAREST = 10
"""Neighbours of an image that make its pattern and theirs neighbours."""

N_CENTERS = 2
"""Nearest centres whose patterns are neighbours in any case, so that an empty gap is looked at, too."""

BAND = 0.15
"""Half the width of the bands around 0, 0.5 and 1 in which images are counted."""

MOST_LEFT = 0.5
"""A gap holds at most this share of the images around the emptier of the two centres."""

SIGNIFICANT = 0.01
"""Level after correction for the pairs looked at; strict, as the clustering chose the emptiest places to cut at."""

_PARTED = -1.0  # in place of how filled the middle of a pair is that a gap parts
_MOST_SIDE = 200  # images of one pattern that are projected


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Neighbouring patterns and what lies between them."""

    first: Int  # [pair] pattern
    second: Int  # [pair] pattern, larger than `first`
    links: Int  # [pair] images that have one of the other pattern among their nearest; may be 0
    filled: Float  # [pair] images halfway over those around the emptier centre; 0 an empty gap, 1 none
    p_value: Float  # [pair] of so few if halfway were as full, corrected (Benjamini, Hochberg)
    island: Int  # [pattern] numbered by size, the largest 0

    def __post_init__(self) -> None:
        for name in ("first", "second", "links", "island"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32))
        for name in ("filled", "p_value"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        assert len(self.first) == len(self.second) == len(self.links) == len(self.filled) == len(self.p_value)

    @property
    def is_gap(self) -> NDArray[np.bool_]:
        """[pair] whether a gap parts the two."""
        found: NDArray[np.bool_] = (self.filled <= MOST_LEFT) & (self.p_value <= SIGNIFICANT)
        return found

    @property
    def n_islands(self) -> int:
        """Number of islands."""
        return int(self.island.max(initial=-1)) + 1

    @property
    def apart(self) -> NDArray[np.bool_]:
        """[pattern] whether a gap parts it from every neighbour."""
        joined = ~self.is_gap
        alone = np.ones(len(self.island), bool)
        alone[self.first[joined]] = alone[self.second[joined]] = False
        return alone

    def fullest(self) -> tuple[Int, Float]:
        """Return for each pattern the neighbour with least of a gap between, and `filled` there; `NOISE` and 0 where a
        pattern has no neighbour.
        """
        neighbor, filled = np.full(len(self.island), NOISE, np.int32), np.zeros(len(self.island), np.float32)
        for pair in np.argsort(self.filled, kind="stable"):
            for here, there in ((self.first, self.second), (self.second, self.first)):
                neighbor[here[pair]], filled[here[pair]] = there[pair], self.filled[pair]
        return neighbor, filled


def _side(rows: Table, own: Table, other: Table, most: int) -> Table:
    """Return the at most `most` rows nearest to `other`, compared with their own centre."""
    if len(rows) <= most:
        return rows
    toward = rows @ (other - own)
    return rows[np.argsort(-toward, kind="stable")[:most]]


def _positions(rows: Table, other: Table) -> NDArray[np.float64]:
    """Return where rows lie between their own centre, 0, and that of `other`, 1; each without a part in its centre."""
    n = len(rows)
    own = (rows.sum(axis=0) - rows) / max(1, n - 1)
    line = other.mean(axis=0) - own
    length = np.einsum("ij,ij->i", line, line)
    along = np.einsum("ij,ij->i", rows - own, line)
    place: Table = np.divide(along, length, out=np.full(n, 0.5), where=length > 0)
    return place


def between(a: Table, b: Table) -> tuple[float, float]:
    """Return how filled the middle between two patterns is, and the p-value of that.

    Parameters
    ----------
    a, b
        [row, feature] at least two rows each.

    Returns
    -------
    filled
        Images halfway over those around the emptier centre: 0 an empty gap, 1 none.
    p_value
        Of so few halfway, if an image there were as likely as around that centre.
    """
    from scipy.special import bdtr

    most = min(len(a), len(b), _MOST_SIDE)
    center_a, center_b = a.mean(axis=0), b.mean(axis=0)
    a, b = _side(a, center_a, center_b, most), _side(b, center_b, center_a, most)
    place = np.concatenate([_positions(a, b), 1.0 - _positions(b, a)])
    first, halfway, second = ((np.abs(place - at) < BAND).sum() for at in (0.0, 0.5, 1.0))
    around = int(min(first, second))
    return float(halfway / max(1, around)), float(bdtr(halfway, halfway + around, 0.5))


def _neighbors(values: NDArray[Any], label: NDArray[Any]) -> NDArray[np.int64]:
    """Return [pattern, pattern] how many images of the one have an image of the other among their nearest."""
    n_patterns = int(label.max(initial=NOISE)) + 1
    near, _ = nearest(values, N_NEAREST)
    links = np.zeros((n_patterns + 1, n_patterns + 1), np.int64)
    pairs = np.unique(np.stack([np.repeat(np.arange(len(label)), near.shape[1]), label[near].ravel()], 1), axis=0)
    np.add.at(links, (label[pairs[:, 0]], pairs[:, 1]), 1)
    links = links[:-1, :-1]
    return np.asarray(np.triu(links + links.T, 1), dtype=np.int64)


def _next_centers(center: Table) -> NDArray[np.bool_]:
    """Return [pattern, pattern], above the diagonal, whether either is among the other's nearest.

    The spanning tree of the centres is in it, so that every pattern is compared with another one in the end.
    """
    near, _ = nearest(center, N_CENTERS)
    found = np.zeros((len(center), len(center)), bool)
    found[np.arange(len(center))[:, None], near] = True
    tree = grown_tree(pairwise(center), np.zeros(len(center), np.float32))
    found[tree[:, 0], tree[:, 1]] = True
    return np.triu(found | found.T, 1)


class _Joining:
    """Patterns that become islands: the two neighbours with least of a gap between are put together, again and again.

    Parameters
    ----------
    group
        [pattern] its images.
    """

    def __init__(self, group: list[Table]) -> None:
        self.rows = dict(enumerate(group))
        self.island = np.arange(len(group))
        self.filled: list[dict[int, float]] = [{} for _ in group]  # of each neighbour, as it was looked at last
        self.heap: list[tuple[float, int, int]] = []  # of equally filled pairs the last ones first

    def keep(self, a: int, b: int, filled: float, p_value: float) -> None:
        """Write down what lies between two neighbours."""
        is_joined = filled > MOST_LEFT or p_value > SIGNIFICANT
        self.filled[a][b] = self.filled[b][a] = filled if is_joined else _PARTED
        if is_joined:
            heappush(self.heap, (-filled, -min(a, b), -max(a, b)))

    def join_all(self) -> None:
        """Put together until gaps part all that are left."""
        while self.heap:
            filled, a, b = heappop(self.heap)
            if self.filled[-a].get(-b) == -filled:  # else it was looked at again, or one of the two is no more
                self._join(-a, -b)

    def _join(self, kept: int, gone: int) -> None:
        self.rows[kept] = np.concatenate([self.rows[kept], self.rows.pop(gone)])
        self.island[self.island == gone] = kept
        others = sorted({*self.filled[kept], *self.filled[gone]} - {kept, gone})
        self.filled[kept].pop(gone)
        self.filled[gone] = {}
        for other in others:
            self.filled[other].pop(gone, None)
            self.keep(kept, other, *between(self.rows[kept], self.rows[other]))


def _islands(group: list[Table], first: Int, second: Int, found: NDArray[np.float64]) -> Int:
    """Return [pattern] its island, the one with most images first.

    What was put together is compared with its neighbours as one: a few images on the border, too few to show a gap,
    then cannot chain together what a gap parts.
    """
    joining = _Joining(group)
    for a, b, (filled, p_value) in zip(first.tolist(), second.tolist(), found.tolist(), strict=True):
        joining.keep(a, b, filled, p_value)
    joining.join_all()
    size = np.bincount(joining.island, weights=[len(rows) for rows in group], minlength=len(group))
    number: Int = np.argsort(np.argsort(-size, kind="stable"))[joining.island].astype(np.int32)
    return number


def compared_label(patterns: Patterns, config: ClusterConfig) -> Int:
    """Return [image] the pattern with which an image takes part when gaps are looked for, or `NOISE`."""
    return patterns.label if config.hierarchy == "communities" else patterns.assigned


def gaps(values: NDArray[Any], label: NDArray[Any]) -> Gaps:
    """Look for gaps between neighbouring patterns.

    Parameters
    ----------
    values
        [image, feature] as compared in the layer, before any reduction.
    label
        [image] as `compared_label` returns it. Images that are `NOISE` are left out.
    """
    from scipy.stats import false_discovery_control

    kept = label != NOISE
    table, label = centred(values[kept]), label[kept]
    n_patterns = int(label.max(initial=NOISE)) + 1
    if n_patterns < 2:
        nothing: Any = np.empty(0)
        return Gaps(nothing, nothing, nothing, nothing, nothing, np.zeros(n_patterns, np.int32))
    links = _neighbors(table, label)
    member = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label, minlength=n_patterns))[:-1])
    group = [table[images] for images in member]
    center = np.stack([rows.mean(axis=0) for rows in group])
    first, second = (side.astype(np.int32) for side in np.nonzero((links > 0) | _next_centers(center)))
    found = np.array([between(group[a], group[b]) for a, b in zip(first, second, strict=True)]).reshape(-1, 2)
    p_value = false_discovery_control(found[:, 1]) if len(found) else found[:, 1]
    island = _islands(group, first, second, found)
    return Gaps(first, second, links[first, second].astype(np.int32), found[:, 0], p_value, island)
