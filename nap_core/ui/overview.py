"""What the Overview says: what was studied, the main figure in a sentence, the network as a strip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.inputs.demos import DEMOS
from nap_core.patterns.summary import LayerSummary
from nap_core.study import Study
from nap_core.ui.gallery import pictures
from nap_core.ui.resources import chosen_study, go_to


def heading(study: Study) -> str:
    """Return the page's title: the demo's, or what was studied."""
    return DEMOS[chosen_study()].title if chosen_study() in DEMOS else study.title


def studied(study: Study) -> str:
    """Return a paragraph: which model, which images, and for a demo its story."""
    if chosen_study() in DEMOS:
        return f"{DEMOS[chosen_study()].story}"
    model = study.about["model"]
    by = f"the model **{model['name']}** ({model['source']})" if model else "activations made elsewhere"
    skipped = len(study.images["skipped"])
    left_out = f"; {skipped} files could not be read and were left out" if skipped else ""
    return f"{study.n_images:,} images ({study.images['source']}) seen by {by}{left_out}."


def finding(study: Study, summaries: Sequence[LayerSummary]) -> str:
    """Return one sentence with numbers about the layer that agrees most with the classes, or covers most."""
    if not summaries:
        return "No layer has patterns."
    has_classes = not np.isnan(summaries[0].ami)
    best = max(summaries, key=lambda s: s.ami if has_classes else s.coverage)
    inside = study.n_images - best.n_noise
    said = f"Layer `{best.layer}` puts {inside:,} of {study.n_images:,} images into {best.n_patterns} patterns"
    return f"{said}; {best.n_pure} of them are one class." if has_classes else f"{said}."


def network_strip(study: Study, summaries: Sequence[LayerSummary], config: ClusterConfig) -> None:
    """Show the layers in order, each with its figures and the medoids of its largest patterns."""
    with st.grid(min_column_width=190):
        for summary in summaries:
            with st.container(border=True):
                st.markdown(f"`{summary.layer}`")
                st.markdown(f"**{summary.n_patterns}** patterns, {summary.coverage:.0%} of images")
                patterns = study.patterns(summary.layer, config)
                largest = np.argsort(-patterns.size, kind="stable")[:6]
                pictures(study, patterns.medoid[largest], size=48)
                go_to("See its patterns", "patterns", key=f"see-{summary.layer}", layer=summary.layer)
