"""Approximate neighbours and their tree: nearly what all distances say, whole, and the same for every order."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.configs import RECIPES, ClusterConfig, recipe, reservations
from nap_core.geometry import descent
from nap_core.geometry.descent import approximate_tree, nearest_by, nearly_nearest
from nap_core.geometry.neighbors import nearest
from nap_core.geometry.ordering import distinct_rows
from nap_core.geometry.spanning_tree import spanning_tree
from nap_core.keys import digest
from nap_core.patterns.clustering import find_patterns
from tests.unit.test_clustering import activations, blobs, check


@pytest.fixture(autouse=True)
def even_few(monkeypatch):
    monkeypatch.setattr(descent, "FEWEST", 100)


def is_one_tree(edge: np.ndarray, n: int) -> bool:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    links = coo_matrix((np.ones(len(edge)), edge.T), shape=(n, n))
    return len(edge) == n - 1 and connected_components(links, directed=False)[0] == 1


def test_nearly_all_neighbours_are_found_and_their_distances_are_exact():
    values = blobs(800).astype(np.float32)
    index, distance = nearest(values, 10)
    near, apart = nearly_nearest(values, 10)
    found = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(index.tolist(), near.tolist(), strict=True)])
    assert found > 0.95
    assert (near != np.arange(len(near))[:, None]).all()
    same = near == index
    np.testing.assert_array_equal(apart[same], distance[same])
    assert (np.diff(apart, axis=1) >= 0).all()
    np.testing.assert_array_equal(nearest_by("exact", values, 10)[0], index)


def test_the_tree_is_nearly_the_exact_one():
    values = blobs(800).astype(np.float32)
    edge, weight = approximate_tree(values, 5)
    assert is_one_tree(edge, len(values))
    exact = spanning_tree(values, 5)[1]
    assert exact.sum() * 0.999 <= weight.sum() <= 1.02 * exact.sum()


def test_parts_that_no_neighbour_ties_are_joined_where_they_are_nearest():
    random = np.random.default_rng(0)
    values = random.normal(size=(600, 6)).astype(np.float32)
    values[:, 0] += np.repeat([0, 1000, 3000], 200)
    edge, weight = approximate_tree(values, 5)
    assert is_one_tree(edge, len(values))
    np.testing.assert_allclose(np.sort(weight)[-2:], np.sort(spanning_tree(values, 5)[1])[-2:], rtol=0.01)


def test_copies_are_joined_at_their_place():
    values = blobs(300).astype(np.float32)[np.random.default_rng(0).integers(300, size=700)]
    first, group, _ = distinct_rows(values)
    edge, weight = approximate_tree(values[first], 3, group=group)
    assert is_one_tree(edge, len(values))
    assert (weight >= 0).all()


@pytest.mark.parametrize("name", RECIPES)
def test_patterns_are_sound_named_and_the_same_for_every_order(name):
    values = blobs(500)
    config = recipe(name, search="approximate", min_samples=1)
    found = find_patterns(activations(values), config)
    check(found, config.min_cluster_size)
    order = np.random.default_rng(1).permutation(len(values))
    np.testing.assert_array_equal(found.label[order], find_patterns(activations(values[order]), config).label)
    assert "approximately" in reservations(config, len(values))


def test_keys_know_of_it_and_older_keys_stay():
    assert digest("x", config=ClusterConfig()) != digest("x", config=ClusterConfig(search="approximate"))
    assert digest("x", config=ClusterConfig()) != digest("x", config=ClusterConfig(cluster_sample=100))
    before = digest("x", config=ClusterConfig())
    assert before == "2b8da6abe81922ef77c20492641b586f685de7684ff60e437a1a1c82ee67cb09"
