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
from nap_core.errors import counted
from nap_core.export import named, predicted
from nap_core.flow_figures import (
    Classes,
    find_part,
    flow_drawing,
    painted_classes,
)
from nap_core.flow_statistics import RibbonStatistics, majority, ribbon_statistics
from nap_core.flows import FlowChart, flow_chart
from nap_core.keys import digest
from nap_core.palette import OTHER_COLOR, pattern_color
from nap_core.study import Study
from nap_core.types import NOISE, Int
from nap_core.ui.flow_answer import answer, choose_part, chosen_part, nothing_clicked
from nap_core.ui.flow_component import flow_component
from nap_core.ui.flow_filters import FlowChoice, Followed
from nap_core.ui.gallery import chip
from nap_core.ui.panels import class_word

_MOST_CLASSES = 12  # in the legend


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFlow:
    """A chart with everything that is said of it; made once for every view."""

    key: str
    chart: FlowChart
    statistics: RibbonStatistics
    classes: Classes | None
    headline: str
    config: ClusterConfig


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
        classes = Classes(majority(chart, _study.target), [class_word(name) for name in names])
    last = chain[-1].assigned if _choice.assigned else chain[-1].label
    headline = _headline(chart, _followed, last, _study)
    return DrawnFlow(key, chart, ribbon_statistics(chart), classes, headline, _config)


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
        where = f"{noise:,} end in no pattern" if noise else "all end in a pattern"
        folded = sum(chart.n_folded)
        small = f", {folded:,} of them folded into “n more”" if folded else ""
        drawn = counted(sum(chart.n_patterns), "pattern")
        said = f"**{counted(study.n_images, 'image')}** {through} and {drawn}{small}"
        return f"{said}; {where} of `{chart.layers[-1]}`."
    numbers, counts = np.unique(last[followed.images], return_counts=True)
    most = int(numbers[counts.argmax()])
    where = "no pattern" if most == NOISE else f"pattern {most}"
    said = f"**{len(followed.images):,} of {counted(study.n_images, 'image')}** ({', '.join(followed.told)}) {through}"
    ends = f"{said}; **{int(counts.max()):,} of them end in {where} of `{chart.layers[-1]}`**"
    return f"{ends}{_whose(study, np.flatnonzero(last == most))}." if most != NOISE else f"{ends}."


def _whose(study: Study, images: NDArray[np.int64]) -> str:
    """Return of which class a pattern is, and what the model sees in it, for the end of a sentence."""
    said = []
    if (study.target[images] != NOISE).any():
        share, name = _commonest([named(int(t), study.class_names) for t in study.target[images]])
        said.append(f"{share:.0%} {class_word(name)}")
    if study.predictions is not None:
        share, name = _commonest([predicted(study, int(i)) for i in images])
        said.append(f"{share:.0%} seen as {class_word(name)}")
    return f", a pattern of {counted(len(images), 'image')}, {' and '.join(said)}" if said else ""


def _commonest(names: Sequence[str]) -> tuple[float, str]:
    name, count = Counter(names).most_common(1)[0]
    return count / len(names), name


@st.fragment
def clickable_flow(study: Study, drawn: DrawnFlow, *, by_class: bool) -> None:
    """Show the chart and, beside it, the images of the bar or ribbon that was clicked."""
    chart, key = drawn.chart, f"flow-{drawn.key[:16]}-{by_class}"
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if by_class and drawn.classes:
            _legend(chart, drawn.classes)
        with st.container(key="flow-chart"):
            flow_component(
                _drawing(key, drawn, by_class),
                partial(chosen_part, study),
                partial(choose_part, study),
                label=f"Flow of {chart.n_followed} images through the patterns of {', '.join(chart.layers)}",
                key=key,
            )
    with right:
        part = find_part(chart, chosen_part(study))
        if part is None:
            nothing_clicked()
        else:
            answer(study, chart, drawn.statistics, part, drawn.config, key)


@st.cache_resource(show_spinner=False, max_entries=32)
def _drawing(key: str, _drawn: DrawnFlow, _by_class: bool) -> dict[str, Any]:
    return flow_drawing(_drawn.chart, _drawn.statistics, _drawn.classes, by_class=_by_class)


def _legend(chart: FlowChart, classes: Classes) -> None:
    shown = painted_classes(chart, classes)
    chips = [chip(pattern_color(n, len(classes.names)), classes.names[n]) for n in shown[:_MOST_CLASSES]]
    if len(shown) > _MOST_CLASSES:
        chips.append(f"{len(shown) - _MOST_CLASSES} more classes")
    chips.append(chip(OTHER_COLOR, "no class has more than half"))
    spans = "".join(f"<span>{each}</span>" for each in chips)
    st.html(f"<div style='display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px'>{spans}</div>")
