"""The Flows page: which layers, the chart that can be clicked, and the images behind a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.figures import flow_height, flow_options, node_name
from nap_core.flows import FlowChart, flow_chart
from nap_core.study import Study
from nap_core.types import NOISE, Int
from nap_core.ui.gallery import is_wrong
from nap_core.ui.grid import paged_pictures
from nap_core.ui.panels import class_words, in_common


@dataclass(frozen=True, slots=True)
class FlowChoice:
    """What the reader wants to see in the chart."""

    layers: tuple[str, ...]
    most: int
    assigned: bool
    only: str  # a class name, "" for all
    misclassified: bool


def pick_flow(study: Study) -> FlowChoice:
    """Let the reader choose layers, how many patterns are drawn, and which images are followed."""
    with st.sidebar:
        names = [name for name in study.layer_names if name not in study.problems]
        layers = st.multiselect("Layers, left to right", names, default=names[-4:], key=f"flow-layers-{study.folder}")
        most = st.slider("Patterns drawn per layer", 4, 60, 16, help="The largest; the rest is one node")
        only = st.selectbox("Only images of class", ["", *study.class_names], format_func=lambda n: n or "all classes")
        wrong = st.checkbox("Only misclassified images")
        assigned = st.checkbox("Put noise where it is assigned", help="Otherwise they have a node of their own")
    order = [name for name in names if name in layers]
    return FlowChoice(tuple(order), most, assigned, only, wrong)


def _followed(study: Study, choice: FlowChoice) -> list[int] | None:
    if not choice.only and not choice.misclassified:
        return None
    wanted = study.class_names.index(choice.only) if choice.only else None
    return [
        i
        for i in range(study.n_images)
        if (wanted is None or study.target[i] == wanted) and (not choice.misclassified or is_wrong(study, i))
    ]


@st.fragment
def clickable_flow(study: Study, config: ClusterConfig, choice: FlowChoice) -> None:
    """Show the chart and, beside it, the images of the node or ribbon that was clicked."""
    images = _followed(study, choice)
    if images is not None and not images:
        st.info("No image fits this filter; choose another class, or show all images.")
        return
    chain = [study.patterns(layer, config) for layer in choice.layers]
    chart = flow_chart(chain, most=choice.most, images=images, assigned=choice.assigned)
    st.markdown(_headline(chart, len(images) if images is not None else study.n_images))
    text = "#e4e7eb" if st.context.theme.type == "dark" else "#1c2128"
    key = f"flow-{abs(hash((study.folder, config, choice)))}"
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(key="flow-chart"):
        event = st.echarts_chart(
            flow_options(chart, text),
            height=flow_height(chart),
            key=key,
            on_select="rerun",
            renderer="svg",
            alt=f"Flow of images through the patterns of {', '.join(choice.layers)}",
        )
    with right:
        _answer(study, chart, event, key)


def _headline(chart: FlowChart, n: int) -> str:
    noise = sum(node.size for node in chart.nodes if node.label == NOISE and node.layer == len(chart.layers) - 1)
    return (
        f"**{n:,}** images through {len(chart.layers)} layers along {len(chart.ribbons):,} ribbons; "
        f"{noise:,} end in no pattern of `{chart.layers[-1]}`."
    )


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


def _answer(study: Study, chart: FlowChart, event: Any, key: str) -> None:
    hit = clicked(event, chart)
    if hit is None:
        st.markdown("**Click a bar or a ribbon** to see exactly its images here.")
        st.caption(
            "A bar is a pattern, as high as it has images; a ribbon is the images that two patterns of neighbouring "
            "layers share. Grey is in no pattern. Point at a ribbon to light its whole path."
        )
        return
    kind, index = hit
    images: Int = chart.node_members(index) if kind == "node" else chart.ribbon_members(index)
    st.markdown(f"##### {described(chart, kind, index)}")
    st.markdown(f"{len(images):,} images: {class_words(study, images)}")
    with st.container(key="flow-images"):
        paged_pictures(study, [int(i) for i in images], key=f"{key}-{kind}-{index}", size=72, per_page=48)
    with st.expander("What they have in common"):
        in_common(study, images, key=f"{key}-{kind}-{index}")
