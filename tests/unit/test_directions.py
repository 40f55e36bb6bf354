"""Directions of a continuum: what was planted along one is named, chance is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nap_core.configs import RECIPES
from nap_core.patterns.directions import along, directions, ordered_by
from nap_core.types import Activations

PLAIN = replace(RECIPES["published"], scaling="none")


def activations(rows: np.ndarray) -> Activations:
    return Activations("layer", "mean", rows.astype(np.float32), np.arange(rows.shape[1]))


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    brightness, kind = random.uniform(size=300), random.integers(0, 3, 300)
    rows = 0.1 * random.normal(size=(300, 20))
    rows[:, 0] += 4 * brightness**3
    rows[:, 1] += kind * 0.5
    columns = {
        "brightness": np.where(np.arange(300) < 5, np.nan, brightness),
        "class": np.array(["cat", "dog", "horse"])[kind],
        "nothing": random.normal(size=300),
        "no name": np.array([f"group {n}" for n in random.integers(0, 40, 300)]),
        "constant": np.ones(300),
    }
    return rows, columns


def test_what_was_planted_orders_a_direction_and_nothing_else_does(planted):
    rows, columns = planted
    found = directions(activations(rows), PLAIN, 3)
    orders = ordered_by(found, columns)
    assert [(order.direction, order.column) for order in orders] == [(0, "brightness"), (1, "class")]
    assert orders[0].strength > 0.95 and orders[0].rises is not None
    assert orders[1].strength > 0.85 and orders[1].rises is None
    assert found.share[0] > 0.5 > found.share[1] > found.share[2]


def test_images_along_a_direction_go_from_end_to_end(planted):
    rows, _ = planted
    found = directions(activations(rows), PLAIN)
    images = along(found, 0, 12)
    score = found.score[images, 0]
    assert len(images) == 12
    assert (np.diff(score) >= 0).all()
    assert (score[0], score[-1]) == (found.score[:, 0].min(), found.score[:, 0].max())


def test_the_order_of_the_images_changes_nothing(planted):
    rows, _ = planted
    turn = np.random.default_rng(1).permutation(len(rows))
    one, other = directions(activations(rows), PLAIN), directions(activations(rows[turn]), PLAIN)
    np.testing.assert_array_equal(one.score[turn], other.score)


@pytest.mark.parametrize("rows", [np.zeros((5, 3)), np.eye(3), np.ones((1, 4))])
def test_next_to_nothing(rows):
    found = directions(activations(rows), PLAIN)
    assert np.isfinite(found.share).all()
    assert ordered_by(found, {"x": np.arange(len(rows)), "y": np.array(["a"] * len(rows))}) == []
    assert len(along(found, 0, 9)) == len(rows)
