"""Parts of pages: the layer table, pattern cards, a pattern opened, what a set of images has in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.export import named, predicted
from nap_core.figures import share_figure
from nap_core.patterns.summary import LayerSummary
from nap_core.study import Study
from nap_core.types import NOISE, Int, Patterns

PURITY = "Share of a pattern's images that are of its commonest class."
AMI = "Adjusted mutual information of patterns and classes: 1 the same grouping, 0 what chance would give."


def layer_summaries(study: Study, config: ClusterConfig) -> list[LayerSummary]:
    """Return the figures of every layer that has patterns."""
    return [study.summary(name, config) for name in study.layer_names if name not in study.problems]


def layer_table(summaries: Sequence[LayerSummary]) -> None:
    """Show every layer in one table."""
    shown = {
        "layer": [s.layer for s in summaries],
        "patterns": [s.n_patterns for s in summaries],
        "coverage": [round(s.coverage, 2) for s in summaries],
        "largest": [s.largest for s in summaries],
    }
    if summaries and not np.isnan(summaries[0].ami):
        shown |= {"purity": [s.purity for s in summaries], "AMI": [s.ami for s in summaries]}
        shown |= {"AMI, assigned": [s.ami_assigned for s in summaries]}
    bar = st.column_config.ProgressColumn(
        "coverage", help="Share of images in some pattern", format="percent", max_value=1
    )
    columns = {
        "coverage": bar,
        "purity": st.column_config.NumberColumn(format="%.2f", help=PURITY),
        "AMI": st.column_config.NumberColumn(format="%.2f", help=AMI),
        "AMI, assigned": st.column_config.NumberColumn(
            format="%.2f", help="The same with every image of no pattern put to its most probable one."
        ),
    }
    st.dataframe(shown, hide_index=True, column_config=columns)


def class_words(study: Study, images: Int, most: int = 3) -> str:
    """Return the commonest classes of some images with their counts; the model's answers where there are no classes."""
    if (study.target[images] != NOISE).any():
        names = [named(int(t), study.class_names) or "unknown" for t in study.target[images]]
    elif study.predictions is not None:
        names = [f"seen as {predicted(study, int(i))}" for i in images]
    else:
        return ""
    counts = Counter(names).most_common()
    told = ", ".join(f"{class_word(name)} ({n:,})" for name, n in counts[:most])
    return told + (f" and {len(counts) - most} more" if len(counts) > most else "")


def class_word(name: str) -> str:
    """Return a class's name as it stands in a sentence: a number alone would be taken for a count."""
    return f"class {name}" if name.isdecimal() else name


def representatives(patterns: Patterns, pattern: int, most: int = 6) -> list[int]:
    """Return the medoid and then other members, exemplars first; the firmest for the noise as it stands."""
    members = patterns.members(pattern)
    if pattern == NOISE:
        return [int(i) for i in members[:: max(1, len(members) // most)][:most]]
    first = [int(patterns.medoid[pattern]), *(int(i) for i in patterns.exemplars(pattern)), *(int(i) for i in members)]
    return list(dict.fromkeys(first))[:most]


def in_common(study: Study, images: Int, key: str) -> None:
    """Show the classes and the model's answers of some images as bars."""
    if (study.target[images] != NOISE).any():
        st.caption("classes")
        _bars(Counter(named(int(t), study.class_names) for t in study.target[images]), key=f"classes-{key}")
    if study.predictions is not None:
        st.caption("what the model sees")
        _bars(Counter(predicted(study, int(i)) for i in images), key=f"answers-{key}")


def _bars(counts: Counter[str], key: str) -> None:
    most = counts.most_common(8)
    st.plotly_chart(share_figure([name for name, _ in most], [n for _, n in most]), key=key)
