"""The Compare page above the fold: what differs in sentences, the two-column flow, where along the network."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import streamlit as st

from nap_core.errors import NapError
from nap_core.export import predicted
from nap_core.flow_figures import find_part, flow_drawing
from nap_core.flows import FlowChart, label_chart
from nap_core.inputs.demos import DEMOS, factor_names, factors
from nap_core.patterns.alignment import Mask
from nap_core.study.comparison import Comparison, compare
from nap_core.types import NOISE, Int
from nap_core.ui.compare_choice import SAME_LAYER, Side
from nap_core.ui.flow_answer import described
from nap_core.ui.flow_component import flow_component
from nap_core.ui.grid import paged_pictures
from nap_core.ui.panels import AMI, class_words
from nap_core.ui.resources import chosen_study, show_error
from nap_core.ui.selection import selected
from nap_core.ui.widgets import group_missing

STAYED, MOVED = 0.12, 0.6  # opacity of a ribbon


def compared(left: Side, right: Side) -> Comparison | None:
    """Return the comparison, after grouping what is not grouped yet; None, and why, where there is none."""
    try:
        for side in (left, right):
            group_missing(side.study, [side.layer], side.config)
        with st.spinner("Comparing the two sides"):
            return _compared(left, right)
    except NapError as error:
        show_error(error)
        return None


def _compared(left: Side, right: Side) -> Comparison:
    return compare(
        left.study,
        left.study.patterns(left.layer, left.config),
        right.study,
        right.study.patterns(right.layer, right.config),
    )


def headline(left: Side, right: Side, comparison: Comparison) -> str:
    """Return what stands on each side and what differs, as Markdown."""
    said = _counts(comparison)
    if not comparison.alignment.moved.any():
        return said
    parts = (_answers(left, right, comparison), _known_truth(comparison))
    return f"{said}\n\n{' '.join(part for part in parts if part)}"


def sides(left: Side, right: Side, comparison: Comparison) -> str:
    """Return which two things are compared, and how many images both have."""
    n = comparison.alignment.n_images
    missing = (left.study.n_images - n, right.study.n_images - n)
    matched = f"{n:,} images matched by name"
    if any(missing):
        matched += f"; {missing[0]:,} are only on the left, {missing[1]:,} only on the right"
    return f"Left: {left.told}  \nRight: {right.told}  \n{matched}"


def _counts(comparison: Comparison) -> str:
    found = comparison.alignment
    stayed, moved, together = (int(mask.sum()) for mask in (found.stayed, found.moved, found.moved_together))
    said = (
        f"**The two sides {_agreement_words(stayed, moved)}**: {comparison.left.n_patterns} patterns on the left, "
        f"{comparison.right.n_patterns} on the right; **{stayed:,} of {found.n_images:,}** images are in the same "
        f"pattern on both, **{moved:,} moved**"
    )
    if together:
        said += f", {together:,} with a whole pattern that joined another or split off, {moved - together:,} one by one"
    neither = int(found.in_neither.sum())
    return f"{said}; {neither:,} are in no pattern on either side." if neither else f"{said}."


def _agreement_words(stayed: int, moved: int) -> str:
    share = stayed / max(1, stayed + moved)
    if share >= 0.95:
        return "agree almost everywhere"
    if share >= 0.7:
        return "largely agree"
    return "agree in part" if share >= 0.4 else "group most images differently"


def _answers(left: Side, right: Side, comparison: Comparison) -> str:
    """Say which answer the two models give differently to the images that moved; their classes for one model."""
    moved = comparison.alignment.moved
    if left.study.about["model"] == right.study.about["model"]:
        told = class_words(left.study, comparison.left_image[moved])
        return f"Those that moved: {told}." if told else ""
    before = Counter(predicted(left.study, int(i)) for i in comparison.left_image[moved])
    after = Counter(predicted(right.study, int(i)) for i in comparison.right_image[moved])
    names = [name for name in before | after if name]
    if not names:
        return ""
    most = max(names, key=lambda name: abs(before[name] - after[name]))
    return (
        f"Of those that moved, the model on the left answers *{most}* to **{before[most]:,}**, "
        f"the one on the right to {after[most]:,}."
    )


def _known_truth(comparison: Comparison, least: float = 0.4) -> str:
    """Say, for a demo, what the images that moved are known to share and those that stayed do not."""
    demo, found = chosen_study(), comparison.alignment
    if demo not in DEMOS or not found.stayed.any():
        return ""
    truth, best = factors(demo), (least, "")
    for factor, names in factor_names(demo).items():
        value = truth[factor][comparison.left_image]
        for number, name in enumerate(names):
            moved, stayed = value[found.moved] == number, value[found.stayed] == number
            if (gap := moved.mean() - stayed.mean()) > best[0]:
                best = (gap, f"**{name}** ({factor}) on {_of(moved)} that moved, and {_of(stayed)} that stayed")
    return f"What the pictures hold is known for this demo: {best[1]}." if best[1] else ""


def _of(is_so: Mask) -> str:
    n = int(is_so.sum())
    return f"**{n:,} of the {len(is_so):,}**" if n else f"none of the {len(is_so):,}"


@st.fragment
def clickable_comparison(left: Side, right: Side, comparison: Comparison) -> None:
    """Show both sides as columns of patterns and, beside them, the images of a click, or all that moved."""
    found, shown = comparison.alignment, _shown(left, comparison)
    chart = label_chart(
        (f"{comparison.left.layer} left", f"{comparison.right.layer} right"),
        (found.left_label, found.right_label),
        (comparison.left.n_patterns, comparison.right.n_patterns),
        images=shown,
    )
    key = f"compare-{abs(hash((left.told, found.left_label.tobytes(), found.right_label.tobytes(), shown.tobytes())))}"
    moved = found.moved
    opacity = [MOVED if moved[chart.ribbon_members(i)].mean() > 0.5 else STAYED for i, _ in enumerate(chart.ribbons)]
    at_left, at_right = st.columns([1, 1], gap="medium")
    with at_left, st.container(key="compare-chart"):
        flow_component(
            flow_drawing(chart, opacity=opacity),
            lambda: str(st.session_state.get(f"{key}-part", "")),
            lambda part: st.session_state.update({f"{key}-part": part}),
            label=_in_words(chart, moved[shown]),
            key=key,
        )
        st.caption("Pale ribbons: images that stayed in the same pattern. Strong ribbons: images that moved.")
    with at_right, st.container(key="compare-images"):
        _answer(left, right, comparison, chart, key, shown)


def _shown(left: Side, comparison: Comparison) -> Int:
    """Return the images that are drawn: all, or the selected ones where the reader asks for them."""
    chosen = np.flatnonzero(np.isin(comparison.left_image, selected(left.study))).astype(np.int32)
    if len(chosen) and st.toggle(f"Only the {len(chosen):,} selected images", key="compare-selected"):
        return chosen
    return np.arange(comparison.alignment.n_images, dtype=np.int32)


def _in_words(chart: FlowChart, moved: Mask) -> str:
    """Return what the chart shows, for those who do not see it."""
    return (
        f"Flow of {len(moved):,} images from the patterns of {chart.layers[0]} to those of {chart.layers[1]}; "
        f"{int(moved.sum()):,} of them moved to another pattern. The rows below tell the same, pattern by pattern."
    )


def _answer(left: Side, right: Side, comparison: Comparison, chart: FlowChart, key: str, shown: Int) -> None:
    hit = find_part(chart, st.session_state.get(f"{key}-part", ""))
    if hit is None:
        telling = _telling(left, right, comparison)
        title, chosen = "The images that moved", telling[np.isin(telling, shown)]
        about = "Click a bar or a ribbon to see exactly its images here."
    else:
        kind, index = hit
        title, about = described(chart, kind, index), "Click it again to see all images that moved."
        chosen = chart.node_members(index) if kind == "node" else chart.ribbon_members(index)
    images: Int = comparison.left_image[chosen]
    st.markdown(f"##### {title}")
    st.markdown(f"{len(images):,} images: {class_words(left.study, images)}" if len(images) else "There are none.")
    st.caption(about)
    if len(images):
        paged_pictures(left.study, [int(i) for i in images], key=f"{key}-{hit}", size=64, per_page=35)


def _telling(left: Side, right: Side, comparison: Comparison) -> Int:
    """Return the images that moved; those first that moved with a whole pattern, and of these those to which the two
    models answer differently."""
    moved = np.flatnonzero(comparison.alignment.moved).astype(np.int32)
    alike = [
        predicted(left.study, int(i)) == predicted(right.study, int(j))
        for i, j in zip(comparison.left_image[moved], comparison.right_image[moved], strict=True)
    ]
    first: Int = moved[np.lexsort((np.array(alike, bool), ~comparison.alignment.moved_together[moved]))]
    return first


@st.cache_data(show_spinner="Comparing the layers", max_entries=256)
def _agreement(key: str, _left: Side, _right: Side) -> dict[str, Any]:
    comparison = _compared(_left, _right)
    found = comparison.alignment
    return {
        "layer": _left.layer,
        "patterns left": comparison.left.n_patterns,
        "patterns right": comparison.right.n_patterns,
        "stayed": round(float(found.stayed.mean()), 2),
        "AMI": found.ami,
        "ARI": found.ari,
    }


def agreement_by_layer(left: Side, right: Side) -> None:
    """Show how far the sides agree on every layer that both have grouped; nothing where they are one grouping."""
    if (left.study.folder, left.config) == (right.study.folder, right.config):
        return
    rows = []
    for layer in left.study.layer_names:
        both = [Side(side.study, side.title, layer, side.config) for side in (left, right)]
        if all(layer in s.study.layer_names and s.study.has_patterns(layer, s.config) for s in both):
            key = " ".join(s.study.patterns_key(layer, s.config) for s in both)
            rows.append(_agreement(key, *both))
    st.markdown("##### Where along the network the two differ")
    columns = {
        "stayed": st.column_config.ProgressColumn(
            "stayed", format="percent", max_value=1, help="Share of images that are in the same pattern on both sides."
        ),
        "AMI": st.column_config.NumberColumn(format="%.2f", help=AMI.replace("classes", "patterns")),
        "ARI": st.column_config.NumberColumn(
            format="%.2f",
            help="Adjusted Rand index over pairs of images: 1 the same grouping, 0 what chance would give.",
        ),
    }
    key = f"agreement-{left.layer}-{right.layer}"

    def open_layer() -> None:
        for row in st.session_state[key]["selection"]["rows"]:
            layer, is_one_study = rows[row]["layer"], left.study.folder == right.study.folder
            st.session_state["layer"], st.session_state["right_layer"] = layer, layer if is_one_study else SAME_LAYER
            st.query_params.pop("row", None)

    st.dataframe(
        rows, hide_index=True, column_config=columns, on_select=open_layer, selection_mode="single-row", key=key
    )
    st.caption(
        "Choose a row to compare that layer. Shown are layers that both sides have grouped; images in no pattern "
        "count as one group for AMI and ARI."
    )


def nothing_differs(comparison: Comparison) -> bool:
    """Say so where both sides are the same grouping, or one has no patterns; whether that is so."""
    if comparison.is_same:
        st.info(
            "Both sides group the images in the same way. Choose another study, layer or clustering in the sidebar."
        )
        return True
    for side, patterns in (("left", comparison.left), ("right", comparison.right)):
        if (patterns.label == NOISE).all():
            st.info(f"`{patterns.layer}` on the {side} has no patterns with this clustering; choose another one.")
            return True
    return False
