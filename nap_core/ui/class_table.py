"""Classes against patterns as a table: a click on a cell shows exactly its images."""

from __future__ import annotations

import numpy as np
import streamlit as st

from nap_core.errors import counted
from nap_core.export import named
from nap_core.patterns.agreement import class_counts
from nap_core.study import Study
from nap_core.types import NOISE, Int, Patterns
from nap_core.ui.grid import paged_pictures

MOST_PATTERNS = 60


@st.fragment
def class_table(study: Study, patterns: Patterns) -> None:
    """Show how many images of each class every pattern holds, patterns from left to right as they are numbered."""
    by_answer = not (study.target != NOISE).any()
    number, names = (study.target, study.class_names) if not by_answer else _answers(study)
    if not len(number):
        st.info("The images have no classes and the model gives no answers, so there is nothing to count here.")
        return
    counts = class_counts(patterns.label, number, patterns.n_patterns, max(len(names), int(number.max()) + 1))
    largest = np.sort(np.argsort(-patterns.size, kind="stable")[:MOST_PATTERNS])
    rows = np.flatnonzero(counts[:, :-1].sum(axis=0)).astype(np.int32)
    columns = [*largest.tolist(), NOISE]
    what = "seen as" if by_answer else "class"
    table: dict[str, list[object]] = {what: [named(int(row), names) for row in rows]}
    for n in columns:
        table["none" if n == NOISE else str(n)] = [int(c) or None for c in counts[n, rows]]
    left_out = patterns.n_patterns - len(largest)
    st.caption(
        f"Images of each {what} in each pattern; choose a cell to see them."
        + (f" The {left_out} smallest patterns are left out." if left_out else "")
    )
    event = st.dataframe(
        table,
        hide_index=True,
        height=min(38 + 35 * len(rows), 420),
        column_config={what: st.column_config.TextColumn(pinned=True)},
        placeholder="",
        on_select="rerun",
        selection_mode="single-cell",
        key=f"class-table-{patterns.layer}",
    )
    _chosen(study, patterns, event["selection"]["cells"], rows, number, names)


def _answers(study: Study) -> tuple[Int, tuple[str, ...]]:
    if study.predictions is None:
        return np.empty(0, np.int32), ()
    return study.predictions.prediction, study.prediction_names


def _chosen(
    study: Study, patterns: Patterns, cells: list[tuple[int, str]], rows: Int, number: Int, names: tuple[str, ...]
) -> None:
    if not cells or cells[0][0] >= len(rows) or not cells[0][1].replace("none", "0").isdigit():
        return
    row, column = cells[0]
    pattern = NOISE if column == "none" else int(column)
    images = np.flatnonzero((number == rows[row]) & (patterns.label == pattern))
    where = "no pattern" if pattern == NOISE else f"pattern {pattern}"
    st.markdown(f"##### {counted(len(images), 'image')} of {named(int(rows[row]), names)} in {where}")
    paged_pictures(study, images.tolist(), key=f"cell-{patterns.layer}-{row}-{column}")
