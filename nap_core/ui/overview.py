"""What the Overview says: what was studied, the main figure in a sentence, the network as a strip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import streamlit as st

from nap_core.errors import counted
from nap_core.inputs.demos import DEMOS
from nap_core.patterns.summary import LayerSummary
from nap_core.study import Study
from nap_core.ui.resources import chosen_study, go_to

CLEAR_RISE = 0.1
"""Rise of the agreement with the classes between two layers that is worth a clause."""


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
    left_out = f"; {counted(skipped, 'file')} could not be read and stayed out" if skipped else ""
    return f"{counted(study.n_images, 'image')} ({study.images['source']}) seen by {by}{left_out}."


def finding(study: Study, summaries: Sequence[LayerSummary]) -> str:
    """Return one sentence with numbers: where the classes separate, or the layer that covers most."""
    if not summaries:
        return "No layer has patterns."
    has_classes = not np.isnan(summaries[0].ami)
    best = max(summaries, key=lambda s: s.ami if has_classes else s.coverage)
    if not max(summary.n_patterns for summary in summaries):
        return f"No layer groups these images with this clustering: all {study.n_images:,} are in no pattern."
    images, found = counted(study.n_images, "image"), counted(best.n_patterns, "pattern")
    inside = f"{study.n_images - best.n_noise:,} of {images} into {found}"
    if not has_classes:
        return f"Layer `{best.layer}` puts {inside}."
    said = (
        f"Classes are told apart best in layer `{best.layer}`, which puts {inside}, {best.n_pure} of them of one class "
        f"(agreement {best.ami:.2f})"
    )
    rise, before, after = max(
        ((b.ami - a.ami, a, b) for a, b in pairwise(summaries)), default=(0.0, best, best), key=lambda step: step[0]
    )
    if rise < CLEAR_RISE:
        return f"{said}."
    return f"{said}; they separate between `{before.layer}` ({before.ami:.2f}) and `{after.layer}` ({after.ami:.2f})."


def look_next(summaries: Sequence[LayerSummary]) -> None:
    """Offer the places worth a look next: the map of the best layer, the flow."""
    best = max(summaries, key=lambda s: s.coverage if np.isnan(s.ami) else s.ami).layer
    with st.container(horizontal=True):
        go_to(f"Map of {best}", "map", key="next-map", layer=best)
        go_to("How images move between layers", "flows", key="next-flows")
