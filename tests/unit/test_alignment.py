"""Alignments against every possible pairing, and what has to hold for any two groupings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nap_core.errors import InputError
from nap_core.patterns.alignment import align, common_images
from nap_core.types import NOISE


@st.composite
def two_groupings(draw, most: int = 4):
    n = draw(st.integers(1, 30))
    labels = st.lists(st.integers(NOISE, most - 1), min_size=n, max_size=n)
    return tuple(np.array(draw(labels), np.int32) for _ in range(2))


def jaccard(left: np.ndarray, right: np.ndarray, p: int, q: int) -> float:
    one, two = set(np.flatnonzero(left == p).tolist()), set(np.flatnonzero(right == q).tolist())
    return len(one & two) / len(one | two) if one | two else 0.0


def best_sum(left: np.ndarray, right: np.ndarray) -> float:
    """The largest sum of Jaccard indices, by trying every pairing."""
    n_left, n_right = int(left.max()) + 1, int(right.max()) + 1
    if n_left > n_right:
        return best_sum(right, left)
    return max(
        (
            sum(jaccard(left, right, p, q) for p, q in enumerate(chosen))
            for chosen in permutations(range(n_right), n_left)
        ),
        default=0.0,
    )


@settings(max_examples=150, deadline=None)
@given(two_groupings())
def test_no_other_pairing_is_better(groupings):
    left, right = groupings
    found = align(left, right)
    for p in range(found.jaccard.shape[0]):
        for q in range(found.jaccard.shape[1]):
            assert found.jaccard[p, q] == pytest.approx(jaccard(left, right, p, q))
    total = sum(jaccard(left, right, p, q) for p, q in found.pair.tolist())
    assert total == pytest.approx(best_sum(left, right))
    assert all(jaccard(left, right, p, q) > 0 for p, q in found.pair.tolist())


@settings(max_examples=150, deadline=None)
@given(two_groupings())
def test_every_image_stays_moves_or_is_in_no_pattern(groupings):
    left, right = groupings
    found = align(left, right)
    assert ((found.stayed.astype(int) + found.moved + found.in_neither) == 1).all()
    assert not (found.moved_together & ~found.moved).any()
    pairs = {tuple(pair) for pair in found.pair.tolist()}
    for i in range(len(left)):
        assert found.stayed[i] == ((left[i], right[i]) in pairs)
        assert found.in_neither[i] == (left[i] == right[i] == NOISE)
    rows = [*pairs, *((p, NOISE) for p in found.left_alone), *((NOISE, q) for q in found.right_alone)]
    parts = [found.members(int(p), int(q)) for p, q in rows]
    assert sorted(i for stayed, gone, _ in parts for i in (*stayed, *gone)) == np.flatnonzero(left != NOISE).tolist()
    assert sorted(i for stayed, _, came in parts for i in (*stayed, *came)) == np.flatnonzero(right != NOISE).tolist()


@settings(max_examples=100, deadline=None)
@given(two_groupings())
def test_the_sides_can_be_exchanged(groupings):
    left, right = groupings
    one, two = align(left, right), align(right, left)
    np.testing.assert_array_equal(one.jaccard, two.jaccard.T)
    assert one.jaccard[tuple(one.pair.T)].sum() == pytest.approx(two.jaccard[tuple(two.pair.T)].sum())
    assert (one.ami, one.ari) == pytest.approx((two.ami, two.ari))


@settings(max_examples=100, deadline=None)
@given(two_groupings(), st.randoms(use_true_random=False))
def test_the_same_grouping_under_other_numbers_moves_nothing(groupings, random):
    _, left = np.unique(groupings[0], return_inverse=True)
    left = left.astype(np.int32) - int(NOISE in groupings[0])
    n = int(left.max()) + 1
    numbers = random.sample(range(n), n)
    found = align(left, np.array([*numbers, NOISE], np.int32)[left])
    assert not found.moved.any()
    assert (found.jaccard[tuple(found.pair.T)] == 1).all()
    assert found.ami == pytest.approx(1.0)
    assert found.ari == pytest.approx(1.0)


def test_a_pattern_that_joins_another_and_an_image_that_leaves_alone():
    left = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, NOISE, NOISE])
    right = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, NOISE, 1])
    found = align(left, right)
    assert found.pair.tolist() == [[0, 0], [2, 1]]
    assert found.left_alone.tolist() == [1]
    assert found.right_alone.tolist() == []
    assert np.flatnonzero(found.moved).tolist() == [4, 5, 6, 10]
    assert np.flatnonzero(found.moved_together).tolist() == [4, 5]
    assert [part.tolist() for part in found.members(2, 1)] == [[7, 8], [], [6, 10]]
    assert [part.tolist() for part in found.members(1, NOISE)] == [[], [4, 5, 6], []]


def test_a_side_without_patterns_has_no_pairs():
    found = align(np.array([NOISE, NOISE, NOISE]), np.array([0, 0, NOISE]), n_right=3)
    assert found.pair.shape == (0, 2)
    assert found.jaccard.shape == (0, 3)
    assert found.right_alone.tolist() == [0, 1, 2]
    assert found.moved.tolist() == [True, True, False]


def test_images_are_matched_by_name():
    left, right = common_images(["a", "b", "c"], ["c", "x", "a"])
    assert left.tolist() == [0, 2]
    assert right.tolist() == [2, 0]
    with pytest.raises(InputError, match="no image in common"):
        common_images(["a"], ["b"])
