"""What sets the members of a pattern apart from all other images: simple properties, and columns of a table.

For a number the effect is Cliff's delta with the Mann-Whitney test behind it, for a category the lift with the
hypergeometric test; over all patterns and properties asked for at once, significance is corrected (false discovery
rate). An effect is a property of the group, not of every image in it, and it is no cause.

References
----------
Cliff: Dominance statistics. Psychological Bulletin 114 (1993).
Mann, Whitney: On a test of whether one of two random variables is stochastically larger. Ann. Math. Stat. 18 (1947).
Benjamini, Hochberg: Controlling the false discovery rate. J. R. Stat. Soc. B 57 (1995).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nap_core.inputs.properties import PROPERTIES
from nap_core.types import NOISE, Int

MEDIUM = 0.33
"""Least |Cliff's delta| that is told by default (Romano et al. 2006 call .33 medium and .474 large)."""

_MOST_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class Trait:
    """One property of one pattern's members, against all other images."""

    pattern: int
    name: str  # property or column
    category: str  # "" where the property is a number
    effect: float  # Cliff's delta in [-1, 1]; for a category the share of members less that of the others, in [-1, 1]
    lift: float  # share of members in the category / share of all images; 1 for numbers
    inside: float  # median of the members; for a category the share of members, in [0, 1]
    outside: float  # the same of all other images
    q: float  # significance, corrected over everything asked at once, in [0, 1]

    @property
    def words(self) -> str:
        """The trait as a part of a sentence: "brighter than 93 % of the other images"."""
        if self.category:
            return f"{self.inside:.0%} have {self.name} {self.category}, {self.outside:.0%} of the other images"
        known = PROPERTIES.get(self.name)
        more, less = (known.more, known.less) if known else (f"higher in {self.name}", f"lower in {self.name}")
        return f"{more if self.effect > 0 else less} than {(1 + abs(self.effect)) / 2:.0%} of the other images"


def _ranked(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return midranks from 1 and the tie term ``sum(t³ - t)``."""
    from scipy.stats import rankdata

    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    return np.asarray(rankdata(values)), float((counts**3 - counts).sum())


def _middle(rising: NDArray[np.float64]) -> float:
    """Return the median of numbers that are sorted already."""
    n = len(rising)
    return float(rising[(n - 1) // 2] + rising[n // 2]) / 2


def numeric_traits(label: Int, n_patterns: int, name: str, values: ArrayLike) -> list[Trait]:
    """Return one trait per pattern for a number, `q` not corrected yet; images whose value is NaN do not count.

    Parameters
    ----------
    label
        [image] pattern, or `NOISE`.
    values
        [image] a number, or NaN where unknown.
    """
    from scipy.special import ndtr

    numbers = np.asarray(values, np.float64)
    known = np.isfinite(numbers)
    numbers, label = numbers[known], label[known]
    n = len(numbers)
    if n < 2:
        return []
    ranks, ties = _ranked(numbers)
    member = label != NOISE
    inside = np.bincount(label[member], minlength=n_patterns).astype(np.float64)
    outside = n - inside
    total = np.bincount(label[member], ranks[member], minlength=n_patterns)
    above = total - inside * (inside + 1) / 2  # Mann-Whitney's U
    pairs = inside * outside
    spread = np.sqrt(np.maximum(pairs / 12 * (n + 1 - ties / (n * (n - 1))), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        delta = np.where(pairs > 0, 2 * above / pairs - 1, 0.0)
        z = np.where(spread > 0, (np.abs(above - pairs / 2) - 0.5) / spread, 0.0)
    p = np.minimum(2 * ndtr(-np.maximum(z, 0)), 1.0)
    traits, order = [], np.argsort(numbers, kind="stable")
    rising, label = numbers[order], label[order]
    for pattern in np.flatnonzero(pairs > 0):
        mine = label == pattern
        medians = _middle(rising[mine]), _middle(rising[~mine])
        traits.append(Trait(int(pattern), name, "", float(delta[pattern]), 1.0, *medians, float(p[pattern])))
    return traits


def category_traits(label: Int, n_patterns: int, name: str, values: Sequence[str]) -> list[Trait]:
    """Return one trait per pattern and category that is commoner inside than outside, `q` not corrected yet.

    Parameters
    ----------
    values
        [image] names; images with an empty one do not count.
    """
    from scipy.stats import hypergeom

    names, number = np.unique(np.asarray(values, str), return_inverse=True)
    known = names[number] != ""
    label, number, n = label[known], number[known], int(known.sum())
    if n < 2 or len(names) > _MOST_CATEGORIES:
        return []
    member = label != NOISE
    table = np.zeros((n_patterns, len(names)), np.int64)
    np.add.at(table, (label[member], number[member]), 1)
    size, total = table.sum(axis=1), np.bincount(number, minlength=len(names))
    p = hypergeom.sf(table - 1, n, total[None, :], size[:, None])
    traits = []
    for pattern, category in zip(*np.nonzero(table), strict=True):
        inside = table[pattern, category] / size[pattern]
        rest = n - size[pattern]
        outside = (total[category] - table[pattern, category]) / rest if rest else inside
        if inside > outside:
            lift = inside / (total[category] / n)
            shares = float(inside), float(outside)
            effect = shares[0] - shares[1]
            q = float(p[pattern, category])
            traits.append(Trait(int(pattern), name, str(names[category]), effect, float(lift), *shares, q))
    return traits


def corrected(traits: Iterable[Trait]) -> list[Trait]:
    """Return the traits with `q` corrected over all of them (Benjamini-Hochberg), the strongest effect first."""
    traits = list(traits)
    if not traits:
        return []
    from scipy.stats import false_discovery_control

    q = false_discovery_control([min(1.0, trait.q) for trait in traits])
    done = [replace(trait, q=float(value)) for trait, value in zip(traits, q, strict=True)]
    return sorted(done, key=lambda trait: -abs(trait.effect))


def traits(
    label: Int,
    n_patterns: int,
    columns: Mapping[str, Any],
    *,
    level: float = 0.01,
    least_effect: float = MEDIUM,
) -> list[Trait]:
    """Return what sets patterns apart, the strongest first.

    Parameters
    ----------
    label
        [image] pattern, or `NOISE`; noise counts among the other images.
    columns
        Name → [image] numbers (NaN where unknown) or names ("" where unknown).
    level
        Greatest corrected significance that is kept.
    least_effect
        Least absolute effect that is kept, in [0, 1].
    """
    found: list[Trait] = []
    for name, values in columns.items():
        is_number = np.asarray(values).dtype.kind in "fiub"
        found += (
            numeric_traits(label, n_patterns, name, values)
            if is_number
            else category_traits(label, n_patterns, name, list(values))
        )
    return [trait for trait in corrected(found) if trait.q <= level and abs(trait.effect) >= least_effect]
