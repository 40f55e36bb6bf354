"""The neighbour graph, the tree of its communities, the patterns that last, and the vote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_mutual_info_score

from nap_core.configs import RECIPES
from nap_core.geometry.communities import community_tree, evened, neighbor_graph
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.communities import Ties, by_usual_resolution, lambda_of, lasting, selected, shares, vote
from nap_core.patterns.exemplars import selected_clusters
from nap_core.patterns.space import cluster_space, cut, labels_of, tree_of
from nap_core.types import NOISE, Activations, CondensedTree
from tests.benchmarks.planted import planted, structureless

COVERING = RECIPES["covering"]


def activations(values) -> Activations:
    return Activations("layer", "none", values, np.arange(values.shape[1]))


def joined_one_by_one(ties: np.ndarray) -> list[float]:
    """Resolutions at which groups join when each time the closest two of all pairs do."""
    group = [[row] for row in range(len(ties))]
    total, everything, found = ties.sum(axis=1), ties.sum(), []
    while len(group) > 1:
        ratio = {
            (a, b): ties[np.ix_(group[a], group[b])].sum()
            * everything
            / (total[group[a]].sum() * total[group[b]].sum())
            for a in range(len(group))
            for b in range(a)
        }
        a, b = max(ratio, key=ratio.__getitem__)
        found.append(ratio[a, b])
        group[b] = group[b] + group.pop(a)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_tree_is_that_of_joining_the_closest_two_of_all_pairs(seed):
    random = np.random.default_rng(seed)
    ties = np.triu(random.random((18, 18)) * (random.random((18, 18)) < 0.4), 1)
    ties += ties.T + 1e-3 * (1 - np.eye(18))
    edge, resolution = community_tree(csr_matrix(ties))
    np.testing.assert_allclose(resolution, np.sort(joined_one_by_one(ties))[::-1], rtol=1e-9)
    assert len(np.unique(edge)) == 18


def test_parts_that_nothing_ties_join_at_resolution_nought():
    ties = np.zeros((7, 7))
    ties[:3, :3] = ties[3:6, 3:6] = 1 - np.eye(3)
    _, resolution = community_tree(csr_matrix(ties))
    assert (resolution > 0).sum() == 4
    assert (resolution == 0).sum() == 2
    assert np.isfinite(1 / lambda_of(resolution)).all()


def test_ties_are_mutual_and_follow_the_rows():
    values = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    graph = neighbor_graph(values, 8).toarray()
    np.testing.assert_allclose(graph, graph.T)
    assert (graph.diagonal() == 0).all()
    assert ((graph >= 0) & (graph <= 1 + 1e-12)).all()
    assert ((graph > 0).sum(axis=1) >= 7).all()
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_allclose(neighbor_graph(values[order], 8).toarray(), graph[np.ix_(order, order)], atol=1e-4)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_rows_are_all_each_others_neighbours(n):
    graph = neighbor_graph(np.eye(n, 4, dtype=np.float32), 15)
    assert (graph.toarray() > 0).sum() == n * (n - 1)


def test_loud_directions_become_less_loud():
    values = np.random.default_rng(0).normal(size=(200, 3)) * [100.0, 1.0, 1.0]
    before, after = values.std(axis=0), evened(values, angle=False).std(axis=0)
    np.testing.assert_allclose(after[0] / after[-1], (before[0] / before[1:].min()) ** (2 / 3), rtol=0.05)
    np.testing.assert_allclose(np.linalg.norm(evened(values, angle=True), axis=1), 1, rtol=1e-5)


def test_a_group_stays_whole_unless_its_parts_last_much_longer():
    # Root 9, its parts 10 and 11; 11 parts into 12 and 13.
    tree = CondensedTree(
        np.array([9, 9, 11, 11]), np.array([10, 11, 12, 13]), np.array([1.0, 1.0, 2.0, 2.0]), np.array([3, 6, 3, 3])
    )
    assert lasting(tree, {9: 0, 10: 1, 11: 5, 12: 3, 13: 3}, "eom") == [10, 11]
    assert lasting(tree, {9: 0, 10: 1, 11: 5, 12: 4, 13: 4}, "eom") == [10, 12, 13]
    assert lasting(tree, {9: 0, 10: 1, 11: 5, 12: 3, 13: 3}, "leaf") == [10, 12, 13]


def lone_and_fine() -> tuple[CondensedTree, dict[int, float]]:
    """Root 30; 31 holds 10 images and lasts long at low resolution, its parts 33 and 34 shorter, where 32's do."""
    rows = [(30, 31, 1.0, 10), (30, 32, 1.0, 20), (31, 33, 3.2, 5), (31, 34, 3.2, 5), (32, 35, 2.0, 10)]
    rows += [(32, 36, 2.0, 10), *((33 + image // 5, image, 5.9, 1) for image in range(10))]
    rows += [(35 + image // 20, image, 8.0, 1) for image in range(10, 30)]
    parent, child, at, size = (np.array(column) for column in zip(*rows, strict=True))
    tree = CondensedTree(parent, child, at, size)
    born = {31: 1.0, 32: 1.0, 33: 3.2, 34: 3.2, 35: 2.0, 36: 2.0, 30: 0.0}
    stability = {cluster: float(((at - born[cluster]) * size)[parent == cluster].sum()) for cluster in born}
    return tree, stability


def test_life_counts_by_how_many_images_are_in_lasting_groups_at_that_resolution():
    tree, _ = lone_and_fine()
    at = np.linspace(0, 9, 90_001)
    held = 10 * ((at >= 1) & (at < 3.2)) + 20 * ((at >= 2) & (at < 8))
    found = by_usual_resolution(tree, [31, 35, 36])

    def between(first: float, last: float) -> float:
        return float(held[(at >= first) & (at < last)].sum() * (at[1] - at[0]))

    np.testing.assert_allclose(found[31], 10 * between(1, 3.2), rtol=1e-3)
    np.testing.assert_allclose(found[33], 5 * between(3.2, 5.9), rtol=1e-3)
    np.testing.assert_allclose(found[35], 10 * between(2, 8), rtol=1e-3)


def test_a_group_that_lasts_where_little_else_does_no_longer_hides_its_parts():
    tree, stability = lone_and_fine()
    assert lasting(tree, stability, "eom") == [31, 35, 36]
    assert selected(tree, stability, "eom") == [33, 34, 35, 36]
    assert selected(tree, stability, "leaf") == [33, 34, 35, 36]


def test_images_go_where_their_ties_lead_and_strays_to_no_pattern():
    ties = np.zeros((13, 13))
    ties[:6, :6] = ties[6:12, 6:12] = 1 - np.eye(6)
    ties[12, [0, 1, 2, 6, 7, 8]] = ties[[0, 1, 2, 6, 7, 8], 12] = 0.01
    label = np.repeat([0, 1, 0], [6, 6, 1]).astype(np.int32)
    label[5] = 1  # joined too early
    ties[12, [9, 10, 11]] = 0  # half of its ties lead to either
    some = Ties(csr_matrix(ties), np.zeros(13, bool))
    found, share = vote(some, label, np.ones(13, int), 2, 3)
    assert found[:12].tolist() == [0] * 6 + [1] * 6
    assert (share[:12] > 0.9).all()
    np.testing.assert_allclose(shares(csr_matrix(ties), found, 2)[12].sum(), 1)
    few, _ = vote(some, label, np.ones(13, int), 2, 8)
    assert (few == NOISE).all() or (np.bincount(few[few != NOISE]) >= 8).all()


def test_who_is_near_nobody_but_by_chance_stays_only_in_a_pattern_of_others_that_nearly_all_ties_lead_to():
    ties = np.zeros((18, 18))
    ties[:6, :6] = ties[6:12, 6:12] = ties[12:, 12:] = 1 - np.eye(6)
    ties[5, 6:9] = ties[6:9, 5] = 1  # five of its eight ties stay in its group
    far = np.zeros(18, bool)
    far[[4, 5]] = far[13:] = True
    label = np.repeat([0, 1, 2], 6).astype(np.int32)
    found, share = vote(Ties(csr_matrix(ties), far), label, np.ones(18, int), 3, 3)
    assert found.tolist() == [0] * 5 + [NOISE] + [1] * 6 + [NOISE] * 6
    assert (share[found == NOISE] == 0).all()
    copies, _ = vote(Ties(csr_matrix(ties), far), label, np.full(18, 2), 3, 3)
    assert (copies == label).all()


@pytest.mark.parametrize("n_units, n_groups", [(256, 30), (2048, 100)])
def test_planted_groups_are_found_and_counted(n_units, n_groups):
    made = planted(n_units, n_groups)
    found = find_patterns(activations(made.values))
    assert abs(found.n_patterns - n_groups) <= 0.1 * n_groups
    assert adjusted_mutual_info_score(made.target, found.label) > 0.85


def test_of_nothing_next_to_nothing_is_made():
    assert find_patterns(activations(structureless(256, 800).values)).coverage < 0.05


@pytest.mark.parametrize("method", ["eom", "leaf"])
def test_the_tree_holds_the_images_where_the_vote_put_them(method):
    config = replace(COVERING, cluster_selection_method=method)
    found = find_patterns(activations(planted(64, 10, 400).values), config)
    tree, clusters = found.tree, selected_clusters(found.tree, found.label)
    size = dict(zip(tree.child.tolist(), tree.child_size.tolist(), strict=True))
    assert [size[cluster] for cluster in clusters.tolist()] == found.size.tolist()
    assert sorted(tree.child[tree.child < 400].tolist()) == list(range(400))
    assert (np.bincount(found.exemplar_pattern) > 0).all()
    assert (found.label[found.exemplar] == found.exemplar_pattern).all()
    assert (found.probability[found.label == NOISE] == 0).all()


def test_one_tree_gives_what_a_fresh_run_gives_for_every_size():
    made = activations(planted(64, 10, 400).values)
    space = cluster_space(made, COVERING)
    tree = tree_of(space, COVERING)
    for size in (3, 8, 20):
        config = replace(COVERING, min_cluster_size=size)
        fresh = find_patterns(made, config)
        again = cut(space, *tree, config).label[np.argsort(space.order)]
        assert adjusted_mutual_info_score(fresh.label, again) == pytest.approx(1)
        assert fresh.size.min(initial=size) >= size
    some = np.arange(0, 400, 2)
    assert len(labels_of(space.subset(some), COVERING)) == 200
