"""The How sure? page: the verdict in words, the layer beside chance, which patterns come back, and the tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.patterns.exemplars import selected_clusters
from nap_core.patterns.quality import PatternQuality
from nap_core.patterns.sampling import alone
from nap_core.patterns.stability import N_DRAWS
from nap_core.patterns.verdict import LayerVerdict
from nap_core.quality_figures import chance_figure, stability_figure, tree_figure
from nap_core.study import Study
from nap_core.study.judgement import judge, known_unplaced, known_verdict
from nap_core.study.quality import known_quality, layer_stability, quick_layout
from nap_core.types import Patterns
from nap_core.ui.badges import chance_words
from nap_core.ui.widgets import remaining, show_progress

FOLLOWS = 0.2
"""Agreement with the classes from which patterns of a continuum are said to follow these."""

_WORDS = ("stable", "doubtful", "unstable")


def is_judged(study: Study, layer: str, config: ClusterConfig) -> bool:
    """Whether everything that the page needs at once is stored."""
    known = (known_quality, known_verdict, known_unplaced)
    return all(ask(study, layer, config) is not None for ask in known)


def ask_first(study: Study, layer: str, config: ClusterConfig) -> None:
    """Say what would be computed and how long it takes, and do it when asked."""
    layers = [name for name in study.layer_names if name not in study.problems]
    missing = [name for name in layers if not is_judged(study, name, config)]
    seconds = _seconds(study, layer, config)
    st.info(
        f"Not computed yet for `{layer}`: whether its patterns come back when images are left out, and how many there "
        f"would be by chance. About {remaining(seconds)}; the network does not run, and the answer is kept."
    )
    with st.container(horizontal=True):
        one = st.button(f"Compute for {layer}", type="primary", key="judge-one")
        every = len(missing) > 1 and st.button(
            f"For all {len(missing)} layers, about {remaining(seconds * len(missing))}", key="judge-all"
        )
    if one or every:
        _judge(study, [layer] if one else missing, config)
        st.rerun()


def _seconds(study: Study, layer: str, config: ClusterConfig) -> float:
    """Return about how long the answer takes, from how long the patterns took: six more clusterings and the draws."""
    once = _once(study, layer, config)
    draw = study.n_images / 10_000 if quick_layout(config) == "kept" else 0.7 * once
    return 5 + 7 * once + N_DRAWS * draw


def _once(study: Study, layer: str, config: ClusterConfig) -> float:
    """Return how many seconds the layer's patterns took."""
    entry = study.store.get(study.patterns_key(layer, config))
    return float(entry.about.get("seconds", 2.0)) if entry else 2.0


def _judge(study: Study, layers: Sequence[str], config: ClusterConfig) -> None:
    for layer in layers:
        judge(study, layer, config, report=show_progress)


def verdict_words(found: LayerVerdict) -> str:
    """Return the verdict on a layer as a sentence with its numbers, as Markdown."""
    inside = f"{found.parted:.0%} of its images lie in islands with a gap all around"
    by_chance = chance_words(found)
    if found.word == "patterns":
        return (
            f"Layer `{found.layer}` has **patterns**: {inside}{by_chance}. "
            f"Its {counted(found.n_patterns, 'pattern')} form {counted(found.n_islands, 'island')}."
        )
    if found.word == "weak patterns":
        return (
            f"Layer `{found.layer}` has **weak patterns**: {inside}{by_chance}; the rest is a continuum that the "
            "clustering cut up."
        )
    if found.word == "no patterns":
        return f"Layer `{found.layer}` has **no patterns** with this clustering."
    if found.n_islands > 1:
        return (
            f"Layer `{found.layer}` is **a continuum**: {inside}{by_chance}, which is no more than chance. Its "
            f"{found.n_patterns} patterns are pieces of a whole; what orders the images is below."
        )
    return (
        f"Layer `{found.layer}` is **a continuum**: its {found.n_patterns} patterns are pieces of a whole, as no gap "
        "parts them. What orders the images is below."
    )


def show_verdict(study: Study, found: LayerVerdict, config: ClusterConfig) -> None:
    """Show the verdict, and the layer beside chance."""
    st.markdown(f"#### {verdict_words(found)}")
    agreement = study.summary(found.layer, config).ami
    if found.word == "a continuum" and agreement >= FOLLOWS:
        st.markdown(f"Pieces of a whole can follow the classes all the same: agreement {agreement:.2f} (AMI).")
    if not len(found.chance_parted):
        st.caption("With a single unit there is nothing to shuffle, so chance was not asked.")
        return
    low, high = int(found.chance_n_patterns.min()), int(found.chance_n_patterns.max())
    chance = f"{low}" if low == high else f"{low} to {high}"
    st.markdown(f"**By chance there would be {chance} patterns; here there are {found.n_patterns}.**")
    st.plotly_chart(chance_figure(found), key=f"chance-{found.layer}")
    st.caption(
        f"Diamond: this layer. Rings: {len(found.chance_parted)} layers in which every unit keeps its values but deals "
        "them to other images, grouped by the same recipe. A recipe that covers most images cuts noise into many "
        "patterns, so islands tell more than the number of patterns. How much images gather: "
        f"{found.clumping:.2f} (Hopkins; 0.50 as if units were independent)."
    )


