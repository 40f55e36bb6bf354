"""Records in, figures out: ECharts options for the flow, Plotly figures for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nap_core.flows import OTHER, FlowChart, Node
from nap_core.palette import ACCENT, pattern_color
from nap_core.types import NOISE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NODE_PIXELS = 26  # a column needs about this much height per node to keep labels apart


def node_name(chart: FlowChart, node: Node) -> str:
    """Return what a node is called in a sentence: "pattern 3", "no pattern", "7 more patterns"."""
    if node.label == NOISE:
        return "no pattern"
    if node.label == OTHER:
        drawn = sum(other.layer == node.layer and other.label >= 0 for other in chart.nodes)
        return f"{chart.n_patterns[node.layer] - drawn} more patterns"
    return f"pattern {node.label}"


def _short_name(chart: FlowChart, node: Node) -> str:
    return {NOISE: "none", OTHER: node_name(chart, node).removesuffix(" patterns")}.get(node.label, str(node.label))


def flow_height(chart: FlowChart) -> int:
    """Return the pixels of height that keep the chart readable."""
    most = max(Counter(node.layer for node in chart.nodes).values(), default=1)
    return max(320, min(900, 90 + _NODE_PIXELS * most))


def flow_options(chart: FlowChart, text: str) -> dict[str, Any]:
    """Return the ECharts option of a Sankey: nodes and links in the order of `chart`, layer names above.

    Parameters
    ----------
    text
        Colour of the labels, ``#rrggbb``.
    """
    total = max(1, sum(node.size for node in chart.nodes if node.layer == 0))
    nodes = [
        {
            "name": str(i),
            "depth": node.layer,
            "value": node.size,
            "itemStyle": {"color": pattern_color(node.label, chart.n_patterns[node.layer])},
            "label": {"show": node.size / total > 0.012, "formatter": _short_name(chart, node)},
            "tooltip": {"formatter": f"{node.size} images in {node_name(chart, node)} of layer {1 + node.layer}"},
        }
        for i, node in enumerate(chart.nodes)
    ]
    links = [
        {
            "source": str(ribbon.source),
            "target": str(ribbon.target),
            "value": ribbon.count,
            "tooltip": {
                "formatter": f"{ribbon.count} images: {node_name(chart, chart.nodes[ribbon.source])} → "
                f"{node_name(chart, chart.nodes[ribbon.target])}"
            },
        }
        for ribbon in chart.ribbons
    ]
    series = {
        "type": "sankey",
        "data": nodes,
        "links": links,
        "layoutIterations": 0,
        "nodeAlign": "left",
        "nodeGap": 7,
        "nodeWidth": 14,
        "left": 8,
        "right": 56,
        "top": 34,
        "bottom": 10,
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


def _column_titles(layers: Sequence[str], text: str) -> list[dict[str, Any]]:
    last = max(1, len(layers) - 1)
    return [
        {
            "text": name if len(name) <= 18 else f"…{name[-17:]}",
            **({"right": 8} if i == last else {"left": f"{0.5 + 91 * i / last:.1f}%"}),
            "top": 4,
            "textStyle": {"fontSize": 12, "fontFamily": "monospace", "fontWeight": "normal", "color": text},
        }
        for i, name in enumerate(layers)
    ]


def probability_figure(probability: NDArray[np.float32], color: str = ACCENT) -> Any:
    """Return a small histogram of how firmly images belong, probability in [0, 1]; the last bin holds 1 itself."""
    import numpy as np
    import plotly.graph_objects as go

    count, edge = np.histogram(probability, 20, (0, 1))
    bars = go.Bar(x=(edge[:-1] + edge[1:]) / 2, y=count, width=np.diff(edge), marker_color=color)
    figure = _quiet(go.Figure(bars), x="how firmly", y="images")
    figure.update_xaxes(range=[0, 1])
    return figure


def share_figure(names: Sequence[str], counts: Sequence[int], color: str = ACCENT) -> Any:
    """Return horizontal bars, the largest on top, with the number beside each."""
    import plotly.graph_objects as go

    bars = go.Bar(
        x=list(counts)[::-1], y=list(names)[::-1], orientation="h", marker_color=color, text=list(counts)[::-1]
    )
    figure = _quiet(go.Figure(bars), x="", y="", height=60 + 26 * len(names))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(type="category")
    return figure


def _quiet(figure: Any, x: str, y: str, height: int = 180) -> Any:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        bargap=0.12,
        xaxis_title=x,
        yaxis_title=y,
    )
    return figure
