"""A sample that is clustered, and all the others assigned by it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from nap_core.configs import RECIPES, recipe, reservations
from nap_core.patterns import sampling
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.sampling import stratified
from nap_core.types import NOISE
from tests.benchmarks.planted import planted
from tests.unit.test_clustering import activations, blobs, check


def test_the_sample_takes_of_each_place_its_share(monkeypatch):
    monkeypatch.setattr(sampling, "FEWEST", 100)
    random = np.random.default_rng(0)
    group = np.repeat([0, 1, 2, 3], [1000, 500, 300, 200])
    values = (10 * random.normal(size=(4, 16))[group] + random.normal(size=(2000, 16))).astype(np.float32)
    taken = stratified(values, 200)
    assert len(np.unique(taken)) == 200
    assert (np.abs(np.bincount(group[taken]) - [100, 50, 30, 20]) <= 2).all()


def test_of_few_rows_every_so_many_th_is_taken():
    taken = stratified(np.zeros((10, 2), np.float32), 5)
    np.testing.assert_array_equal(np.diff(taken), 2)


@pytest.mark.parametrize("name", RECIPES)
def test_the_others_go_where_they_would_have_gone(name):
    made = planted(128, 6, 1500, background=0.05, noise=0.4)
    whole = find_patterns(activations(made.values), recipe(name, min_samples=1))
    config = recipe(name, cluster_sample=600, min_samples=1)
    found = find_patterns(activations(made.values), config)
    check(found, config.min_cluster_size)
    assert len(found.label) == 1500
    known = made.target != NOISE
    score = [adjusted_rand_score(made.target[known], one.assigned[known]) for one in (found, whole)]
    assert score[0] > score[1] - 0.1
    assert (found.tree.child_size[found.tree.child < 1500] == 1).all()
    assert (found.tree.child < 1500).sum() == 600
    assert found.tree.parent.min() == 1500


@pytest.mark.parametrize("name", RECIPES)
def test_neither_order_nor_copies_matter(name):
    values = np.concatenate([blobs(260), np.repeat(blobs(12), 5, axis=0)])
    config = recipe(name, cluster_sample=150)
    found = find_patterns(activations(values), config)
    order = np.random.default_rng(1).permutation(len(values))
    again = find_patterns(activations(values[order]), config)
    for field in ("label", "probability", "outlier_score", "assigned", "assigned_probability"):
        np.testing.assert_array_equal(getattr(found, field)[order], getattr(again, field))


def test_a_sample_of_all_is_all_and_words_say_which():
    values = blobs(200)
    config = recipe("covering", cluster_sample=200)
    np.testing.assert_array_equal(
        find_patterns(activations(values), config).label, find_patterns(activations(values)).label
    )
    assert reservations(config, 200) == ""
    assert "200 of 1,000 images" in reservations(config, 1000)
