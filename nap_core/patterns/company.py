"""Whose company an image keeps on its way: the class of its pattern in every layer, and where it leaves its own.

A pattern is of a class when at least half of its members whose class is known are of it; else it is mixed. The pattern
that an image is assigned to does not count: only members keep company.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import NOISE, Float, Int, Patterns

MIXED = -2
"""Company of an image whose pattern is of no one class."""
MAJORITY = 0.5


def majorities(patterns: Patterns, target: NDArray[Any]) -> tuple[Int, Float]:
    """Return the commonest class of every pattern and its share.

    Parameters
    ----------
    target
        [image] class, or `NOISE` where it is not known.

    Returns
    -------
    commonest
        [pattern] class, the lowest number of equally common ones; `NOISE` where no member's class is known.
    share
        [pattern] of the members of known class, in [0, 1].
    """
    commonest, share = np.full(patterns.n_patterns, NOISE, np.int32), np.zeros(patterns.n_patterns, np.float32)
    counted = (patterns.label != NOISE) & (target != NOISE)
    if counted.any():
        table = np.zeros((patterns.n_patterns, int(target.max()) + 1), np.int64)
        np.add.at(table, (patterns.label[counted], target[counted]), 1)
        total = table.sum(axis=1)
        commonest = np.where(total > 0, table.argmax(axis=1), NOISE).astype(np.int32)
        share = (table.max(axis=1) / np.maximum(total, 1)).astype(np.float32)
    return commonest, share


def pattern_company(patterns: Patterns, target: NDArray[Any]) -> Int:
    """Return [pattern] the class that a pattern is of, `MIXED`, or `NOISE` where no member's class is known."""
    commonest, share = majorities(patterns, target)
    company: Int = np.where((share < MAJORITY) & (commonest != NOISE), MIXED, commonest).astype(np.int32)
    return company


def company(patterns: Patterns, target: NDArray[Any]) -> Int:
    """Return [image] the class that the image's pattern is of, `MIXED`, or `NOISE` where it is in no pattern."""
    return np.append(pattern_company(patterns, target), np.int32(NOISE))[patterns.label]


def departures(kept: NDArray[Any], target: NDArray[Any]) -> tuple[Int, Int]:
    """Find where images leave their class for good.

    An image leaves its class in the first layer after the last in the company of its own class where its pattern is of
    another class. Mixed patterns and no pattern are no departure.

    Parameters
    ----------
    kept
        [layer, image] company, layers in execution order.
    target
        [image]

    Returns
    -------
    left
        [image] position of that layer; -1 where the image never was among its class or stays with it.
    last
        [image] position of the last layer among its own class, or -1.
    """
    if not len(kept):
        return np.full(len(target), -1, np.int32), np.full(len(target), -1, np.int32)
    order = np.arange(len(kept))[:, None]
    is_own = (kept == target[None, :]) & (target[None, :] != NOISE)
    is_other = (kept >= 0) & ~is_own
    last = np.where(is_own, order, -1).max(axis=0).astype(np.int32)
    after = is_other & (order > last[None, :])
    left = np.where(after.any(axis=0) & (last >= 0), after.argmax(axis=0), -1).astype(np.int32)
    return left, last
