"""Strays among planted groups, and rows without any group."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.geometry.chance import FEWEST, by_chance
from nap_core.geometry.communities import evened
from nap_core.geometry.neighbors import nearest
from nap_core.patterns.clustering import find_patterns
from nap_core.types import NOISE, Activations
from tests.benchmarks.planted import background, planted

GROUPS = np.random.default_rng(9).normal(size=(8, 60))


def strays(values: np.ndarray, *, angle: bool = True) -> np.ndarray:
    rows = evened(values, angle=angle)
    return by_chance(values, rows, nearest(rows, 14)[1], angle=angle)


def groups(n: int = 400, spread: float = 0.35) -> np.ndarray:
    random = np.random.default_rng(0)
    return GROUPS[random.integers(0, 8, n)] + spread * random.normal(size=(n, 60))


@pytest.mark.parametrize("angle", [True, False])
@pytest.mark.parametrize("kind", ["even", "normal"])
def test_rows_between_groups_are_by_chance_and_members_are_not(kind, angle):
    members = groups()
    values = np.concatenate([members, background(members, 100, kind, np.random.default_rng(1))])
    found = strays(values - values.mean(axis=0), angle=angle)
    assert found[400:].mean() > 0.9
    assert found[:400].mean() < 0.05


@pytest.mark.parametrize("n_features", [3, 30, 300])
def test_without_any_group_nearly_all_are(n_features):
    assert strays(np.random.default_rng(0).normal(size=(500, n_features))).mean() > 0.8


def test_groups_at_the_corners_of_a_square_are_more_than_two_units_by_chance():
    random = np.random.default_rng(0)
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])[random.integers(0, 4, 400)]
    assert strays(corners + 0.1 * random.normal(size=(400, 2))).mean() < 0.3


def test_of_few_rows_or_of_rows_of_few_values_nothing_is_said():
    assert not strays(np.random.default_rng(0).normal(size=(FEWEST - 1, 20))).any()
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    assert strays(grid - 1.5).shape == (64,)


def test_the_background_of_a_planted_layer_is_told_and_its_groups_are_kept():
    made = planted(512, 20, 800, background=0.3)
    found = find_patterns(Activations("layer", "none", made.values, np.arange(512)))
    is_background = made.target == NOISE
    assert (found.label[is_background] == NOISE).mean() > 0.6
    assert (found.label[~is_background] != NOISE).mean() > 0.9
