"""New images among patterns that were found without them: planted groups, far images, the study's own images."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.configs import RECIPES, ClusterConfig
from nap_core.geometry.neighbors import nearest, nearest_in_parts
from nap_core.geometry.scaling import Scaler, fit_scaling
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.newcomer import own_distances, place_newcomers
from nap_core.types import NOISE, Activations, Patterns

CENTRES = np.array([[0, 0, 9, 1], [9, 0, 0, 2], [0, 9, 0, 30]], float)


def drawn(n: int, seed: int) -> np.ndarray:
    """[3 n, 4] three groups of n, the last unit on another scale than the others."""
    random = np.random.default_rng(seed)
    return (np.repeat(CENTRES, n, 0) + random.normal(size=(3 * n, 4)) * [0.3, 0.3, 0.3, 3]).astype(np.float32)


def made(config: ClusterConfig) -> tuple[np.ndarray, Patterns, Scaler]:
    values = drawn(40, 0)
    patterns = find_patterns(Activations("a", "mean", values, np.arange(4)), config)
    scaler = fit_scaling(values, np.arange(4), "mean", config.scaling, center=config.center, row_l2=config.row_l2)
    return values, patterns, scaler


@pytest.fixture(scope="module")
def study():
    return made(RECIPES["covering"])


def commonest(label: np.ndarray) -> int:
    number, count = np.unique(label[label != NOISE], return_counts=True)
    return int(number[count.argmax()])


def test_neighbours_in_parts_are_those_of_all_at_once():
    values = np.random.default_rng(0).normal(size=(70, 5))
    values[40] = values[3]
    index, distance = nearest(values, 6)
    for cut in (7, 35, 70):
        parts = [values[i : i + cut] for i in range(0, 70, cut)]
        found, far = nearest_in_parts(values[10:20], parts, 6, skip=np.arange(10, 20))
        np.testing.assert_array_equal(found, index[10:20])
        np.testing.assert_allclose(far, distance[10:20], rtol=1e-5)
    assert nearest_in_parts(values[:1], [values[:3]], 9)[0].shape == (1, 3)
    assert nearest_in_parts(values[:1], [values[:3]], 9, skip=np.array([0]))[0].tolist() in ([[1, 2]], [[2, 1]])


@pytest.mark.parametrize("scaling", ["unit_max", "p99", "zscore", "none"])
def test_planted_groups_take_in_their_own(scaling):
    values, patterns, scaler = made(ClusterConfig(scaling=scaling, min_cluster_size=10, cluster_selection_method="eom"))
    found = place_newcomers(drawn(10, 1), values, patterns, scaler, own_distances(values, scaler))
    groups = [commonest(patterns.label[i * 40 : i * 40 + 40]) for i in range(3)]
    assert len(set(groups)) == 3
    np.testing.assert_array_equal(found.assigned, np.repeat(groups, 10))
    assert (found.near // 40 == np.repeat([0, 1, 2], 10)[:, None]).mean() > 0.95


def test_own_images_come_back_to_their_own_place(study):
    values, patterns, scaler = study
    found = place_newcomers(values, values, patterns, scaler, own_distances(values, scaler))
    np.testing.assert_array_equal(found.label, patterns.label)
    np.testing.assert_array_equal(found.near[:, 0], np.arange(len(values)))
    np.testing.assert_allclose(found.probability, patterns.probability, atol=1e-6)


def test_a_far_image_is_in_no_pattern_and_assigned_all_the_same():
    values, patterns, scaler = made(RECIPES["published"])
    far = np.array([[0, 0, 60, 1]], np.float32)
    found = place_newcomers(far, values, patterns, scaler, own_distances(values, scaler))
    assert found.is_far.all()
    assert found.label[0] == NOISE
    assert found.probability[0] == 0
    assert found.assigned[0] in np.unique(patterns.label[:40])
    assert found.percentile[0] == 1


def test_rows_do_not_change_each_other(study):
    values, patterns, scaler = study
    own, rows = own_distances(values, scaler), drawn(4, 2)
    whole = place_newcomers(rows, values, patterns, scaler, own)
    for i, row in enumerate(rows):
        alone = place_newcomers(row[None], values, patterns, scaler, own)
        assert (alone.label[0], alone.assigned[0]) == (whole.label[i], whole.assigned[i])
        np.testing.assert_array_equal(alone.near[0], whole.near[i])


def test_without_any_pattern_all_is_noise():
    values = drawn(3, 0)
    config = ClusterConfig(min_cluster_size=9)
    patterns = find_patterns(Activations("a", "mean", values, np.arange(4)), config)
    scaler = fit_scaling(values, np.arange(4), "mean")
    assert patterns.n_patterns == 0
    found = place_newcomers(drawn(1, 3), values, patterns, scaler, own_distances(values, scaler), k=50)
    assert (found.label == NOISE).all()
    assert (found.assigned == NOISE).all()
    assert found.near.shape == (3, 9)


def test_equal_images_everywhere():
    values = np.ones((20, 3), np.float32)
    patterns = find_patterns(Activations("a", "mean", values, np.arange(3)), ClusterConfig(scaling="none"))
    scaler = fit_scaling(values, np.arange(3), "mean", "none")
    own = own_distances(values, scaler)
    same = place_newcomers(values[:1], values, patterns, scaler, own)
    assert same.label[0] == patterns.label[0]
    other = place_newcomers(values[:1] + 1, values, patterns, scaler, own)
    assert other.label[0] == NOISE
