"""Assignment of noise, and agreement with classes."""

from __future__ import annotations

import numpy as np

from nap_core.patterns.agreement import adjusted_mutual_information, class_counts, purity
from nap_core.patterns.assign import assign, votes
from nap_core.patterns.clustering import find_patterns
from nap_core.types import NOISE, Activations
from tests.benchmarks.planted import planted


def two_groups() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(size=(30, 2)), random.normal(size=(30, 2)) + 10])
    label = np.repeat([0, 1], 30)
    label[[5, 40]] = NOISE
    return values, label


def test_noise_goes_to_the_group_it_lies_in_and_members_stay():
    values, label = two_groups()
    probability = np.where(label == NOISE, 0.0, 0.7)
    assigned, share = assign(values, label, probability)
    np.testing.assert_array_equal(assigned, np.repeat([0, 1], 30))
    np.testing.assert_allclose(share[label != NOISE], 0.7)
    np.testing.assert_allclose(share[label == NOISE], 1.0)


def test_ties_say_more_than_distances_and_without_ties_the_nearest_are_asked():
    values, label = two_groups()
    assigned, share = assign(values, label, np.zeros(60), share=np.array([[0.1, 0.3], [0.0, 0.0]]))
    assert assigned[[5, 40]].tolist() == [1, 1]
    np.testing.assert_allclose(share[[5, 40]], [0.75, 1.0])


def test_strays_of_a_planted_layer_go_where_most_of_their_ties_lead_in_any_order():
    made = planted(64, 10, 500, background=0.2)
    order = np.random.default_rng(0).permutation(500)
    rows = [Activations("layer", "none", values, np.arange(64)) for values in (made.values, made.values[order])]
    one, other = (find_patterns(row) for row in rows)
    np.testing.assert_array_equal(one.assigned[order], other.assigned)
    np.testing.assert_allclose(one.assigned_probability[order], other.assigned_probability)
    noise = one.label == NOISE
    assert noise.any()
    assert (one.assigned[noise] != NOISE).all() and (one.assigned_probability[noise] > 0).all()


def test_without_any_pattern_nothing_is_assigned():
    assigned, share = assign(np.zeros((4, 2)), np.full(4, NOISE), np.zeros(4))
    assert (assigned == NOISE).all()
    assert (share == 0).all()


def test_all_neighbours_at_the_same_place_vote_alike():
    pattern, share = votes(np.array([[3, 1, 1]]), np.zeros((1, 3), np.float32))
    assert pattern[0] == 1
    np.testing.assert_allclose(share, 2 / 3, rtol=1e-6)


def test_the_nearest_decides_a_tie():
    pattern, share = votes(np.array([[2, 0]]), np.ones((1, 2), np.float32))
    assert pattern[0] == 2
    np.testing.assert_allclose(share, 0.5)


def test_counts_have_a_place_for_noise_and_for_unknown():
    table = class_counts(np.array([0, 0, 1, -1]), np.array([1, -1, 0, 1]), 2, 2)
    np.testing.assert_array_equal(table, [[0, 1, 1], [1, 0, 0], [0, 1, 0]])


def test_purity_counts_members_of_known_class_only():
    assert purity(np.array([0, 0, 0, 1, -1, 1]), np.array([5, 5, 2, 3, 3, -1])) == 3 / 4
    assert np.isnan(purity(np.array([-1, -1]), np.array([0, 1])))


def test_ami_counts_noise_as_a_group():
    target = np.repeat([0, 1, 2], 20)
    np.testing.assert_allclose(adjusted_mutual_information(target, target), 1.0)
    np.testing.assert_allclose(adjusted_mutual_information(np.where(target == 2, -1, target), target), 1.0)
    assert adjusted_mutual_information(np.full(60, NOISE), target) < 0.01
    assert np.isnan(adjusted_mutual_information(target, np.full(60, NOISE)))
