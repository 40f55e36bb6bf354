"""Flows against nested loops over every image; charts against the labels they draw."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nap_core.flows import OTHER, FlowChart, flow, flow_chart
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
