"""What a click in the flow answers: exactly its images, in words and pictures, with what they have in common."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.export import predicted
from nap_core.flow_figures import node_name, part_name, ribbon_words
from nap_core.flow_statistics import RibbonStatistics
from nap_core.flows import OTHER, FlowChart
from nap_core.patterns.units import unit_contrast
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.types import Int
from nap_core.ui.flow_filters import follow_pattern, unfold
from nap_core.ui.grid import paged_pictures
from nap_core.ui.looks import along_flow
from nap_core.ui.panels import class_word, class_words, in_common
from nap_core.ui.resources import go_to

_PART = "flow-part"
MOST_WAYS = 4
PICTURES = 24  # shown at a time


def chosen_part(study: Study) -> str:
    """Return the name of the bar or ribbon that was clicked, here or in the address; "" for none."""
    kept: dict[str, str] = st.session_state.setdefault(_PART, {})
    if asked := st.query_params.get("part"):
        kept[str(study.folder)] = asked
    return kept.get(str(study.folder), "")


def choose_part(study: Study, name: str) -> None:
    """Make a bar or a ribbon the clicked one, "" for none; the address tells it."""
    st.session_state.setdefault(_PART, {})[str(study.folder)] = name
    if name:
        st.query_params["part"] = name
    else:
        st.query_params.pop("part", None)


def described(chart: FlowChart, kind: str, index: int) -> str:
    """Return a bar or a ribbon in words."""
    if kind == "node":
        node = chart.nodes[index]
        return f"{node_name(chart, node).capitalize()} of `{chart.layers[node.layer]}`"
    ribbon = chart.ribbons[index]
    source, target = chart.nodes[ribbon.source], chart.nodes[ribbon.target]
    return (
        f"From {node_name(chart, source)} of `{chart.layers[source.layer]}` "
        f"to {node_name(chart, target)} of `{chart.layers[target.layer]}`"
    )


def nothing_clicked() -> None:
    """Say what a click would answer."""
    st.markdown("**Click a bar or a ribbon** to see exactly its images here.")
    st.caption(
        "A bar is a pattern, as high as it has images; a ribbon is the images that two patterns of neighbouring "
        "layers share. Grey is in no pattern. Point at one and its own images light up in all layers. With the "
        "keyboard: the arrows go from bar to bar, Enter chooses, Escape takes the choice back."
    )


def answer(
    study: Study,
    chart: FlowChart,
    statistics: RibbonStatistics,
    part: tuple[str, int],
    config: ClusterConfig,
    key: str,
) -> None:
    """Show the images of a bar or a ribbon, what is said of them, and where to go from there."""
    kind, index = part
    images = chart.node_members(index) if kind == "node" else chart.ribbon_members(index)
    st.markdown(f"##### {described(chart, kind, index)}")
    chance = f", {ribbon_words(statistics, index)}" if kind == "edge" else ""
    n, classes = counted(len(images), "image"), class_words(study, images)
    st.markdown(f"**{n}**{chance}{': ' if classes else ''}{classes}{_wrong_words(study, images)}.")
    if kind == "node":
        _ways(study, chart, index)
    _next_steps(study, chart, kind, index)
    along_flow(study, config, chart, images)
    key = f"{key}-{kind}-{index}"
    common = st.expander("What they have in common", key="flow-common", on_change="rerun")
    if common.open:
        with common:
            in_common(study, images, key=key)
            _units(study, chart, kind, index, images)
    with st.container(key="flow-images"):
        paged_pictures(study, images.tolist(), key=key, size=72, per_page=PICTURES)


def _wrong_words(study: Study, images: Int) -> str:
    """Return how many of some images the model takes for another class and mostly for which, to end a sentence."""
    wrong = images[misclassified(study)[images]]
    if not len(wrong):
        return ""
    name, n = Counter(predicted(study, int(image)) for image in wrong).most_common(1)[0]
    if n == len(wrong):
        return f"; the model takes **{n:,} of them for {class_word(name)}**"
    return f"; the model takes {len(wrong):,} of them for another class, {n:,} for {class_word(name)}"


def _ways(study: Study, chart: FlowChart, node: int) -> None:
    """Offer the ribbons that come into a bar and that leave it, the largest first."""
    for word, own, other in (("From", "target", "source"), ("To", "source", "target")):
        ways = [(ribbon.count, i) for i, ribbon in enumerate(chart.ribbons) if getattr(ribbon, own) == node]
        if not ways:
            continue
        ways.sort(key=lambda way: (-way[0], way[1]))
        ends = [getattr(chart.ribbons[i], other) for _, i in ways]
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"flow-ways-{own}"):
            st.caption(f"{word} `{chart.layers[chart.nodes[ends[0]].layer]}`", width="content")
            for (count, i), end in list(zip(ways, ends, strict=True))[:MOST_WAYS]:
                name = part_name(chart, "edge", i)
                label = f"{node_name(chart, chart.nodes[end])}: {count:,}"
                st.button(label, key=f"way-{name}", type="tertiary", on_click=choose_part, args=(study, name))
            if len(ways) > MOST_WAYS:
                st.caption(f"and {len(ways) - MOST_WAYS} more", width="content")


def _next_steps(study: Study, chart: FlowChart, kind: str, index: int) -> None:
    """Offer to draw what is folded, to follow a bar alone, and the page of a pattern; a ribbon offers its ends."""
    ribbon = chart.ribbons[index] if kind == "edge" else None
    with st.container(horizontal=True, key="flow-next"):
        if ribbon:
            for end in (ribbon.source, ribbon.target):
                node, name = chart.nodes[end], part_name(chart, "node", end)
                label = f"All of {node_name(chart, node)} of {chart.layers[node.layer]}"
                st.button(label, key=f"end-{name}", type="tertiary", on_click=choose_part, args=(study, name))
            return
        node = chart.nodes[index]
        layer = chart.layers[node.layer]
        if node.label == OTHER:
            label, change = f"Unfold: draw all patterns of {layer}", partial(unfold, layer)
        else:
            label, change = "Follow only these", partial(follow_pattern, layer, node.label)
        if st.button(label, key=f"next-{layer}-{node.label}", on_click=change, type="tertiary"):
            st.rerun()
        if node.label != OTHER:
            go_to("Its page", "patterns", key="flow-page", layer=layer, pattern=str(node.label))


def _units(study: Study, chart: FlowChart, kind: str, index: int, images: Int) -> None:
    """Say which units set the images apart: a bar from all others, a ribbon from the rest of the bar it leaves."""
    inside = np.zeros(study.n_images, bool)
    inside[images] = True
    node, others = chart.nodes[index if kind == "node" else chart.ribbons[index].target], "all other images"
    compared = np.ones(study.n_images, bool)
    if kind == "edge":
        source = chart.ribbons[index].source
        bar = chart.node_of[chart.nodes[source].layer] == source
        if bar.sum() - len(images) >= 2:
            compared, others = bar, f"the other images of {node_name(chart, chart.nodes[source])}"
    layer = chart.layers[node.layer]
    told = unit_words(study, layer, inside, compared)
    if told:
        st.caption("units", help="Differences of means in standard deviations (Cohen's d), corrected p < 0.05.")
        st.markdown(f"Compared with {others}, in `{layer}`: {told}.")


def unit_words(study: Study, layer: str, inside: NDArray[np.bool_], compared: NDArray[np.bool_], most: int = 4) -> str:
    """Return the units in which some images differ most from the others of `compared`; "" where none does.

    Parameters
    ----------
    inside, compared
        [image]; those `inside` are among those `compared`.
    """
    activations = study.activations(layer)
    values = activations.values if compared.all() else activations.values[compared]
    found = unit_contrast(values, inside[compared], most)
    told = [
        f"unit {activations.unit[feature]} is {'higher' if effect > 0 else 'lower'} by {abs(effect):.1f} sd"
        for feature, effect, p in zip(found.feature, found.effect, found.p, strict=True)
        if p < 0.05
    ]
    return ", ".join(told)
