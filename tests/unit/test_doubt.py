"""Doubt in labels: weights, slips and probabilities of data drawn from the very model."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.findings.doubt import _loss, most_doubtful, weigh
from nap_core.findings.readings import neighbor_votes

N, CLASSES = 3000, 6


def drawn(slips: float, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Two readings that are worth 3 and 1 and one that is worth nothing, labels drawn by them, and which are wrong."""
    rng = np.random.default_rng(seed)
    readings = [rng.normal(size=(N, CLASSES)) for _ in range(3)]
    true = (3 * readings[0] + readings[1] + rng.gumbel(size=(N, CLASSES))).argmax(axis=1)
    is_wrong = rng.random(N) < slips
    given = np.where(is_wrong, (true + rng.integers(1, CLASSES, N)) % CLASSES, true)
    return readings, given.astype(np.int32), is_wrong


@pytest.mark.parametrize("slips", [0.0, 0.03, 0.2])
def test_worth_and_slips_are_those_that_the_labels_were_drawn_with(slips: float) -> None:
    readings, given, is_wrong = drawn(slips)
    found = weigh(readings, given)
    assert found.weight == pytest.approx([3, 1, 0], abs=0.3)
    assert 1 - np.diag(found.slips) == pytest.approx(np.full(CLASSES, is_wrong.mean()), abs=0.03)
    assert np.ptp(np.diag(found.slips)) == 0  # at random
    assert found.doubt.sum() == pytest.approx(is_wrong.sum(), abs=60)


def test_doubt_is_the_share_that_is_wrong() -> None:
    readings, given, is_wrong = drawn(0.2)
    doubt = weigh(readings, given).doubt
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (doubt > low) & (doubt <= high)
        assert inside.sum() > 50
        assert is_wrong[inside].mean() == pytest.approx(doubt[inside].mean(), abs=0.1)


def test_slips_along_pairs_of_classes_are_counted_by_pairs() -> None:
    readings, given, is_wrong = drawn(0.0)
    is_wrong = np.random.default_rng(1).random(N) < 0.1
    given = np.where(is_wrong, (given + 1) % CLASSES, given).astype(np.int32)
    found = weigh(readings, given)
    along = found.slips[np.arange(CLASSES), (np.arange(CLASSES) + 1) % CLASSES]
    assert along == pytest.approx(np.full(CLASSES, 0.1), abs=0.05)
    assert found.slips.sum(axis=1) == pytest.approx(np.ones(CLASSES))
    assert 1 - np.diag(found.slips) - along == pytest.approx(np.zeros(CLASSES), abs=0.06)  # those of the prior
    assert is_wrong[most_doubtful(found.doubt, 0.8, 0.2)].mean() > 0.7


def test_hard_images_are_no_slips() -> None:
    readings, given, _ = drawn(0.0)
    found = weigh([readings[1]], given)  # two thirds of the labels are not the likeliest
    assert 1 - found.slips[0, 0] < 0.02
    assert len(most_doubtful(found.doubt, 0.75, 0.15)) == 0


def test_gradient_is_that_of_the_loss() -> None:
    readings, given, _ = drawn(0.1)
    table, at = np.stack(readings, axis=2)[:200], np.array([0.7, 0.2, 0.1, -2.0])
    steps = 1e-6 * np.eye(4)
    by_differences = [
        (_loss(at + step, table, given[:200])[0] - _loss(at - step, table, given[:200])[0]) / 2e-6 for step in steps
    ]
    assert _loss(at, table, given[:200])[1] == pytest.approx(by_differences, abs=1e-6)


def test_as_many_are_told_as_are_doubtful_together() -> None:
    doubt = np.array([0.1, 0.9, 0.3, 0.8, 0.0])
    assert most_doubtful(doubt, 0.85, 0.0).tolist() == [1, 3]
    assert most_doubtful(doubt, 0.6, 0.0).tolist() == [1, 3, 2]
    assert most_doubtful(doubt, 0.1, 0.5).tolist() == [1, 3]
    assert most_doubtful(np.zeros(3), 0.5, 0.0).tolist() == []


def test_neighbors_vote() -> None:
    near, target = np.array([[1, 2], [0, 2], [0, 1]]), np.array([0, 0, 1])
    voted = np.exp(neighbor_votes(near, target, 2))
    assert voted == pytest.approx(np.array([[7 / 12, 5 / 12], [7 / 12, 5 / 12], [5 / 6, 1 / 6]]))
