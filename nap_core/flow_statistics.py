"""What a flow says beyond its counts: which ribbons chance would not bring, and of which class bars and ribbons are.

Two patterns of neighbouring layers always share some images: of `n` followed images, a bar of `a` and a bar of `b`
share ``a * b / n`` when membership in the one says nothing about the other, and the number they then share by luck
follows the hypergeometric distribution. A ribbon is told as more, or fewer, than that only where the difference stands
after all pairs of bars of its two layers were tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nap_core.flows import FlowChart
from nap_core.types import NOISE, Float, Int, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class RibbonStatistics:
    """How every ribbon of a chart compares with chance."""

    expected: Float  # [ribbon] images that chance would bring
    lift: Float  # [ribbon] images there are, in multiples of `expected`
    p: NDArray[np.float64]  # [ribbon] two-sided and corrected over all pairs of bars of the two layers, in [0, 1]

    def __post_init__(self) -> None:
        for name, dtype in (("expected", np.float32), ("lift", np.float32), ("p", np.float64)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype))
        assert len(self.expected) == len(self.lift) == len(self.p)


def ribbon_statistics(chart: FlowChart) -> RibbonStatistics:
    """Compare every ribbon with what chance would bring among the followed images.

    Bars are taken as they are drawn: noise and the folded patterns count as one bar each. The p-value is twice the
    smaller tail of the hypergeometric distribution; the correction is over *all* pairs of bars of two neighbouring
    layers, those that share nothing included, because they were tried as well.

    References
    ----------
    Benjamini, Hochberg: Controlling the false discovery rate. J. R. Statist. Soc. B 57 (1995).
    """
    size = np.array([node.size for node in chart.nodes], np.int64)
    layer = np.array([node.layer for node in chart.nodes], np.int64)
    ends = np.array([(r.source, r.target, r.count) for r in chart.ribbons], np.int64).reshape(-1, 3)
    expected, p = np.zeros(len(ends)), np.ones(len(ends))
    for step in range(len(chart.layers) - 1):
        here = np.flatnonzero(layer[ends[:, 0]] == step)
        sources, targets = np.flatnonzero(layer == step), np.flatnonzero(layer == step + 1)
        at = ends[here, 0] - sources[0], ends[here, 1] - targets[0]
        shared = np.zeros((len(sources), len(targets)), np.int64)
        shared[at] = ends[here, 2]
        expected[here] = (np.outer(size[sources], size[targets]) / chart.n_followed)[at]
        p[here] = corrected(shared)[at]
    lift = ends[:, 2] / np.maximum(expected, 1e-12)
    return RibbonStatistics(expected.astype(np.float32), lift.astype(np.float32), p)


def corrected(shared: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``[source, target]`` the two-sided hypergeometric p-values of a table of counts, Benjamini-Hochberg."""
    from scipy.stats import false_discovery_control

    found: NDArray[np.float64] = false_discovery_control(_two_sided(shared).ravel()).reshape(shared.shape)
    return found


def _two_sided(shared: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return twice the smaller tail for every cell, a row at a time; `scipy.stats.hypergeom` takes seconds for this."""
    from scipy.special import gammaln

    n, column = int(shared.sum()), shared.sum(axis=0)[:, None]
    factorial = gammaln(np.arange(n + 1) + 1.0)
    found, each = np.ones(shared.shape), np.arange(shared.shape[1])
    for row, counts in enumerate(shared):
        size = int(counts.sum())
        k = np.arange(min(size, int(column.max())) + 1)[None, :]
        inside = np.clip(column - k, 0, n - size)
        likely = (
            (factorial[size] - factorial[k] - factorial[size - k])
            + (factorial[n - size] - factorial[inside] - factorial[n - size - inside])
            - (factorial[n] - factorial[column] - factorial[n - column])
        )
        chance = np.where(column - k == inside, np.exp(np.minimum(likely, 0)), 0)  # [target, k]
        more, fewer = chance[:, ::-1].cumsum(axis=1)[:, ::-1], chance.cumsum(axis=1)
        found[row] = 2 * np.minimum(more[each, counts], fewer[each, counts])
    return np.clip(found, 0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Majority:
    """The commonest class of every bar and every ribbon; `NOISE` and share 0 where no class is known.

    A bar is told by the whole pattern, a ribbon by the followed images: where misclassified circles run into a pattern
    of stars, that is what there is to see. Folded patterns have no class of their own.
    """

    node: Int  # [node] class
    node_share: Float  # [node] of the pattern's images of known class, in [0, 1]
    ribbon: Int  # [ribbon] class
    ribbon_share: Float  # [ribbon] of its images of known class, in [0, 1]


def majority(chart: FlowChart, target: Int) -> Majority:
    """Return the commonest class of every bar and ribbon; `target` [image] is the class of each image, or `NOISE`."""
    n_classes = int(target.max(initial=NOISE)) + 1
    node = _commonest(chart.drawn_in, target, len(chart.nodes), n_classes)
    return Majority(*node, *_commonest(chart.ribbon_of, target, len(chart.ribbons), n_classes))


def _commonest(part_of: Int, target: Int, n_parts: int, n_classes: int) -> tuple[Int, Float]:
    """Return the commonest class of every part and its share; `part_of` [layer, image] is -1 for an image in none."""
    if not n_classes or not n_parts:
        return np.full(n_parts, NOISE, np.int32), np.zeros(n_parts, np.float32)
    table = np.zeros((n_parts, n_classes), np.int64)
    for row in part_of:
        known = (row >= 0) & (target != NOISE)
        pairs = row[known].astype(np.int64) * n_classes + target[known]
        table += np.bincount(pairs, minlength=table.size).reshape(table.shape)
    n = table.sum(axis=1)
    commonest = np.where(n > 0, table.argmax(axis=1), NOISE).astype(np.int32)
    return commonest, (table.max(axis=1) / np.maximum(n, 1)).astype(np.float32)
