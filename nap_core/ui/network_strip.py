"""The network as a strip of layers, from left to right as images pass them; each leads to its patterns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.palette import pattern_color
from nap_core.patterns.summary import LayerSummary
from nap_core.study import Study
from nap_core.ui.badges import verdict_badge
from nap_core.ui.gallery import picture_data
from nap_core.ui.panels import AMI

_PARTS = Path(__file__).parent / "components"
_strip = st.components.v2.component(
    "nap_network_strip",
    html='<div class="strip" tabindex="0" role="group" aria-label="Layers of the network"></div>',
    css=(_PARTS / "network_strip.css").read_text(encoding="utf-8"),
    js=(_PARTS / "network_strip.js").read_text(encoding="utf-8"),
)
MEDOIDS = 6


def network_strip(study: Study, summaries: Sequence[LayerSummary], config: ClusterConfig) -> None:
    """Show the layers in order, each with its figures and the medoids of its largest patterns."""
    layers = [_layer(study, summary, config) for summary in summaries]
    result = _strip(
        key=f"strip-{study.folder.name}",
        data={"layers": layers},
        on_layer_change=lambda: None,
        on_pattern_change=lambda: None,
        on_verdict_change=lambda: None,
    )
    if (judged := result.get("verdict")) is not None:
        st.switch_page("pages/quality.py", query_params={"layer": judged})
    if (layer := result.get("layer")) is not None:
        st.switch_page("pages/patterns.py", query_params={"layer": layer})
    if (chosen := result.get("pattern")) is not None:
        address = {"layer": chosen["layer"], "pattern": str(int(chosen["pattern"]))}
        st.switch_page("pages/patterns.py", query_params=address)


def _layer(study: Study, summary: LayerSummary, config: ClusterConfig) -> dict[str, Any]:
    patterns = study.patterns(summary.layer, config)
    largest = np.argsort(-patterns.size, kind="stable")[:MEDOIDS]
    about = f"{study.n_images - summary.n_noise:,} of {study.n_images:,} images are in some pattern (coverage)."
    said = f"{summary.coverage:.0%}"
    bars: list[dict[str, Any]] = [{"label": "in a pattern", "share": summary.coverage, "said": said, "help": about}]
    if not np.isnan(summary.ami):
        agreement = max(0.0, summary.ami)
        bars.append({"label": "like the classes", "share": agreement, "said": f"{agreement:.2f}", "help": AMI})
    judged = verdict_badge(study, summary.layer, config)
    return {
        "name": summary.layer,
        "verdict": None if judged is None else {"text": judged.text, "help": judged.help, "kind": judged.kind},
        "patterns": counted(summary.n_patterns, "pattern"),
        "bars": bars,
        "about": f"Patterns of layer {summary.layer}",
        "medoids": [
            {
                "pattern": int(n),
                "source": picture_data(study, int(patterns.medoid[n]))["source"],
                "title": f"Pattern {n}: {counted(int(patterns.size[n]), 'image')}",
                "color": pattern_color(int(n), patterns.n_patterns),
                "text": str(n),
            }
            for n in largest
        ],
    }
