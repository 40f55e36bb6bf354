"""One tree cut in every way: the cuts are those of a fresh clustering, and the planted number is suggested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nap_core.configs import RECIPES
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.dial import Dial, dial, settings
from nap_core.patterns.space import Space, cluster_space, cut, tree_of
from nap_core.patterns.unplaced import KINDS, unplaced
from nap_core.types import NOISE, Activations

CONFIG = replace(RECIPES["covering"], hierarchy="density", reduction="pca", min_cluster_size=8)


def grown(rows: np.ndarray) -> tuple[Activations, Space, tuple]:
    found = Activations("layer", "mean", rows.astype(np.float32), np.arange(rows.shape[1]))
    space = cluster_space(found, CONFIG)
    return found, space, tree_of(space, CONFIG)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    group = random.integers(0, 6, 240)
    return 3 * random.normal(size=(6, 12))[group] + random.normal(size=(240, 12)), group


def found_dial(rows: np.ndarray, target: np.ndarray | None = None) -> Dial:
    _, space, tree = grown(rows)
    return dial(space, tree, CONFIG, target, n_draws=4)


def test_a_cut_of_the_kept_tree_is_a_fresh_clustering(planted):
    found, space, tree = grown(planted[0])
    for setting in settings(240, CONFIG):
        label = cut(space, *tree, setting).label[np.argsort(space.order)]
        again = find_patterns(found, setting).label
        assert len(set(zip(label.tolist(), again.tolist(), strict=True))) == len(set(again.tolist()))


def test_the_planted_number_is_suggested(planted):
    rows, group = planted
    found = found_dial(rows, group)
    assert found.suggested() is not None
    assert found.n_patterns[found.suggested()] == 6
    assert found.comes_back[found.suggested()] > 0.9
    assert found.ami[found.suggested()] > 0.9
    chosen = found.config(found.suggested(), CONFIG)
    assert replace(chosen, min_cluster_size=8, cluster_selection_method="eom") == CONFIG


def test_larger_sizes_never_find_more(planted):
    found = found_dial(planted[0])
    n = len(found.method) // 2
    for part in (slice(n), slice(n, None)):
        assert (np.diff(found.n_patterns[part]) <= 0).all()
    assert np.isnan(found.ami).all()
    assert CONFIG.min_cluster_size in found.min_cluster_size


def test_the_order_of_the_images_changes_no_cut(planted):
    rows, _ = planted
    one, other = found_dial(rows), found_dial(rows[::-1])
    np.testing.assert_array_equal(one.n_patterns, other.n_patterns)
    np.testing.assert_array_equal(one.coverage, other.coverage)


@pytest.mark.parametrize("rows", [np.eye(3), np.zeros((3, 2)), np.zeros((20, 2))])
def test_next_to_nothing_has_no_suggestion(rows):
    found = found_dial(rows)
    assert found.suggested() is None
    assert not found.coverage.any()


def test_an_image_between_two_one_at_an_edge_and_one_far_away():
    random = np.random.default_rng(0)
    here, there = 0.3 * random.normal(size=(2, 40, 2))
    there[:, 0] += 4
    rows = np.vstack([here, there, [[2.0, 0.0], [-1.2, 0.0], [2.0, 30.0]]])
    label = np.repeat([0, 1, NOISE], [40, 40, 3])
    found = unplaced(rows, label)
    assert found.image.tolist() == [80, 81, 82]
    assert {int(found.first[0]), int(found.second[0])} == {0, 1}
    assert (int(found.first[1]), int(found.second[1])) == (0, NOISE)
    assert found.distance[2] > found.distance[0] > 1
    kinds = [KINDS[kind] for kind in found.kind]
    assert kinds[2] == "far from any pattern"


@pytest.mark.parametrize("label", [np.full(3, NOISE), np.zeros(3, int)], ids=["all noise", "no noise"])
def test_all_noise_and_none(label):
    found = unplaced(np.eye(3), label)
    assert len(found.image) == (label == NOISE).sum()
    assert (found.first == NOISE).all()
    assert (found.kind == 2).all()


def test_of_equal_cuts_the_current_one_is_suggested():
    sizes, back = np.array([3, 5, 8, 20]), np.array([0.9, 0.88, 0.3, 0.92])
    found = Dial(("eom",) * 4, sizes, np.array([6, 6, 6, 2]), np.ones(4), back, np.ones(4))
    assert [found.suggested(current) for current in (None, 0, 1, 2, 3)] == [0, 0, 1, 0, 0]
