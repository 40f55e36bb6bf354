"""Flows against nested loops over every image; charts against the labels they draw."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nap_core.flows import OTHER, FlowChart, flow, flow_chart, label_chart, orders
from nap_core.types import NOISE, CondensedTree, Patterns
from tests.oracles import contingency


def patterns(layer: str, label: list[int] | NDArray[np.int64]) -> Patterns:
    """Patterns with these labels; noise is assigned to pattern 0."""
    label = np.asarray(label)
    n, n_patterns = len(label), int(label.max(initial=NOISE)) + 1
    tree = CondensedTree([n] * n, range(n), [1.0] * n, [1] * n)
    assigned = np.where(label == NOISE, 0 if n_patterns else NOISE, label)
    medoid = [int(np.flatnonzero(label == p)[0]) for p in range(n_patterns)]
    ones, zeros = np.ones(n), np.zeros(n)
    core = np.arange(n_patterns)
    return Patterns(layer, label, ones, zeros, assigned, ones, np.ones(n_patterns), medoid, medoid, core, tree)


def drawn(seed: int, n_patterns: int, n: int = 200) -> Patterns:
    label = np.random.default_rng(seed).integers(NOISE, n_patterns, n)
    label[:n_patterns] = np.arange(n_patterns)
    return patterns(f"layer{seed}", label)


CHAIN = [drawn(0, 6), drawn(1, 9), drawn(2, 4)]
SUBSET = np.arange(3, 200, 7)


@pytest.mark.parametrize(("a", "b"), [(CHAIN[0], CHAIN[1]), (CHAIN[1], CHAIN[2]), (CHAIN[0], CHAIN[0])])
def test_counts_are_those_of_nested_loops(a: Patterns, b: Patterns) -> None:
    found = flow(a, b)
    assert found.count.tolist() == contingency(a.label, b.label, a.n_patterns, b.n_patterns)
    np.testing.assert_array_equal(found.count, flow(b, a).count.T)
    np.testing.assert_array_equal(found.count[:-1].sum(1), a.size)
    np.testing.assert_array_equal(found.count[:, :-1].sum(0), b.size)
    for source, target in [(0, 0), (NOISE, 1), (2, NOISE), (NOISE, NOISE)]:
        assert len(found.members(source, target)) == found.count[source, target]


def test_a_layer_of_noise_alone() -> None:
    found = flow(patterns("a", [NOISE] * 4), patterns("b", [0, 0, 1, NOISE]))
    assert found.count.tolist() == [[2, 1, 1]]
    chart = flow_chart([patterns("a", [NOISE] * 4), patterns("b", [0, 0, 1, NOISE])])
    assert [(n.layer, n.size) for n in chart.nodes if n.label == NOISE] == [(0, 4), (1, 1)]


OPTIONS = [{}, {"most": 3}, {"fold_below": 25}, {"images": SUBSET}, {"images": SUBSET, "most": 2}, {"assigned": True}]


def check_partition(chart: FlowChart, kept: NDArray[np.int64]) -> None:
    for layer in range(len(chart.layers)):
        members = [chart.node_members(i) for i, node in enumerate(chart.nodes) if node.layer == layer]
        np.testing.assert_array_equal(np.sort(np.concatenate(members)), kept)
    for layer in range(len(chart.layers) - 1):
        here = [i for i, ribbon in enumerate(chart.ribbons) if chart.nodes[ribbon.source].layer == layer]
        np.testing.assert_array_equal(np.sort(np.concatenate([chart.ribbon_members(i) for i in here])), kept)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_nodes_and_ribbons_partition_the_images(options: dict) -> None:
    chart = flow_chart(CHAIN, **options)
    check_partition(chart, options.get("images", np.arange(200)))
    for i, node in enumerate(chart.nodes):
        assert node.size == len(chart.node_members(i)) > 0
        for side in ("source", "target"):
            beside = [ribbon.count for ribbon in chart.ribbons if getattr(ribbon, side) == i]
            assert not beside or sum(beside) == node.size
    for i, ribbon in enumerate(chart.ribbons):
        assert chart.nodes[ribbon.target].layer == chart.nodes[ribbon.source].layer + 1
        assert ribbon.count == len(chart.ribbon_members(i)) > 0


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_noise_is_at_the_bottom_and_the_folded_above_it(options: dict) -> None:
    chart = flow_chart(CHAIN, **options)
    for layer in range(len(CHAIN)):
        nodes = sorted((node for node in chart.nodes if node.layer == layer), key=lambda node: node.place)
        assert [node.place for node in nodes] == list(range(len(nodes)))
        negative = [node.label for node in nodes if node.label < 0]
        assert [node.label for node in nodes][len(nodes) - len(negative) :] == negative
        assert negative in ([], [NOISE], [OTHER], [OTHER, NOISE])
        assert (NOISE in negative) is not options.get("assigned", False)


def test_folding_keeps_the_largest_and_the_totals() -> None:
    chart, size = flow_chart(CHAIN, most=3), CHAIN[1].size
    shown = {node.label: node.size for node in chart.nodes if node.layer == 1}
    largest = np.lexsort((np.arange(9), -size))[:3].tolist()
    assert set(shown) == {*largest, OTHER, NOISE}
    assert shown[OTHER] == sum(size) - sum(size[largest])
    assert sum(shown.values()) == 200
    few = flow_chart(CHAIN, fold_below=25)
    assert all(node.size >= 25 for node in few.nodes if node.label >= 0)


def test_a_single_pattern_is_not_folded_alone() -> None:
    assert OTHER not in {node.label for node in flow_chart(CHAIN[:1], most=5).nodes}


def test_images_left_out_are_in_no_node() -> None:
    chart = flow_chart(CHAIN, images=SUBSET)
    assert (np.delete(chart.node_of, SUBSET, axis=1) == -1).all()
    assert chart.n_patterns == (6, 9, 4)
    assert (np.delete(chart.ribbon_of, SUBSET, axis=1) == -1).all()
    assert chart.n_followed == len(SUBSET)


def test_an_unfolded_layer_has_a_node_for_every_pattern() -> None:
    chart = flow_chart(CHAIN, most=2, fold_below=40, unfolded=["layer1"])
    assert {node.label for node in chart.nodes if node.layer == 1} == {NOISE, *range(9)}
    assert chart.n_folded[1] == 0
    assert chart.n_folded[0] >= 4
    assert chart.n_folded[2] >= 2


def test_folded_patterns_are_counted_among_the_followed_images_alone() -> None:
    first = np.flatnonzero(CHAIN[1].label < 4)
    chart = flow_chart(CHAIN, images=first, most=2)
    assert chart.n_folded[1] == 2
    assert chart.n_patterns[1] == 9


def sorted_by_hand(labels: list[NDArray[np.int32]]) -> list[list[int]]:
    """The order of labels, image by image."""
    found = [sorted(set(label.tolist()), key=lambda n: (n == NOISE, n == OTHER, n)) for label in labels]
    for sweep in range(6):
        steps = range(1, len(labels)) if sweep % 2 == 0 else range(len(labels) - 2, -1, -1)
        for layer in steps:
            beside = layer - 1 if sweep % 2 == 0 else layer + 1
            centre = {}
            for number in found[layer]:
                places = [found[beside].index(n) for n in labels[beside][labels[layer] == number].tolist()]
                centre[number] = sum(places) / len(places)
            found[layer].sort(key=lambda n: (n == NOISE, n == OTHER, centre[n], n))
    return found


@pytest.mark.parametrize("folded", [False, True])
def test_the_order_is_that_of_images_taken_one_by_one(folded: bool) -> None:
    labels = [np.where(p.label > 3, OTHER, p.label) if folded else p.label for p in CHAIN]
    assert orders(labels) == sorted_by_hand(labels)


def test_a_planted_permutation_is_untangled() -> None:
    label = np.repeat(np.arange(8), 10)
    swapped = np.random.default_rng(0).permutation(8)
    assert orders([label, swapped[label]]) == [list(range(8)), swapped.tolist()]


@pytest.mark.parametrize("options", OPTIONS[:-1], ids=str)
def test_a_pattern_keeps_its_place_whatever_is_folded_or_followed(options: dict) -> None:
    chart, whole = flow_chart(CHAIN, **options), flow_chart(CHAIN)
    for layer in range(3):
        here = [node.label for node in chart.nodes if node.layer == layer and node.label >= 0]
        assert here == [node.label for node in whole.nodes if node.layer == layer and node.label in here]


def test_groupings_that_are_not_patterns_are_drawn_too() -> None:
    left, right = np.array([1, 1, 3, NOISE]), np.array([0, 0, 0, 2])
    chart = label_chart(("a", "b"), (left, right), (5, 3))  # patterns 0, 2 and 4 have no image here
    assert sorted((node.layer, node.label, node.size) for node in chart.nodes) == [
        (0, NOISE, 1),
        (0, 1, 2),
        (0, 3, 1),
        (1, 0, 3),
        (1, 2, 1),
    ]
    assert sorted(ribbon.count for ribbon in chart.ribbons) == [1, 1, 2]
