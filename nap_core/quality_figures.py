"""Records of quality in, Plotly figures out: chance, stability, the tree, the dial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nap_core.configs import SELECTIONS
from nap_core.figures import quiet
from nap_core.palette import ACCENT, NOISE_COLOR, OTHER_COLOR, pattern_color
from nap_core.patterns.foreign import RARE
from nap_core.patterns.stability import DOUBTFUL, STABLE

if TYPE_CHECKING:
    from nap_core.patterns.dial import Dial
    from nap_core.patterns.quality import PatternQuality
    from nap_core.patterns.verdict import LayerVerdict
    from nap_core.types import Float, Patterns

_METHOD_COLOR = {"eom": ACCENT, "leaf": "#b8860b"}


def chance_figure(found: LayerVerdict) -> Any:
    """Return three rows, each what is there as a filled mark beside what every shuffled layer gave as rings."""
    from plotly.subplots import make_subplots

    rows: tuple[tuple[str, float, Any, str], ...] = (
        ("images in islands", found.parted, found.chance_parted, ".0%"),
        ("images in patterns", found.coverage, found.chance_coverage, ".0%"),
        ("number of patterns", found.n_patterns, found.chance_n_patterns, "d"),
    )
    figure = make_subplots(rows=3, cols=1, vertical_spacing=0.2)
    for row, (name, here, chance, form) in enumerate(rows, 1):
        ring = {"symbol": "circle-open", "size": 13, "color": NOISE_COLOR, "line": {"width": 2}}
        told = f"a shuffled layer: %{{x:{form}}}<extra></extra>"
        figure.add_scatter(
            x=chance, y=[name] * len(chance), mode="markers", marker=ring, hovertemplate=told, row=row, col=1
        )
        mark = {"symbol": "diamond", "size": 14, "color": ACCENT}
        told = f"this layer: %{{x:{form}}}<extra></extra>"
        figure.add_scatter(x=[here], y=[name], mode="markers", marker=mark, hovertemplate=told, row=row, col=1)
        most = 1.0 if form == ".0%" else 1.1 * max(2, here, *chance)
        figure.update_xaxes(range=[-0.06 * most, 1.06 * most], tickformat=form, nticks=6, row=row, col=1)
    figure.update_yaxes(type="category", showgrid=False)
    return quiet(figure, x="", y="", height=230)


def stability_figure(found: PatternQuality, order: Sequence[int]) -> Any:
    """Return a bar per pattern in `order`, its stability as height, with the borders of the words; bars are clicked."""
    import plotly.graph_objects as go

    n = len(found.size)
    names = [str(pattern) for pattern in order]
    bars = go.Bar(
        x=names,
        y=[float(found.stability[pattern]) for pattern in order],
        customdata=list(order),
        marker_color=[pattern_color(pattern, n) for pattern in order],
        hovertext=[
            f"Pattern {pattern}, {found.size[pattern]:,} images: {found.words[pattern]}, {found.stability[pattern]:.2f}"
            for pattern in order
        ],
        hoverinfo="text",
    )
    figure = quiet(go.Figure(bars), x="pattern", y="comes back (Jaccard)", height=240)
    for border, word in ((STABLE, "stable"), (DOUBTFUL, "doubtful")):
        note = {"annotation_text": word, "annotation_position": "right", "annotation_font_size": 11}
        figure.add_hline(border, line={"color": NOISE_COLOR, "width": 1, "dash": "dot"}, **note)
    figure.update_layout(margin_r=58)  # the words stand beside the bars, not on the last of them
    figure.update_yaxes(range=[0, 1.02])
    figure.update_xaxes(type="category", nticks=min(40, n))
    return figure


def foreign_figure(own: Float, new: Float, border: float) -> Any:
    """Return how strange known and new images are, as two histograms of shares, with the border of what is foreign."""
    import plotly.graph_objects as go

    edges = np.linspace(0, 1.02 * max(own.max(), new.max(), 1e-6), 41)
    figure = go.Figure()
    for name, score, color in (("known images", own, NOISE_COLOR), ("new images", new, ACCENT)):
        share = np.histogram(score, edges)[0] / len(score)
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=share,
            width=np.diff(edges),
            name=f"{name}, {len(score):,}",
            marker={"color": color, "line": {"width": 0}},
            opacity=0.65,
            hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
        )
    note = {"annotation_text": f"stranger than {1 - RARE:.0%} of the known", "annotation_position": "top right"}
    figure.add_vline(border, line={"color": NOISE_COLOR, "width": 1, "dash": "dot"}, annotation_font_size=11, **note)
    figure = quiet(figure, x="stranger, to the right", y="share of the images", height=260)
    figure.update_layout(
        barmode="overlay", showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    )
    figure.update_layout(margin_t=30)
    figure.update_yaxes(tickformat=".0%")
    return figure


def _columns(patterns: Patterns, children: dict[int, list[int]]) -> dict[int, float]:
    """Return where each cluster of the tree stands: leaves side by side, a parent in the middle of its children."""
    place: dict[int, float] = {}
    waiting, n_leaves = [patterns.n_images], 0
    while waiting:
        here = waiting[-1]
        missing = [child for child in children.get(here, []) if child not in place]
        if missing:
            waiting.extend(reversed(missing))
            continue
        waiting.pop()
        below = children.get(here, [])
        place[here] = float(np.mean([place[child] for child in below])) if below else float(n_leaves)
        n_leaves += not below
    return place


def tree_figure(patterns: Patterns, cluster: Sequence[int]) -> Any:
    """Return the condensed tree: from all images on top to ever denser groups below, patterns in their colours.

    Parameters
    ----------
    cluster
        [pattern] the cluster of the tree that each pattern is.
    """
    import plotly.graph_objects as go

    tree, n = patterns.tree, patterns.n_images
    inner = tree.child >= n
    parent, child = tree.parent[inner].tolist(), tree.child[inner].tolist()
    born = dict(zip(child, tree.lambda_val[inner].tolist(), strict=True))
    size = dict(zip(child, tree.child_size[inner].tolist(), strict=True)) | {n: n}
    ends: dict[int, float] = {}
    for here, at in zip(tree.parent.tolist(), tree.lambda_val.tolist(), strict=True):
        ends[here] = max(at, ends.get(here, 0.0))
    first = min(born.values(), default=min(ends.values(), default=1.0))
    children: dict[int, list[int]] = {}
    for above, below in zip(parent, child, strict=True):
        children.setdefault(above, []).append(below)
    place = _columns(patterns, children)
    number = {int(c): pattern for pattern, c in enumerate(cluster)}
    figure = go.Figure()
    for here, x in place.items():
        top, bottom = np.log2(born.get(here, first / 2)), np.log2(max(ends.get(here, first), first))
        pattern = number.get(here)
        color = OTHER_COLOR if pattern is None else pattern_color(pattern, patterns.n_patterns)
        name = "images that no pattern holds together" if pattern is None else f"Pattern {pattern}"
        for above in children.get(here, []):
            line = {"color": OTHER_COLOR, "width": 1}
            figure.add_scatter(
                x=[x, place[above], place[above]],
                y=[np.log2(born[above])] * 3,
                mode="lines",
                line=line,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=[x, x],
            y=[top, bottom],
            mode="lines",
            line={"color": color, "width": 2 + 26 * np.sqrt(size[here] / n)},
            customdata=[-1 if pattern is None else pattern] * 2,
            hovertext=f"{name}: {size[here]:,} images",
            hoverinfo="text",
        )
    figure = quiet(figure, x="", y="denser, downwards", height=320)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(autorange="reversed", showticklabels=False)
    return figure


def dial_figure(found: Dial, current: int | None, suggested: int | None) -> Any:
    """Return how much comes back and how much is covered at every size, for both ways of cutting; marks are clicked."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for method in dict.fromkeys(found.method):
        at = [i for i, name in enumerate(found.method) if name == method]
        size, color = found.min_cluster_size[at], _METHOD_COLOR[method]
        told = [
            f"{SELECTIONS[method]}, at least {found.min_cluster_size[i]} images: {found.n_patterns[i]:,} patterns, "
            f"{found.coverage[i]:.0%} in them, {found.comes_back[i]:.0%} come back"
            for i in at
        ]
        for values, dash, what in ((found.comes_back, "solid", "come back"), (found.coverage, "dot", "in patterns")):
            figure.add_scatter(
                x=size,
                y=values[at],
                mode="lines+markers",
                name=f"{what}, {SELECTIONS[method]}",
                line={"color": color, "dash": dash, "width": 2},
                marker={"size": 10 if dash == "solid" else 6},
                customdata=at,
                hovertext=told,
                hoverinfo="text",
            )
    for setting, symbol, name in ((current, "circle-open", "now"), (suggested, "star", "suggested")):
        if setting is not None:
            x, y = [found.min_cluster_size[setting]], [found.comes_back[setting]]
            mark = {"symbol": symbol, "size": 20, "color": _METHOD_COLOR[found.method[setting]], "line": {"width": 2}}
            figure.add_scatter(x=x, y=y, mode="markers", marker=mark, name=name, hoverinfo="skip")
    figure = quiet(figure, x="fewest images of a pattern", y="share of all images", height=360)
    figure.update_layout(showlegend=True, legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"})
    sizes = sorted(set(found.min_cluster_size.tolist()))
    figure.update_xaxes(type="log", tickvals=sizes, ticktext=[str(size) for size in sizes])
    figure.update_yaxes(range=[0, 1.04], tickformat=".0%")
    return figure
