"""Whose company an image keeps, and where it leaves its class."""

from __future__ import annotations

import numpy as np

from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.company import MIXED, company, departures, majorities, pattern_company
from nap_core.types import NOISE, Activations, CondensedTree, Patterns


def grouped(label: list[int]) -> Patterns:
    n, n_patterns = len(label), max(label) + 1
    ones, nothing = np.ones(n), np.empty(0, int)
    medoid = [label.index(pattern) for pattern in range(n_patterns)]
    tree = CondensedTree(nothing, nothing, nothing, nothing)
    return Patterns("a", label, ones, ones, label, ones, np.ones(n_patterns), medoid, nothing, nothing, tree)


def test_a_pattern_is_of_the_class_of_half_of_its_members():
    patterns = grouped([0, 0, 0, 0, 1, 1, 1, 2, -1])
    target = np.array([3, 3, 3, 1, 0, 1, 2, NOISE, 3])
    commonest, share = majorities(patterns, target)
    assert commonest.tolist() == [3, 0, NOISE]
    np.testing.assert_allclose(share, [0.75, 1 / 3, 0])
    assert pattern_company(patterns, target).tolist() == [3, MIXED, NOISE]
    assert company(patterns, target).tolist() == [3, 3, 3, 3, MIXED, MIXED, MIXED, NOISE, NOISE]


def test_without_classes_there_is_no_company():
    patterns = grouped([0, 0, -1])
    assert company(patterns, np.full(3, NOISE)).tolist() == [NOISE] * 3


def test_a_departure_is_for_good_and_to_another_class():
    own = 1
    ways = {
        (MIXED, own, own): (-1, 2),
        (MIXED, own, 2): (2, 1),
        (own, 2, 2): (1, 0),
        (own, 2, own): (-1, 2),  # it came back
        (own, MIXED, 2): (2, 0),  # a mixed pattern is not yet another class
        (own, NOISE, MIXED): (-1, 0),
        (2, 2, 2): (-1, -1),  # it never was among its class
        (2, own, 0): (2, 1),
    }
    left, last = departures(np.array(list(ways)).T, np.full(len(ways), own))
    assert dict(zip(ways, zip(left.tolist(), last.tolist(), strict=True), strict=True)) == ways


def test_an_image_of_unknown_class_cannot_leave_it():
    left, last = departures(np.array([[0], [1]]), np.array([NOISE]))
    assert (left[0], last[0]) == (-1, -1)
    assert departures(np.empty((0, 2), int), np.array([0, 1]))[0].tolist() == [-1, -1]


def test_no_pattern_at_all():
    patterns = find_patterns(Activations("a", "mean", np.eye(8, dtype=np.float32), np.arange(8)))
    target = np.zeros(8, int)
    assert set(company(patterns, target)) <= {0, NOISE}