def show_stability(study: Study, patterns: Patterns, config: ClusterConfig, found: PatternQuality) -> None:
    """Show which patterns come back when images are left out; a bar opens its pattern."""
    count = Counter(found.words)
    said = ", ".join(f"{count[word]} {word}" for word in _WORDS if count[word])
    st.markdown(f"##### Of {counted(patterns.n_patterns, 'pattern')}: {said or 'none'}")
    if not patterns.n_patterns:
        return
    order = np.argsort(-found.stability, kind="stable").tolist()
    chart: Any = st.plotly_chart(
        stability_figure(found, order),
        key=f"stability-{patterns.layer}-{found.layout}",
        on_select="rerun",
        selection_mode="points",
    )
    _open_clicked(chart)
    how = {
        "kept": "Only the cut was repeated; where the images lie, and which are neighbours, was taken over from all of "
        "them, which is kind.",
        "fresh": "Everything was done anew each time.",
    }
    st.caption(
        f"{N_DRAWS} times a fifth of the images is left out and the rest is grouped again; the height is what a "
        f"pattern has in common with the most similar new one (mean Jaccard). {how[found.layout]} A click opens the "
        "pattern."
    )
    if found.layout == "kept":
        seconds = 0.7 * N_DRAWS * _once(study, patterns.layer, config)
        if st.button(f"Do everything anew each time: stricter, about {remaining(seconds)}", key="judge-strictly"):
            show = show_progress("Images left out at random")
            layer_stability(study, patterns.layer, config, "fresh", show)
            st.rerun()


def _open_clicked(chart: Any) -> None:
    """Go to the pattern whose bar was clicked; the layer stays the one that is chosen on this page."""
    points = (chart or {}).get("selection", {}).get("points", [])
    if not points:
        return
    data = points[0].get("customdata")
    if data is not None:
        pattern = int(data[0] if isinstance(data, list) else data)
        st.switch_page("pages/patterns.py", query_params={"pattern": str(pattern)})


def show_table(found: PatternQuality) -> None:
    """Show every figure of every pattern, folded."""
    column = st.column_config.NumberColumn
    shown: dict[str, tuple[Any, Any]] = {
        "pattern": (range(len(found.size)), column(format="%d")),
        "images": (found.size, column(format="%d")),
        "stability": (found.stability, column(format="%.2f", help="Mean Jaccard with the most similar new group.")),
        "gap": (found.is_apart, st.column_config.CheckboxColumn(help="A gap parts it from every neighbour.")),
        "nearest": (found.neighbor, column(help="The pattern with least of a gap between.", format="%d")),
        "filled": (found.filled, column(format="%.2f", help="Images halfway there over those at a centre; 0 a gap.")),
        "persistence": (
            found.persistence,
            column(
                format="%.2f", help="Share of the distance scale over which its images stay; compares across layers."
            ),
        ),
        "silhouette": (
            found.silhouette,
            column(format="%.2f", help="On mutual reachability in the layer's own space, members only; -1 to 1."),
        ),
        "DBCV": (
            found.dbcv,
            column(format="%.2f", help="Density-based validity in the layer's own space, members only; -1 to 1."),
        ),
        "purity": (found.purity, column(format="%.2f", help="Share of its commonest class.")),
        "entropy": (found.entropy, column(format="%.2f", help="Of its classes, in bits.")),
        "errors": (found.error_rate, column(format="percent", help="Share of wrong answers.")),
        "lift": (found.lift, column(format="%.1f", help="Times the share of wrong answers in the whole layer.")),
    }
    known = {name: pair for name, pair in shown.items() if not np.isnan(np.asarray(pair[0], float)).all()}
    with st.expander("All figures, pattern by pattern"):
        values = {name: np.asarray(pair[0]) for name, pair in known.items()}
        st.dataframe(values, hide_index=True, column_config={name: pair[1] for name, pair in known.items()})


def show_tree(patterns: Patterns) -> None:
    """Show the tree that was cut."""
    st.markdown("##### The tree that was cut")
    patterns = alone(patterns)
    figure = tree_figure(patterns, selected_clusters(patterns.tree, patterns.label).tolist())
    st.plotly_chart(figure, key=f"tree-{patterns.layer}")
    st.caption(
        "From all images on top to ever denser groups below; a bar is as wide as it has images. Coloured bars are the "
        "patterns, grey ones what was not chosen (condensed tree)."
    )
