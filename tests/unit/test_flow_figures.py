"""A chart as it is drawn: bars and ribbons as high as their images, nothing over anything else, parts by name."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from nap_core.figures import Grid, grid_figure, spread_figure
from nap_core.flow_figures import (
    Classes,
    find_part,
    flow_drawing,
    flow_height,
    flow_layout,
    painted_classes,
    part_name,
    ribbon_words,
)
from nap_core.flow_statistics import RibbonStatistics, majority, ribbon_statistics
from nap_core.flows import flow_chart
from nap_core.palette import NOISE_COLOR, OTHER_COLOR, pattern_color
from nap_core.types import NOISE
from tests.unit.test_flows import CHAIN, OPTIONS, SUBSET, drawn, patterns

TARGET = np.random.default_rng(5).integers(NOISE, 4, 200).astype(np.int32)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_bars_lie_below_one_another_and_inside_the_chart(options: dict) -> None:
    chart = flow_chart(CHAIN, **options)
    found = flow_layout(chart)
    heights = found.node_height / [node.size for node in chart.nodes]
    assert np.ptp(heights) < 1e-3 * heights[0]
    assert (found.node_y + found.node_height).max() <= flow_height(chart)
    for layer in range(3):
        here = [i for i, node in enumerate(chart.nodes) if node.layer == layer]
        assert found.node_y[here[0]] == found.node_y.min()
        assert (found.node_y[here[1:]] > (found.node_y + found.node_height)[here[:-1]]).all()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("side", ["source", "target"])
def test_ribbons_fill_their_bars_in_the_order_of_the_bars_beside(options: dict, side: str) -> None:
    chart = flow_chart(CHAIN, **options)
    found, other = flow_layout(chart), {"source": "target", "target": "source"}[side]
    for i, node in enumerate(chart.nodes):
        mine = [r for r, ribbon in enumerate(chart.ribbons) if getattr(ribbon, side) == i]
        if not mine:
            assert node.layer == (2 if side == "source" else 0)
            continue
        mine.sort(key=lambda r: getattr(chart.ribbons[r], other))
        at = float(found.node_y[i])
        for r in mine:
            assert getattr(found, f"{side}_y")[r] == pytest.approx(at, abs=1e-3)
            at += float(found.ribbon_height[r])
        assert at == pytest.approx(float(found.node_y[i] + found.node_height[i]), abs=1e-3)


def test_a_drawing_is_plain_and_holds_the_way_of_every_image() -> None:
    chart = flow_chart(CHAIN, images=SUBSET, most=3)
    drawing = flow_drawing(chart, ribbon_statistics(chart), Classes(majority(chart, TARGET), "abcd"))
    assert json.loads(json.dumps(drawing)) == drawing
    ways = np.frombuffer(base64.b64decode(drawing["followed"]), "<u2").reshape(2, len(SUBSET))
    assert drawing["narrow"]
    for step, row in enumerate(ways):
        for ribbon, image in zip(row, SUBSET, strict=True):
            assert image in chart.ribbon_members(int(ribbon))
            assert chart.nodes[chart.ribbons[ribbon].source].layer == step
    assert len({part["part"] for part in (*drawing["bars"], *drawing["ribbons"])}) == len(chart.nodes) + len(
        chart.ribbons
    )


def test_ribbons_may_be_paler_than_others() -> None:
    chart = flow_chart(CHAIN)
    wanted = np.linspace(0, 1, len(chart.ribbons)).round(2).tolist()
    assert [ribbon["opacity"] for ribbon in flow_drawing(chart, opacity=wanted)["ribbons"]] == wanted
    assert not any("chance" in ribbon["said"] for ribbon in flow_drawing(chart)["ribbons"])


def test_colours_are_those_of_the_pattern_or_of_the_class() -> None:
    chart = flow_chart(CHAIN, most=3)
    classes = Classes(majority(chart, TARGET), ["a", "b", "c", "d"])
    by_pattern = flow_drawing(chart, ribbon_statistics(chart), classes)
    by_class = flow_drawing(chart, ribbon_statistics(chart), classes, by_class=True)
    allowed = {OTHER_COLOR, *(pattern_color(n, 4) for n in painted_classes(chart, classes))}
    for node, bar, other in zip(chart.nodes, by_pattern["bars"], by_class["bars"], strict=True):
        assert bar["color"] == pattern_color(node.label, chart.n_patterns[node.layer])
        assert other["color"] in ({NOISE_COLOR} if node.label == NOISE else allowed)
    assert {ribbon["color"] for ribbon in by_class["ribbons"]} <= allowed


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_parts_are_found_by_their_names(options: dict) -> None:
    chart = flow_chart(CHAIN, **options)
    for kind, n in (("node", len(chart.nodes)), ("edge", len(chart.ribbons))):
        assert [find_part(chart, part_name(chart, kind, i)) for i in range(n)] == [(kind, i) for i in range(n)]
    assert find_part(chart, "layer0:99") is None
    assert find_part(chart, "") is None
    assert find_part(chart, "layer0:1>layer9:2") is None


def test_a_layer_of_a_unit_has_a_colon_of_its_own() -> None:
    chart = flow_chart([patterns("conv:3", [0, 0, 1, NOISE]), drawn(1, 2, 4)])
    assert part_name(chart, "node", len([n for n in chart.nodes if n.layer == 0]) - 1) == "conv:3:none"
    assert find_part(chart, "conv:3:none") is not None


@pytest.mark.parametrize(
    ("lift", "p", "words"),
    [
        (3.21, 0.0, "3.2 times as many as chance would bring (20 expected, p < 0.001)"),
        (0.04, 0.02, "0.04 times as many as chance would bring (20 expected, p = 0.020)"),
        (1.1, 0.3, "about as many as chance would bring (20 expected, p = 0.30)"),
    ],
)
def test_a_ribbon_is_told_against_chance(lift: float, p: float, words: str) -> None:
    record = RibbonStatistics(np.array([20.0]), np.array([lift]), np.array([p]))  # type: ignore[arg-type]
    assert ribbon_words(record, 0) == words


def test_empty_cells_of_a_grid_are_not_clicked() -> None:
    values = np.array([[0.5, np.nan], [0.25, 1.0]], np.float32)
    figure = grid_figure(Grid(["b", "c"], ["a", "b"], values), low=0, high=1)
    assert [tuple(cell) for cell in figure.data[1].customdata] == [(0, 0), (1, 0), (1, 1)]
    assert figure.data[1].hovertext == ("b, a: 0.50", "c, a: 0.25", "c, b: 1.00")
    assert figure.data[0].text == (["0.50", ""], ["0.25", "1.00"])


def test_a_class_in_no_pattern_leaves_a_gap_in_its_line() -> None:
    others = np.linspace(1, 9, 300, dtype=np.float32).reshape(100, 3)
    figure = spread_figure(["a", "b", "c"], np.array([2, 0, 1], np.float32), others, "cat <b>")
    assert figure.data[-1].y == (2.0, None, 1.0)
    assert "<b>" not in figure.data[-1].hovertemplate
    assert 2 < len(figure.data) <= 41
