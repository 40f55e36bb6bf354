"""A continuum in place of groups: the leading directions of a layer, and what orders the images along each.

Principal components of the values as they are compared. What orders a direction is asked of columns of any kind:
numbers by rank correlation, names by the share of the ranks' spread that lies between the names. A correlation is no
cause: brightness may order a direction because night scenes are dark.

References
----------
Spearman: The proof and measurement of association between two things. American Journal of Psychology 15 (1904).
Kruskal, Wallis: Use of ranks in one-criterion variance analysis. JASA 47 (1952).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.geometry.ordering import canonical_order
from nap_core.geometry.reduction import principal_components
from nap_core.patterns.clustering import compared
from nap_core.types import Activations, Float, frozen_array

N_DIRECTIONS = 4
SIGNIFICANT = 0.01
"""Level after correction for every direction and column asked at once (Bonferroni)."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a column goes along a direction."""

    direction: int
    column: str
    strength: float  # of a number |Spearman's rho|, of names the root of their share of the ranks' variance; in [0, 1]
    rises: bool | None  # None for names, which have no order
    p_value: float  # corrected


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Where every image lies along the leading directions, the widest first."""

    layer: str
    score: Float  # [image, direction]
    share: Float  # [direction] of the layer's variance, in [0, 1]

    def __post_init__(self) -> None:
        object.__setattr__(self, "score", frozen_array(self.score, np.float32, 2))
        object.__setattr__(self, "share", frozen_array(self.share, np.float32))
        assert self.score.shape[1] == len(self.share)


def directions(activations: Activations, config: ClusterConfig, most: int = N_DIRECTIONS) -> Directions:
    """Return the leading directions of a layer as `config` compares its images, before any reduction."""
    order = canonical_order(activations.values)
    values = compared(replace(activations, values=activations.values[order]), config)
    score = principal_components(values, most)
    total = float(values.var(axis=0, dtype=np.float64).sum())
    share = score.var(axis=0, dtype=np.float64) / total if total else np.zeros(score.shape[1])
    return Directions(activations.layer, score[np.argsort(order)], share.astype(np.float32))


def _number(score: NDArray[Any], column: NDArray[Any]) -> tuple[float, bool | None, float]:
    from scipy.stats import spearmanr

    known = np.isfinite(column)
    if known.sum() < 3 or np.ptp(column[known]) == 0 or np.ptp(score[known]) == 0:
        return 0.0, True, 1.0
    rho, p_value = spearmanr(score[known], column[known])
    return abs(float(rho)), bool(rho > 0), float(p_value)


def _names(score: NDArray[Any], column: NDArray[Any]) -> tuple[float, bool | None, float]:
    from scipy.stats import chi2, rankdata

    known = column != ""
    names, number = np.unique(column[known], return_inverse=True)
    n = len(number)
    if len(names) < 2 or n <= len(names):
        return 0.0, None, 1.0
    rank = rankdata(score[known])
    size = np.bincount(number)
    between = float((size * (np.bincount(number, weights=rank) / size - rank.mean()) ** 2).sum())
    spread = float(((rank - rank.mean()) ** 2).sum())
    share = between / spread if spread else 0.0
    # Many names explain much by chance: what they would is taken off.
    fair = max(0.0, 1.0 - (1.0 - share) * (n - 1) / (n - len(names)))
    return float(np.sqrt(fair)), None, float(chi2.sf((n - 1) * share, len(names) - 1))


def ordered_by(found: Directions, columns: Mapping[str, NDArray[Any]]) -> list[Order]:
    """Return what orders each direction significantly: by direction, the strongest first.

    Parameters
    ----------
    columns
        Name → [image] numbers, NaN where unknown, or names, "" where unknown.
    """
    n_asked = max(1, len(columns) * len(found.share))
    orders = []
    for direction in range(len(found.share)):
        for name, column in columns.items():
            column = np.asarray(column)
            score = found.score[:, direction]
            strength, rises, p_value = (
                _number(score, column.astype(np.float64)) if column.dtype.kind in "fiub" else _names(score, column)
            )
            orders.append(Order(direction, name, strength, rises, min(1.0, p_value * n_asked)))
    told = [order for order in orders if order.p_value <= SIGNIFICANT]
    return sorted(told, key=lambda order: (order.direction, -order.strength))


def along(found: Directions, direction: int, most: int) -> NDArray[np.int64]:
    """Return images at even steps of rank from one end of a direction to the other."""
    ranked = np.argsort(found.score[:, direction], kind="stable")
    return ranked[np.unique(np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(np.int64))]
