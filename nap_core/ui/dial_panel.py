"""The dial: what other cuts of the same tree would give, a suggestion, and a button that applies it."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from nap_core.configs import RECIPES, SELECTIONS, ClusterConfig
from nap_core.patterns.dial import AS_GOOD, Dial
from nap_core.quality_figures import dial_figure
from nap_core.study import Study
from nap_core.study.judgement import known_dial, layer_dial
from nap_core.ui.widgets import RECIPE_WORDS, choose_clustering, recipe_of, show_progress


def _base(config: ClusterConfig) -> ClusterConfig:
    """Return the clustering whose cut is varied: the current one, or the other recipe that the reader picks."""
    current = recipe_of(config)
    names = [current, *(name for name in RECIPES if name != current)]
    chosen = st.segmented_control(
        "Recipe", names, default=current, required=True, key="dial-recipe", help="; ".join(RECIPE_WORDS.values())
    )
    return config if chosen == current else RECIPES[str(chosen)]


def setting_words(found: Dial, setting: int) -> str:
    """Return a setting and what it gives in words."""
    return (
        f"{SELECTIONS[found.method[setting]]} cut with at least {found.min_cluster_size[setting]} images: "
        f"{found.n_patterns[setting]:,} patterns, {found.coverage[setting]:.0%} of the images in them, "
        f"{found.comes_back[setting]:.0%} come back"
    )


def _setting_of(found: Dial, config: ClusterConfig) -> int | None:
    same = [
        i
        for i, method in enumerate(found.method)
        if (method, int(found.min_cluster_size[i])) == (config.cluster_selection_method, config.min_cluster_size)
    ]
    return same[0] if same else None


def show_dial(study: Study, layer: str, config: ClusterConfig) -> None:
    """Show how coverage and number change with the cut, and let the reader apply one."""
    st.markdown("##### Would another cut be better?")
    base = _base(config)
    found = known_dial(study, layer, base)
    if found is None:
        st.caption("Every cut of this layer's tree, and how much of each comes back: some seconds, then kept.")
        if st.button("Turn the dial", key="turn-dial"):
            layer_dial(study, layer, base, show_progress("Cuts compared"))
            st.rerun()
        return
    current = _setting_of(found, base) if base == config else None
    suggested = found.suggested(current)
    event: Any = st.plotly_chart(
        dial_figure(found, current, suggested),
        key=f"dial-{layer}-{hash(base)}",
        on_select="rerun",
        selection_mode="points",
    )
    points = (event or {}).get("selection", {}).get("points", [])
    data = next((point["customdata"] for point in points if point.get("customdata") is not None), None)
    clicked = None if data is None else int(data[0] if isinstance(data, list) else data)
    _offer(study, found, base, config, clicked if clicked is not None else suggested, clicked is None)
    st.caption(
        "Solid: share of all images that come back in their pattern when a fifth is left out; dotted: share in some "
        f"pattern. Suggested is the cut with most patterns whose share is within {AS_GOOD:.0%} of the best. A click on "
        "a mark takes that cut instead. Nothing changes before you apply it."
    )


def _offer(
    study: Study, found: Dial, base: ClusterConfig, config: ClusterConfig, setting: int | None, own: bool
) -> None:
    if setting is None:
        st.markdown("No cut finds a pattern in this layer.")
        return
    chosen = found.config(setting, base)
    ami = "" if np.isnan(found.ami[setting]) else f"; agreement with the classes {found.ami[setting]:.2f} (AMI)"
    lead = "Suggested" if own else "Picked"
    st.markdown(f"**{lead}: {setting_words(found, setting)}**{ami}.")
    if chosen == config:
        st.markdown("That is the cut you are looking at.")
    elif st.button("Group with this cut", type="primary", key="apply-dial"):
        choose_clustering(study, chosen)
