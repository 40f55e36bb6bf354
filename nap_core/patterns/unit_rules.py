"""A pattern in words of units: a short rule, and the units in which its members agree.

A rule is a conjunction of at most a few conditions, "unit 17 high and unit 5 low", found on every other image and
judged on the rest. Invariant units are those in which a handful of members say nearly the same; as a template they are
tried on the members they were not taken from.

References
----------
Wu et al.: neural chunking, arXiv 2505.11576 (2025), for templates of units that agree within a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import Float, Int, frozen_array

_THRESHOLDS = 15  # quantiles of the members and of the rest that a condition may use
_CANDIDATES = 24  # features that are tried, by their difference between members and the rest
_GAIN = 0.02  # in F1, below which another condition is not worth its words


@dataclass(frozen=True, slots=True)
class Condition:
    """A feature above or below a value."""

    feature: int
    is_high: bool
    threshold: float

    def holds(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """[image] whether it holds for `values` [image, feature]."""
        column = values[:, self.feature]
        found: NDArray[np.bool_] = column >= self.threshold if self.is_high else column <= self.threshold
        return found


@dataclass(frozen=True, slots=True)
class UnitRule:
    """Conditions that all hold, and how well they tell members on images they were not found on."""

    conditions: tuple[Condition, ...]
    precision: float  # held out: share of the images under the rule that are members; NaN where there are none
    recall: float  # held out: share of the members under the rule
    n_held_out: int  # members it was judged on


def unit_rule(values: NDArray[Any], inside: NDArray[np.bool_], most: int = 3) -> UnitRule:
    """Return the conjunction of at most `most` conditions that tells the images `inside` best (F1), found greedily.

    Parameters
    ----------
    values
        [image, feature] raw activations, finite.
    inside
        [image] members; with fewer than four there is no rule.
    """
    inside = np.asarray(inside, bool)
    learning = np.zeros(len(inside), bool)
    for group in (inside, ~inside):
        learning[np.flatnonzero(group)[::2]] = True
    if inside.sum() < 4 or (~inside).sum() < 4:
        return UnitRule((), float("nan"), float("nan"), 0)
    rows, wanted = np.asarray(values[learning]), inside[learning]
    conditions: list[Condition] = []
    best = 0.0
    for _ in range(most):
        kept = _all_hold(conditions, rows)
        found, score = _best_condition(rows, wanted, kept, _telling(rows, wanted, kept))
        if found is None or score < best + _GAIN:
            break
        conditions, best = _refined([*conditions, found], rows, wanted)
    return _judged(conditions, np.asarray(values[~learning]), inside[~learning])


def _judged(conditions: list[Condition], rows: NDArray[Any], wanted: NDArray[np.bool_]) -> UnitRule:
    kept = _all_hold(conditions, rows) & bool(conditions)
    hits = int((kept & wanted).sum())
    precision = hits / kept.sum() if kept.any() else float("nan")
    return UnitRule(tuple(conditions), float(precision), hits / max(1, int(wanted.sum())), int(wanted.sum()))


def _all_hold(conditions: list[Condition], rows: NDArray[Any]) -> NDArray[np.bool_]:
    """[image] whether every condition holds; true where there are none."""
    kept = np.ones(len(rows), bool)
    for condition in conditions:
        kept &= condition.holds(rows)
    return kept


def _refined(
    conditions: list[Condition], rows: NDArray[Any], wanted: NDArray[np.bool_]
) -> tuple[list[Condition], float]:
    """Return the conditions with each threshold set anew beside the others, and their F1.

    A condition that stood alone had to keep everything out; beside others it may let more members in.
    """
    score = 0.0
    for _ in range(2):
        for number, condition in enumerate(conditions):
            others = [*conditions[:number], *conditions[number + 1 :]]
            kept = _all_hold(others, rows)
            found, score = _best_condition(rows, wanted, kept, np.array([condition.feature]))
            conditions = [*conditions[:number], found or condition, *conditions[number + 1 :]]
    return conditions, score


def _best_condition(
    rows: NDArray[Any], wanted: NDArray[np.bool_], kept: NDArray[np.bool_], features: NDArray[Any]
) -> tuple[Condition | None, float]:
    """Return the condition that, added to what is `kept`, gives the largest F1, and that F1."""
    best, found, n_wanted = 0.0, None, int(wanted.sum())
    for feature in features:
        column = rows[:, feature]
        places = np.linspace(0.02, 0.98, _THRESHOLDS)
        inside, outside = column[kept & wanted], column[kept & ~wanted]
        if not len(outside) or not len(inside):
            break
        for threshold in np.unique(np.concatenate([np.quantile(inside, places), np.quantile(outside, places)])):
            for is_high in (True, False):
                under = kept & (column >= threshold if is_high else column <= threshold)
                hits = int((under & wanted).sum())
                score = 2 * hits / (int(under.sum()) + n_wanted)
                if score > best:
                    best, found = score, Condition(int(feature), is_high, float(threshold))
    return found, best


def _telling(rows: NDArray[Any], wanted: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Features whose means differ most between the members and the rest of what is kept, in deviations."""
    if not (kept & wanted).any() or not (kept & ~wanted).any():
        return np.empty(0, np.int64)
    inside, outside = rows[kept & wanted], rows[kept & ~wanted]
    spread = np.sqrt(inside.var(axis=0) + outside.var(axis=0))
    gap = np.abs(inside.mean(axis=0) - outside.mean(axis=0))
    effect = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)
    return np.argsort(-effect, kind="stable")[:_CANDIDATES]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Features in which a few members agree, and whether these find the other members."""

    feature: Int  # [row] the firmest agreement first
    level: Float  # [row] what the members say
    tolerance: Float  # [row] how far an image may be from it
    found: float  # share of the members it was not taken from that fit; NaN where there are none
    false: float  # share of the images that are no members and fit

    def __post_init__(self) -> None:
        object.__setattr__(self, "feature", frozen_array(self.feature, np.int32))
        object.__setattr__(self, "level", frozen_array(self.level, np.float32))
        object.__setattr__(self, "tolerance", frozen_array(self.tolerance, np.float32))


def template(values: NDArray[Any], inside: NDArray[np.bool_], shown: Int, tolerance: float = 0.5) -> Template:
    """Return the features in which the members `shown` lie within `tolerance` standard deviations of their mean.

    An image fits where nine in ten of these features are within twice the tolerance.

    Parameters
    ----------
    shown
        Some members, a handful.
    """
    inside = np.asarray(inside, bool)
    spread = np.std(values, axis=0)
    level = np.mean(values[shown], axis=0)
    widest = np.abs(values[shown] - level).max(axis=0)
    agree = np.flatnonzero((widest <= tolerance * spread) & (spread > 0))
    agree = agree[np.argsort(widest[agree] / spread[agree], kind="stable")]
    allowed = 2 * tolerance * spread[agree]
    near = np.abs(values[:, agree] - level[agree]) <= allowed
    fits = near.mean(axis=1) >= 0.9 if len(agree) else np.zeros(len(inside), bool)
    other = inside.copy()
    other[shown] = False
    found = float(fits[other].mean()) if other.any() else float("nan")
    return Template(
        agree.astype(np.int32), level[agree], allowed, found, float(fits[~inside].mean()) if (~inside).any() else 0.0
    )
