"""The Flows page: the chart that can be clicked, and the images behind a click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.export import named, predicted
from nap_core.flow_figures import (
    Classes,
    flow_height,
    flow_options,
    flow_width,
    node_name,
    painted_classes,
    ribbon_words,
)
from nap_core.flow_statistics import RibbonStatistics, majority, ribbon_statistics
from nap_core.flows import OTHER, FlowChart, flow_chart
from nap_core.keys import digest
from nap_core.palette import OTHER_COLOR, pattern_color
from nap_core.study import Study
from nap_core.types import NOISE, Int
from nap_core.ui.flow_filters import FlowChoice, Followed, follow_pattern, unfold
from nap_core.ui.gallery import chip
from nap_core.ui.grid import paged_pictures
from nap_core.ui.panels import class_words, in_common

_MOST_CLASSES = 12  # in the legend
_STYLE = """<style>
.st-key-flow-chart{overflow-x:auto}
.st-key-flow-chart>div{min-width:WIDTH}
.nap-chip{display:inline-block;width:.8em;height:.8em;border-radius:3px;margin-right:.45em}
.nap-legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px}
</style>"""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFlow:
    """A chart with everything that is said of it; made once for every view."""

    key: str
    chart: FlowChart
    statistics: RibbonStatistics
    classes: Classes | None
    headline: str


@st.cache_resource(show_spinner="Laying out the flow", max_entries=64)
def _drawn(key: str, _study: Study, _config: ClusterConfig, _choice: FlowChoice, _followed: Followed) -> DrawnFlow:
    chain = [_study.patterns(layer, _config) for layer in _choice.layers]
    chart = flow_chart(
        chain,
        most=_choice.most,
        fold_below=_choice.fold_below,
        unfolded=_choice.unfolded,
        images=_followed.images,
        assigned=_choice.assigned,
    )
    classes = None
    if (_study.target != NOISE).any():
        names = [*_study.class_names, *map(str, range(len(_study.class_names), int(_study.target.max()) + 1))]
        classes = Classes(majority(chart, _study.target), names)
    last = chain[-1].assigned if _choice.assigned else chain[-1].label
    headline = _headline(chart, _followed, last, _study)
    return DrawnFlow(key, chart, ribbon_statistics(chart), classes, headline)


def drawn_flow(study: Study, config: ClusterConfig, choice: FlowChoice, followed: Followed) -> DrawnFlow:
    """Return the chart of these choices, from memory where it was drawn before."""
    keys = [study.patterns_key(layer, config) for layer in choice.layers]
    images = np.arange(0) if followed.images is None else followed.images
    facts = {"study": str(study.folder), "images": study.images["fingerprint"], "told": followed.told}
    key = digest("flow chart", patterns=keys, choice=choice, followed=images, **facts)
    return _drawn(key, study, config, choice, followed)


def _headline(chart: FlowChart, followed: Followed, last: Int, study: Study) -> str:
    through = f"through {len(chart.layers)} layers"
    if followed.images is None:
        noise = int((last == NOISE).sum())
        return (
            f"**{study.n_images:,} images** {through} along {len(chart.ribbons):,} ribbons; "
            f"{noise:,} end in no pattern of `{chart.layers[-1]}`."
        )
    numbers, counts = np.unique(last[followed.images], return_counts=True)
    most = int(numbers[counts.argmax()])
    where = "no pattern" if most == NOISE else f"pattern {most}"
    said = f"**{len(followed.images):,} of {study.n_images:,} images** ({', '.join(followed.told)}) {through}"
    ends = f"{said}; **{int(counts.max()):,} of them end in {where} of `{chart.layers[-1]}`**"
    return f"{ends}{_whose(study, np.flatnonzero(last == most))}." if most != NOISE else f"{ends}."


def _whose(study: Study, images: NDArray[np.int64]) -> str:
    """Return of which class a pattern is, and what the model sees in it, for the end of a sentence."""
    said = []
    if (study.target[images] != NOISE).any():
        share, name = _commonest([named(int(t), study.class_names) for t in study.target[images]])
        said.append(f"{share:.0%} {name}")
    if study.predictions is not None:
        share, name = _commonest([predicted(study, int(i)) for i in images])
        said.append(f"{share:.0%} seen as {name}")
    return f", a pattern of {len(images):,} images, {' and '.join(said)}" if said else ""


def _commonest(names: Sequence[str]) -> tuple[float, str]:
    name, count = Counter(names).most_common(1)[0]
    return count / len(names), name


@st.fragment
def clickable_flow(study: Study, drawn: DrawnFlow, *, by_class: bool) -> None:
    """Show the chart and, beside it, the images of the node or ribbon that was clicked."""
    chart, text = drawn.chart, "#e4e7eb" if st.context.theme.type == "dark" else "#1c2128"
    st.html(_STYLE.replace("WIDTH", f"{flow_width(chart)}px"))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if by_class and drawn.classes:
            _legend(chart, drawn.classes)
        with st.container(key="flow-chart"):
            event = st.echarts_chart(
                flow_options(chart, text, drawn.statistics, drawn.classes, by_class=by_class),
                height=flow_height(chart),
                key=f"flow-{drawn.key[:16]}",
                on_select="rerun",
                renderer="svg",
                alt=f"Flow of {chart.n_followed} images through the patterns of {', '.join(chart.layers)}",
            )
    with right:
        _answer(study, drawn, clicked(event, chart))


def _legend(chart: FlowChart, classes: Classes) -> None:
    shown = painted_classes(chart, classes)
    chips = [chip(pattern_color(n, len(classes.names)), classes.names[n]) for n in shown[:_MOST_CLASSES]]
    if len(shown) > _MOST_CLASSES:
        chips.append(f"{len(shown) - _MOST_CLASSES} more classes")
    chips.append(chip(OTHER_COLOR, "no class has more than half"))
    st.html(f"<div class='nap-legend'>{''.join(f'<span>{each}</span>' for each in chips)}</div>")


def clicked(event: Any, chart: FlowChart) -> tuple[str, int] | None:
    """Return ("node" or "edge", index) of the last click, or None; indices of an older chart do not count."""
    selected = (event or {}).get("selection", {}).get("selected", [])
    for part in selected:
        kind, indices = part.get("data_type"), part.get("data_indices") or []
        length = len(chart.nodes) if kind == "node" else len(chart.ribbons)
        if kind in ("node", "edge") and indices and 0 <= indices[-1] < length:
            return kind, int(indices[-1])
    return None


def described(chart: FlowChart, kind: str, index: int) -> str:
    """Return a node or a ribbon in words."""
    if kind == "node":
        node = chart.nodes[index]
        return f"{node_name(chart, node).capitalize()} of `{chart.layers[node.layer]}`"
    ribbon = chart.ribbons[index]
    source, target = chart.nodes[ribbon.source], chart.nodes[ribbon.target]
    return (
        f"From {node_name(chart, source)} of `{chart.layers[source.layer]}` "
        f"to {node_name(chart, target)} of `{chart.layers[target.layer]}`"
    )


def _answer(study: Study, drawn: DrawnFlow, hit: tuple[str, int] | None) -> None:
    if hit is None:
        st.markdown("**Click a bar or a ribbon** to see exactly its images here.")
        st.caption(
            "A bar is a pattern, as high as it has images; a ribbon is the images that two patterns of neighbouring "
            "layers share. Grey is in no pattern. Point at a ribbon to light its whole path."
        )
        return
    (kind, index), chart = hit, drawn.chart
    images = chart.node_members(index) if kind == "node" else chart.ribbon_members(index)
    st.markdown(f"##### {described(chart, kind, index)}")
    if kind == "edge":
        st.markdown(
            f"**{len(images):,} images**, {ribbon_words(drawn.statistics, index)}: {class_words(study, images)}"
        )
    else:
        st.markdown(f"**{len(images):,} images**: {class_words(study, images)}")
        _ways(chart, index)
        _next_steps(chart, index)
    key = f"{drawn.key[:16]}-{kind}-{index}"
    with st.container(key="flow-images"):
        paged_pictures(study, [int(i) for i in images], key=key, size=72, per_page=48)
    with st.expander("What they have in common"):
        in_common(study, images, key=key)


def _ways(chart: FlowChart, node: int) -> None:
    """Say from which bars a bar's images come and to which they go."""
    come = [(ribbon.count, ribbon.source) for ribbon in chart.ribbons if ribbon.target == node]
    go = [(ribbon.count, ribbon.target) for ribbon in chart.ribbons if ribbon.source == node]
    told = [f"{word} {_named(chart, ends)}" for word, ends in (("From", come), ("To", go)) if ends]
    st.caption(". ".join(told) + ".")


def _named(chart: FlowChart, ends: Sequence[tuple[int, int]], most: int = 3) -> str:
    largest = sorted(ends, key=lambda end: (-end[0], end[1]))
    named = [f"{node_name(chart, chart.nodes[node])} ({count:,})" for count, node in largest[:most]]
    rest = [f"{len(ends) - most} other bars"] if len(ends) > most else []
    layer = chart.layers[chart.nodes[ends[0][1]].layer]
    return f"`{layer}`: {', '.join([*named, *rest])}"


def _next_steps(chart: FlowChart, index: int) -> None:
    """Offer to draw what is folded, or to follow a bar alone; both change the address and so the whole page."""
    node = chart.nodes[index]
    layer = chart.layers[node.layer]
    if node.label == OTHER:
        label, change = f"Unfold: draw all patterns of {layer}", partial(unfold, layer)
    else:
        label, change = "Follow only these", partial(follow_pattern, layer, node.label)
    if st.button(label, key=f"next-{layer}-{node.label}", on_click=change, type="tertiary"):
        st.rerun()
