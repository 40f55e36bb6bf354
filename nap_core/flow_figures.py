"""A flow as the option of an ECharts Sankey, and its bars and ribbons in words."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nap_core.flow_statistics import Majority, RibbonStatistics
from nap_core.flows import OTHER, FlowChart, Node
from nap_core.palette import OTHER_COLOR, pattern_color
from nap_core.types import NOISE

_NODE_PIXELS = 26  # a column needs about this much height per node to keep labels apart
_COLUMN_PIXELS = 122  # and this much width
_TOP, _BOTTOM, _LEFT, _RIGHT, _BAR = 34, 10, 8, 56, 14


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
        return f"{n} more pattern{'s' * (n > 1)}"
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
    return max(560, _COLUMN_PIXELS * len(chart.layers))


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


def flow_options(
    chart: FlowChart,
    text: str,
    statistics: RibbonStatistics | None = None,
    classes: Classes | None = None,
    *,
    by_class: bool = False,
    opacity: Sequence[float] = (),
) -> dict[str, Any]:
    """Return the ECharts option of a Sankey: nodes and links in the order of `chart`, layer names above.

    Parameters
    ----------
    text
        Colour of the labels, ``#rrggbb``.
    statistics, classes
        Told under the pointer, where given.
    by_class
        Colour bars and ribbons by their commonest class instead of by pattern; noise stays grey.
    opacity
        Per ribbon, in [0, 1]; where absent, all ribbons alike.
    """
    painted = classes if by_class else None
    series = {
        "type": "sankey",
        "data": _data(chart, classes, painted),
        "links": _links(chart, statistics, classes, painted, opacity),
        "layoutIterations": 0,
        "nodeAlign": "left",
        "nodeGap": _gap(chart),
        "nodeWidth": _BAR,
        "left": _LEFT,
        "right": _RIGHT,
        "top": _TOP,
        "bottom": _BOTTOM,
        "draggable": False,
        "selectedMode": "single",
        "select": {"itemStyle": {"borderColor": text, "borderWidth": 2}, "lineStyle": {"opacity": 0.9}},
        "emphasis": {"focus": "trajectory", "lineStyle": {"opacity": 0.75}},
        "lineStyle": {"color": "source", "opacity": 0.32, "curveness": 0.5},
        "label": {"color": text, "fontSize": 12, "position": "right", "textBorderWidth": 0},
    }
    return {
        "tooltip": {"trigger": "item", "confine": True},
        "title": _column_titles(chart.layers, text),
        "series": [series],
        "animation": False,
    }


def _gap(chart: FlowChart) -> float:
    """Return the pixels between two nodes: less where there are so many that gaps would take a third of the height."""
    return round(min(7.0, 0.35 * flow_height(chart) / max(1, _tallest(chart) - 1)), 1)


def _data(chart: FlowChart, classes: Classes | None, painted: Classes | None) -> list[dict[str, Any]]:
    inner = flow_height(chart) - _TOP - _BOTTOM - _gap(chart) * (_tallest(chart) - 1)
    data = []
    for i, node in enumerate(chart.nodes):
        color = pattern_color(node.label, chart.n_patterns[node.layer])
        said = f"{node.size:,} images in {node_name(chart, node)} of {html.escape(chart.layers[node.layer])}"
        if classes:
            number, share = int(classes.majority.node[i]), float(classes.majority.node_share[i])
            said += _class_words(classes, number, share, " of the whole pattern:" if node.label >= 0 else "")
            if painted and node.label != NOISE:
                color = classes.color(number, share)
        pixels = inner * node.size / max(1, chart.n_followed)
        label = {"show": pixels + _gap(chart) > 13, "formatter": _short_name(chart, node)}
        data.append(
            {
                "name": str(i),
                "depth": node.layer,
                "value": node.size,
                "itemStyle": {"color": color},
                "label": label,
                "tooltip": {"formatter": said},
            }
        )
    return data


def _links(
    chart: FlowChart,
    statistics: RibbonStatistics | None,
    classes: Classes | None,
    painted: Classes | None,
    opacity: Sequence[float],
) -> list[dict[str, Any]]:
    links = []
    for i, ribbon in enumerate(chart.ribbons):
        source, target = chart.nodes[ribbon.source], chart.nodes[ribbon.target]
        said = f"{ribbon.count:,} images: {node_name(chart, source)} → {node_name(chart, target)}"
        style: dict[str, Any] = {"lineStyle": {"opacity": opacity[i]}} if len(opacity) else {}
        if classes:
            number, share = int(classes.majority.ribbon[i]), float(classes.majority.ribbon_share[i])
            said += _class_words(classes, number, share)
            if painted:
                style = {"lineStyle": {"color": classes.color(number, share), "opacity": 0.45}}
        if statistics:
            said += f"<br>{float(statistics.lift[i]):.1f} × as many as by chance"
        ends = {"source": str(ribbon.source), "target": str(ribbon.target), "value": ribbon.count}
        links.append({**ends, **style, "tooltip": {"formatter": said}})
    return links


def _class_words(classes: Classes, number: int, share: float, whole: str = "") -> str:
    return f"<br>{share:.0%}{whole} {html.escape(classes.names[number])}" if number != NOISE else ""


def _column_titles(layers: Sequence[str], text: str) -> list[dict[str, Any]]:
    last = max(1, len(layers) - 1)
    return [
        {
            "text": name if len(name) <= 15 else f"…{name[-14:]}",
            **({"right": 8} if i == last else {"left": f"{0.5 + 91 * i / last:.1f}%"}),
            "top": 4,
            "textStyle": {"fontSize": 12, "fontFamily": "monospace", "fontWeight": "normal", "color": text},
        }
        for i, name in enumerate(layers)
    ]


def ribbon_words(statistics: RibbonStatistics, ribbon: int) -> str:
    """Return how a ribbon compares with chance: "3.2 times as many as chance would bring (p < 0.001)"."""
    lift, p = float(statistics.lift[ribbon]), float(statistics.p[ribbon])
    told = "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
    expected = float(statistics.expected[ribbon])
    if p >= 0.05:
        return f"about as many as chance would bring ({expected:,.0f} expected, {told})"
    digits = 2 if lift < 0.1 else 1
    return f"{lift:.{digits}f} times as many as chance would bring ({expected:,.0f} expected, {told})"
