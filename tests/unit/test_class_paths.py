"""Planted classes: split evenly, split unevenly, together, in no pattern."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.patterns.class_paths import class_paths, together_from
from nap_core.types import NOISE
from tests.unit.test_flows import patterns

# 12 images of class 0, 12 of class 1, 2 without a class
TARGET = np.array([0] * 12 + [1] * 12 + [NOISE] * 2, np.int32)
EARLY = patterns("early", [0, 1, 2, 3] * 3 + [0, 1, 2, 3] * 3 + [0, 1])
MIDDLE = patterns("middle", [0] * 6 + [1] * 3 + [NOISE] * 3 + [2] * 12 + [0, 0])
LATE = patterns("late", [0] * 11 + [1] + [1] * 10 + [NOISE] * 2 + [1, 1])


def test_planted_splits_are_told_in_numbers_of_patterns() -> None:
    paths = class_paths([EARLY, MIDDLE, LATE], TARGET)
    assert paths.layers == ("early", "middle", "late")
    assert paths.n_images.tolist() == [12, 12]
    assert paths.n_spread[0].tolist() == pytest.approx([4, 4])
    assert paths.n_spread[1].tolist() == pytest.approx([3 / 2 ** (2 / 3), 1])  # 6 and 3 of 9 members
    assert paths.noise_share[1].tolist() == pytest.approx([0.25, 0])
    assert paths.main[1:].tolist() == [[0, 2], [0, 1]]
    assert paths.main_share[2].tolist() == pytest.approx([11 / 12, 10 / 12])
    assert paths.main_purity[2].tolist() == pytest.approx([1, 10 / 11])  # images without a class do not count
    assert paths.main_purity[0].tolist() == pytest.approx([0.5, 0.5])


def test_together_is_from_where_it_stays_so() -> None:
    assert [together_from(class_paths([EARLY, MIDDLE, LATE], TARGET), c) for c in (0, 1)] == [2, 1]
    assert [together_from(class_paths([MIDDLE, EARLY], TARGET), c) for c in (0, 1)] == [None, None]
    assert together_from(class_paths([MIDDLE], TARGET), 1) == 0


def test_a_class_in_no_pattern_is_spread_over_none() -> None:
    paths = class_paths([patterns("a", [NOISE] * 12 + [0] * 14), patterns("b", [NOISE] * 26)], TARGET)
    assert paths.n_spread.tolist() == [[0, 1], [0, 0]]
    assert paths.main.tolist() == [[NOISE, 0], [NOISE, NOISE]]
    assert paths.main_share.tolist() == [[0, 1], [0, 0]]
    assert paths.noise_share.tolist() == [[1, 0], [1, 1]]


def test_no_classes() -> None:
    assert class_paths([EARLY], np.full(26, NOISE, np.int32)).n_spread.shape == (1, 0)
