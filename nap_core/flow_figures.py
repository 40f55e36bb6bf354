"""A flow as it is drawn, bars and ribbons with their places and colours, and the same in words."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import counted
from nap_core.flow_statistics import Majority, RibbonStatistics
from nap_core.flows import OTHER, FlowChart, Node
from nap_core.palette import OTHER_COLOR, pattern_color
from nap_core.types import NOISE, Float, frozen_array

_NODE_PIXELS = 26  # a column needs about this much height per node to keep labels apart
_COLUMN_PIXELS = 116  # and this much width
_BESIDE = 96  # for the names behind the last layer
_TOP, _BOTTOM = 30, 10
_LABEL_PIXELS = 13


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The classes of a chart's bars and ribbons, with their names."""

    majority: Majority
    names: Sequence[str]  # [class]

    def color(self, number: int, share: float) -> str:
        """Return the colour of a class that has more than half of something; the grey of a mixture otherwise."""
        return pattern_color(number, len(self.names)) if share > 0.5 else OTHER_COLOR


def node_name(chart: FlowChart, node: Node) -> str:
    """Return what a node is called in a sentence: "pattern 3", "no pattern", "7 more patterns"."""
    if node.label == NOISE:
        return "no pattern"
    if node.label == OTHER:
        n = chart.n_folded[node.layer]
        return counted(n, "more pattern")
    return f"pattern {node.label}"


def _short_name(chart: FlowChart, node: Node) -> str:
    if node.label == OTHER:
        return f"{chart.n_folded[node.layer]} more"
    return "none" if node.label == NOISE else str(node.label)


def _tallest(chart: FlowChart) -> int:
    return max(Counter(node.layer for node in chart.nodes).values(), default=1)


def flow_height(chart: FlowChart) -> int:
    """Return the pixels of height that keep the chart readable."""
    return max(320, min(1200, 90 + _NODE_PIXELS * _tallest(chart)))


def flow_width(chart: FlowChart) -> int:
    """Return the pixels of width below which the chart has to scroll."""
    return _BESIDE + _COLUMN_PIXELS * len(chart.layers)


def painted_classes(chart: FlowChart, classes: Classes) -> list[int]:
    """Return the classes that colour a bar or a ribbon, those of most images first."""
    images: Counter[int] = Counter()
    found = classes.majority
    for node, number, share in zip(chart.nodes, found.node, found.node_share, strict=True):
        if share > 0.5 and node.label != NOISE:
            images[int(number)] += node.size
    for ribbon, number, share in zip(chart.ribbons, found.ribbon, found.ribbon_share, strict=True):
        if share > 0.5:
            images[int(number)] += ribbon.count
    return [number for number, _ in images.most_common()]


@dataclass(frozen=True, slots=True, eq=False)
class FlowLayout:
    """Where bars and ribbons are, in pixels from the top."""

    node_y: Float  # [node] upper edge
    node_height: Float  # [node]
    source_y: Float  # [ribbon] upper edge at its source
    target_y: Float  # [ribbon] upper edge at its target
    ribbon_height: Float  # [ribbon]

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, frozen_array(getattr(self, field.name), np.float32, 1))
        assert len(self.node_y) == len(self.node_height)
        assert len(self.source_y) == len(self.target_y) == len(self.ribbon_height)


def flow_layout(chart: FlowChart) -> FlowLayout:
    """Return places as high as there are images: bars from the top of their layer, ribbons in the order of the bars."""
    size: NDArray[np.float64] = np.array([node.size for node in chart.nodes], np.float64)
    layer = np.array([node.layer for node in chart.nodes], np.int64)
    ends = np.array([(r.source, r.target, r.count) for r in chart.ribbons], np.int64).reshape(-1, 3)
    unit = (flow_height(chart) - _TOP - _BOTTOM - _gap(chart) * (_tallest(chart) - 1)) / max(1, chart.n_followed)
    node_y = _TOP + _stacked(layer, unit * size + _gap(chart), np.arange(len(size)))
    high: NDArray[np.float64] = unit * ends[:, 2].astype(np.float64)
    source, target = (node_y[ends[:, side]] + _stacked(ends[:, side], high, ends[:, 1 - side]) for side in (0, 1))
    return FlowLayout(*(each.astype(np.float32) for each in (node_y, unit * size, source, target, high)))


