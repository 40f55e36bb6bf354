"""The verdict on a layer: planted groups are patterns, noise and curves are a continuum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nap_core.configs import RECIPES, ClusterConfig
from nap_core.patterns.clustering import compared, find_patterns
from nap_core.patterns.gaps import compared_label, gaps
from nap_core.patterns.verdict import LayerVerdict, parted_share, shuffled, verdict
from nap_core.types import Activations
from tests.benchmarks.planted import among_background

PCA = replace(RECIPES["covering"], reduction="pca")


def activations(rows: np.ndarray) -> Activations:
    return Activations("layer", "mean", rows.astype(np.float32), np.arange(rows.shape[1]))


def judged(rows: np.ndarray, config: ClusterConfig = PCA) -> LayerVerdict:
    found = activations(rows)
    patterns = find_patterns(found, config)
    return verdict(found, patterns, gaps(compared(found, config), compared_label(patterns, config)), config)


def planted(n_groups: int = 5, n: int = 300, n_features: int = 40, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    center = random.normal(size=(n_groups, n_features))
    return center[random.integers(0, n_groups, n)] + 0.4 * random.normal(size=(n, n_features))


@pytest.mark.parametrize("config", [PCA, replace(RECIPES["published"], scaling="none")], ids=["pca", "published"])
def test_planted_groups_are_patterns(config):
    found = judged(planted(), config)
    assert found.word == "patterns"
    assert found.parted > 0.9 > found.usual_parted
    assert found.clumping > 0.6
    assert len(found.chance_n_patterns) == 5


@pytest.mark.parametrize("n_features", [3, 30, 300])
def test_gaussian_noise_is_a_continuum(n_features):
    found = judged(np.random.default_rng(n_features).normal(size=(300, n_features)))
    assert found.word in ("a continuum", "no patterns")
    assert found.clumping == pytest.approx(0.5, abs=0.03)
    assert abs(found.n_patterns - found.chance_n_patterns.mean()) < 10


@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("n_features", [3, 30, 300])
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_gaussian_noise_has_no_patterns_above_chance_in_any_recipe(name, n_features, n):
    rows = activations(np.random.default_rng([n, n_features]).normal(size=(n, n_features)))
    patterns = find_patterns(rows, RECIPES[name])
    assert patterns.coverage < 0.25
    between = gaps(compared(rows, RECIPES[name]), compared_label(patterns, RECIPES[name]))
    found = verdict(rows, patterns, between, RECIPES[name], n_permutations=2)
    assert found.word in ("a continuum", "no patterns")


@pytest.mark.parametrize("kind", ["even", "normal"])
def test_clear_groups_are_patterns_although_four_tenths_of_the_images_are_background(kind):
    made = among_background(64, 10, 0.4, kind)
    found = judged(made.values, RECIPES["covering"])
    assert found.word == "patterns"
    assert found.n_islands >= 9


def test_one_clear_group_beside_a_continuum_is_weak():
    random = np.random.default_rng(0)
    rows = 0.5 * random.normal(size=(400, 20))
    rows[:300, :2] += random.uniform(-4, 4, (300, 2))
    rows[300:] = 0.2 * random.normal(size=(100, 20)) + 3
    found = judged(rows, replace(PCA, row_l2=False, n_components=3, cluster_selection_method="leaf"))
    assert found.word == "weak patterns"
    assert found.parted == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("config", [PCA, RECIPES["covering"]], ids=["pca", "default"])
def test_the_order_of_the_images_changes_nothing(config):
    rows = planted(seed=2)
    one, other = judged(rows, config), judged(rows[np.random.default_rng(1).permutation(len(rows))], config)
    assert (one.parted, one.clumping) == (other.parted, other.clumping)
    np.testing.assert_array_equal(one.chance_coverage, other.chance_coverage)


def test_shuffling_keeps_each_units_values_and_its_features_together():
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    rows[:, 2:] = 10 * rows[:, :2]  # mean and std of two units
    found = shuffled(Activations("layer", "mean_std", rows, np.array([0, 1, 0, 1])), np.random.default_rng(1)).values
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(rows, axis=0))
    np.testing.assert_array_equal(found[:, 2:], 10 * found[:, :2])
    assert not np.array_equal(found[:, 0], rows[:, 0])


@pytest.mark.parametrize("rows", [np.eye(3), np.zeros((3, 2)), np.zeros((12, 3))], ids=["far", "equal", "many equal"])
def test_next_to_nothing(rows):
    found = judged(rows, replace(PCA, min_cluster_size=2))
    assert found.word in ("no patterns", "a continuum")


def test_a_single_unit_has_nothing_to_shuffle():
    rows = np.concatenate([np.zeros(40), np.ones(40)])[:, None] + 0.01 * np.random.default_rng(0).normal(size=(80, 1))
    found = judged(rows, replace(PCA, row_l2=False))
    assert found.word == "patterns"
    assert not len(found.chance_n_patterns)
    assert parted_share(np.zeros(80, np.int32), gaps(rows, np.zeros(80, int))) == 0.0
