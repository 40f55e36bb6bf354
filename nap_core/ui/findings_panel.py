"""What stands out, on the Overview: each finding in a sentence, with some of its images and the way to all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.findings.records import Finding
from nap_core.findings.search import KINDS, WITHOUT_SELECTION
from nap_core.study import Study
from nap_core.study.findings import findings, has_findings
from nap_core.types import NOISE
from nap_core.ui.gallery import pattern_title
from nap_core.ui.grid import picture_grid
from nap_core.ui.image_words import verbatim
from nap_core.ui.resources import go_to
from nap_core.ui.selection import select
from nap_core.ui.widgets import show_progress

FIRST = 5  # findings that are shown at once
SHOWN = 6  # images of each


def show_findings(space: DeltaGenerator, study: Study, config: ClusterConfig) -> None:
    """Show what stands out in `space`; searched now where it was not yet, when the rest of the page is there."""
    with space:
        st.markdown("#### What stands out")
        searching = st.empty()
    if has_findings(study, config):
        found = findings(study, config)
    else:
        with searching.container():
            found = findings(study, config, progress=show_progress("Searching"))
        searching.empty()
    with space:
        if not found:
            st.caption("No spurious marks, mislabelled or repeated images, gathered errors or idle layers were found.")
        _findings(study, found[:1], 0)
        _findings(study, found[1:FIRST], 1)
        if found[FIRST:]:
            with st.expander(f"{len(found) - FIRST} more"):
                _findings(study, found[FIRST:], FIRST)


def _findings(study: Study, found: Sequence[Finding], first: int) -> None:
    """Show findings side by side, two in a row; a single one over the whole width."""
    for start in range(0, len(found), 2):
        row = found[start : start + 2]
        for rank, (space, one) in enumerate(zip(st.columns(len(row)), row, strict=True), first + start):
            with space:
                _finding(study, one, rank)


def _finding(study: Study, one: Finding, rank: int) -> None:
    with st.container(border=True, key=f"finding-{rank}", gap="small", height="stretch"):
        st.caption(KINDS[one.kind].capitalize())
        st.markdown(_with_layers(one.sentence, study.layer_names))
        if len(one.image):
            picture_grid(study, one.image[:SHOWN].tolist(), key=f"finding-{study.folder.name}-{rank}", size=56)
        _links(study, one, rank)


def _with_layers(sentence: str, layers: Sequence[str]) -> str:
    """Return a sentence as it stands where Markdown is read, but for the names of layers, which are set as code."""
    told = "|".join(re.escape(layer) for layer in sorted(layers, key=len, reverse=True))
    parts = re.split(rf"(?<![\w.])({told})(?!\w|\.\w)", sentence)
    return "".join(f"`{part}`" if i % 2 else verbatim(part) for i, part in enumerate(parts))


def _links(study: Study, one: Finding, rank: int) -> None:
    """Show the way to the pattern or the layer, and to all images as the selection."""
    with st.container(horizontal=True):
        if one.layer:
            what = pattern_title(one.pattern) if one.pattern != NOISE else "Patterns"
            go_to(f"{what} of `{one.layer}`", "patterns", key=f"evidence-{rank}", **one.address)
        if one.kind in WITHOUT_SELECTION:
            return
        label, about = f"Select its {counted(len(one.image), 'image')}", "They stay selected on every page."
        if st.button(label, key=f"select-{rank}", type="tertiary", icon=":material/select_all:", help=about):
            select(study, one.image.tolist())
            st.switch_page("pages/selection.py")