def _stacked(column: NDArray[np.int64], height: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how high the others of the same column, those before in `order`, are together."""
    at = np.lexsort((order, column))
    before = np.cumsum(height[at]) - height[at]
    first = np.searchsorted(column[at], column[at])
    found = np.empty(len(height))
    found[at] = before - before[first]
    return found


def flow_drawing(
    chart: FlowChart,
    statistics: RibbonStatistics | None = None,
    classes: Classes | None = None,
    *,
    by_class: bool = False,
    opacity: Sequence[float] = (),
) -> dict[str, Any]:
    """Return what it takes to draw a chart: bars and ribbons with their places, colours and words, plain values only.

    Parameters
    ----------
    statistics, classes
        Told under the pointer, where given.
    by_class
        Colour bars and ribbons by their commonest class instead of by pattern; noise stays grey.
    opacity
        Per ribbon, in [0, 1]; where absent, all ribbons alike.
    """
    layout, painted = flow_layout(chart), classes if by_class else None
    bars = [_bar(chart, i, classes, painted) for i in range(len(chart.nodes))]
    for bar, y, height in zip(bars, layout.node_y.tolist(), layout.node_height.tolist(), strict=True):
        bar |= {"y": round(y, 2), "height": round(height, 2), "labelled": height + _gap(chart) > _LABEL_PIXELS}
    ribbons = [_ribbon(chart, i, statistics, classes, painted) for i in range(len(chart.ribbons))]
    places = zip(layout.source_y.tolist(), layout.target_y.tolist(), layout.ribbon_height.tolist(), strict=True)
    for ribbon, (from_y, to_y, height) in zip(ribbons, places, strict=True):
        ribbon |= {"from": round(from_y, 2), "to": round(to_y, 2), "height": round(height, 3)}
    for ribbon, part in zip(ribbons, opacity, strict=False):
        ribbon["opacity"] = round(float(part), 2)
    followed = chart.ribbon_of[:, chart.node_of[0] >= 0]
    narrow = len(ribbons) <= np.iinfo(np.uint16).max
    return {
        "height": flow_height(chart),
        "width": flow_width(chart),
        "layers": list(chart.layers),
        "bars": bars,
        "ribbons": ribbons,
        "followed": base64.b64encode(followed.astype("<u2" if narrow else "<u4").tobytes()).decode(),
        "narrow": narrow,  # whether `followed`, [layer - 1, image] its ribbon, takes two bytes a number, or four
        "n": chart.n_followed,
    }


def _bar(chart: FlowChart, i: int, classes: Classes | None, painted: Classes | None) -> dict[str, Any]:
    node = chart.nodes[i]
    color = pattern_color(node.label, chart.n_patterns[node.layer])
    said = f"{counted(node.size, 'image')} in {node_name(chart, node)} of {chart.layers[node.layer]}"
    if classes:
        number, share = int(classes.majority.node[i]), float(classes.majority.node_share[i])
        said += _class_words(classes, number, share, " of the whole pattern:" if node.label >= 0 else "")
        if painted and node.label != NOISE:
            color = classes.color(number, share)
    words = {"short": _short_name(chart, node), "said": said, "color": color}
    return {"layer": node.layer, "part": part_name(chart, "node", i), "size": node.size, **words}


def _ribbon(
    chart: FlowChart, i: int, statistics: RibbonStatistics | None, classes: Classes | None, painted: Classes | None
) -> dict[str, Any]:
    ribbon = chart.ribbons[i]
    source, target = chart.nodes[ribbon.source], chart.nodes[ribbon.target]
    color = pattern_color(source.label, chart.n_patterns[source.layer])
    said = f"{counted(ribbon.count, 'image')}: {node_name(chart, source)} → {node_name(chart, target)}"
    if classes:
        number, share = int(classes.majority.ribbon[i]), float(classes.majority.ribbon_share[i])
        said += _class_words(classes, number, share)
        color = painted.color(number, share) if painted else color
    if statistics:
        said += f"\n{float(statistics.lift[i]):.1f} × as many as by chance"
    ends = {"source": ribbon.source, "target": ribbon.target, "size": ribbon.count}
    return {**ends, "part": part_name(chart, "edge", i), "color": color, "said": said}


def _class_words(classes: Classes, number: int, share: float, whole: str = "") -> str:
    return f"\n{share:.0%}{whole} {classes.names[number]}" if number != NOISE else ""


def _gap(chart: FlowChart) -> float:
    """Return the pixels between two nodes: less where there are so many that gaps would take a third of the height."""
    return round(min(7.0, 0.35 * flow_height(chart) / max(1, _tallest(chart) - 1)), 1)


def part_name(chart: FlowChart, kind: str, index: int) -> str:
    """Return a bar or a ribbon ("node", "edge") as an address names it: ``conv1:3``, ``conv1:3>conv2:none``."""
    if kind == "edge":
        ends = (chart.ribbons[index].source, chart.ribbons[index].target)
        return ">".join(part_name(chart, "node", end) for end in ends)
    node = chart.nodes[index]
    label = {NOISE: "none", OTHER: "more"}.get(node.label, str(node.label))
    return f"{chart.layers[node.layer]}:{label}"


def find_part(chart: FlowChart, name: str) -> tuple[str, int] | None:
    """Return ("node" or "edge", index) of what `part_name` names; None where the chart does not have it."""
    kind, n = ("edge", len(chart.ribbons)) if ">" in name else ("node", len(chart.nodes))
    return next(((kind, i) for i in range(n) if part_name(chart, kind, i) == name), None)


def ribbon_words(statistics: RibbonStatistics, ribbon: int) -> str:
    """Return how a ribbon compares with chance: "3.2 times as many as chance would bring (p < 0.001)"."""
    lift, p = float(statistics.lift[ribbon]), float(statistics.p[ribbon])
    told = "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
    expected = float(statistics.expected[ribbon])
    if p >= 0.05:
        return f"about as many as chance would bring ({expected:,.0f} expected, {told})"
    digits = 2 if lift < 0.1 else 1
    return f"{lift:.{digits}f} times as many as chance would bring ({expected:,.0f} expected, {told})"
