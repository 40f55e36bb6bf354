"""Ribbons against chance, counted by hand and drawn by shuffling; classes of bars against the labels."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy.stats import hypergeom

from nap_core.flow_statistics import corrected, majority, ribbon_statistics
from nap_core.flows import flow_chart
from nap_core.types import NOISE
from tests.unit.test_flows import CHAIN, OPTIONS, SUBSET, drawn, patterns


def tails(k: int, n: int, a: int, b: int) -> float:
    """Twice the smaller tail, one outcome at a time."""
    chance = [float(hypergeom.pmf(i, n, a, b)) for i in range(min(a, b) + 1)]
    return min(1.0, 2 * min(sum(chance[k:]), sum(chance[: k + 1])))


def benjamini_hochberg(p: list[float]) -> list[float]:
    order = sorted(range(len(p)), key=lambda i: p[i])
    found, least = [1.0] * len(p), 1.0
    for rank in range(len(p), 0, -1):
        least = min(least, p[order[rank - 1]] * len(p) / rank)
        found[order[rank - 1]] = least
    return found


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_ribbons_are_those_of_the_formula_pair_by_pair(options: dict) -> None:
    chart = flow_chart(CHAIN, **options)
    found, n = ribbon_statistics(chart), len(options.get("images", range(200)))
    for step in range(2):
        sides = [[i for i, node in enumerate(chart.nodes) if node.layer == layer] for layer in (step, step + 1)]
        cells = list(product(*sides))
        count = Counter({(r.source, r.target): r.count for r in chart.ribbons})
        size = [node.size for node in chart.nodes]
        wanted = dict(
            zip(cells, benjamini_hochberg([tails(count[c], n, size[c[0]], size[c[1]]) for c in cells]), strict=True)
        )
        for i, ribbon in enumerate(chart.ribbons):
            if chart.nodes[ribbon.source].layer == step:
                expected = size[ribbon.source] * size[ribbon.target] / n
                assert found.expected[i] == pytest.approx(expected)
                assert found.lift[i] == pytest.approx(ribbon.count / expected)
                assert found.p[i] == pytest.approx(wanted[ribbon.source, ribbon.target])


def test_independent_layers_have_no_ribbon_and_equal_layers_have_all() -> None:
    quiet = [
        ribbon_statistics(flow_chart([drawn(2 * i, 8, 2000), drawn(2 * i + 1, 8, 2000)])).p.min() for i in range(20)
    ]
    assert sum(p < 0.05 for p in quiet) <= 4
    same = ribbon_statistics(flow_chart([drawn(3, 8), drawn(3, 8)]))
    assert len(same.p) == 9
    assert same.p.max() < 1e-3
    assert same.lift.min() > 1


def test_fewer_than_chance_is_told_as_such() -> None:
    table = np.array([[1, 99], [99, 1]])
    assert corrected(table).max() < 1e-9
    chart = flow_chart([patterns("a", [0] * 100 + [1] * 100), patterns("b", [0] + [1] * 99 + [0] * 99 + [1])])
    found = ribbon_statistics(chart)
    assert sorted(found.lift.round(2).tolist()) == pytest.approx([0.02, 0.02, 1.98, 1.98])


def test_one_bar_says_nothing() -> None:
    found = ribbon_statistics(flow_chart([patterns("a", [NOISE] * 9), patterns("b", [0] * 4 + [1] * 5)]))
    assert found.p.tolist() == [1, 1]
    assert found.lift.tolist() == [1, 1]


@pytest.mark.parametrize("options", [{}, {"images": SUBSET, "most": 3}], ids=str)
def test_majorities_are_counted_image_by_image(options: dict) -> None:
    target = np.random.default_rng(5).integers(NOISE, 4, 200).astype(np.int32)
    chart = flow_chart(CHAIN, **options)
    found = majority(chart, target)
    parts = [
        (CHAIN[node.layer].label == node.label, found.node[i], found.node_share[i])
        for i, node in enumerate(chart.nodes)
    ]
    parts += [(chart.ribbon_members(i), found.ribbon[i], found.ribbon_share[i]) for i in range(len(chart.ribbons))]
    for members, number, share in parts:
        known = [int(t) for t in target[members] if t != NOISE]
        most = max(Counter(known).values(), default=0)
        assert share == pytest.approx(most / len(known) if known else 0)
        assert number == min((c for c, n in Counter(known).items() if n == most), default=NOISE)


def test_no_class_is_known() -> None:
    found = majority(flow_chart(CHAIN), np.full(200, NOISE, np.int32))
    assert set(found.node.tolist()) | set(found.ribbon.tolist()) == {NOISE}
    assert not found.node_share.any()
