"""What sets the images of a pattern apart: simple properties, and columns of a table that the reader brings."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nap_core.configs import ClusterConfig
from nap_core.errors import NapError, listed
from nap_core.inputs.demos import DEMOS
from nap_core.inputs.metadata import Columns, read_metadata
from nap_core.patterns.enrichment import Trait
from nap_core.study import Study
from nap_core.study.properties import has_properties, keep_metadata, kept_metadata, pattern_traits
from nap_core.types import Patterns
from nap_core.ui.image_words import verbatim
from nap_core.ui.resources import chosen_study, show_error
from nap_core.ui.widgets import show_progress

MOST = 6  # traits that are shown
LARGEST_MB = 50  # of a table
_KEY = "metadata"


def columns_of(study: Study) -> Columns:
    """Return the columns that this visitor brought; beside a built-in study, everybody's, they stay in the session."""
    if chosen_study() not in DEMOS:
        return kept_metadata(study)
    kept: Columns = st.session_state.get(_KEY, {}).get(str(study.folder), {})
    return kept


def bring_table(study: Study) -> None:
    """Let the reader add a table whose columns are then compared, too, or take it away."""
    columns = columns_of(study)
    label = f"Table: {len(columns)} columns" if columns else "Add a table"
    with st.popover(label, icon=":material/table:", type="tertiary"):
        st.caption("A CSV file: a first line of column names, a column with the images' names, and any others.")
        given = st.file_uploader(
            "Table",
            type=["csv", "tsv", "txt"],
            key="metadata-file",
            label_visibility="collapsed",
            max_upload_size=LARGEST_MB,
        )
        if given is not None and st.button("Use it", type="primary", key="metadata-use"):
            _bring(study, given.name, given.getvalue())
        if columns:
            st.caption(f"In use: {verbatim(listed(columns))}.")
            if st.button("Take it away", key="metadata-away"):
                _keep(study, b"", {})
                st.rerun()


def _bring(study: Study, name: str, table: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(name).name or "table.csv")
        path.write_bytes(table)
        try:
            columns = read_metadata(path, study.ids)
        except NapError as error:
            show_error(error)
            return
    _keep(study, table, columns)
    st.rerun()


def _keep(study: Study, table: bytes, columns: Columns) -> None:
    if chosen_study() in DEMOS:
        st.session_state.setdefault(_KEY, {})[str(study.folder)] = columns
    else:
        keep_metadata(study, table)


def show_traits(space: DeltaGenerator, study: Study, patterns: Patterns, pattern: int, config: ClusterConfig) -> None:
    """Show in `space` what sets a pattern apart; pictures are measured now where they were not yet."""
    with space:
        st.markdown(
            "##### What its images share",
            help="Simple properties in which they differ from all other images. Significant after correction over all "
            "patterns and properties (Mann-Whitney and hypergeometric tests, Benjamini-Hochberg).",
        )
        measuring = st.empty()
    columns = columns_of(study)
    if study.has_pictures and not has_properties(study):
        with measuring.container():
            found = pattern_traits(study, patterns.layer, config, metadata=columns, progress=show_progress("Measuring"))
        measuring.empty()
    else:
        found = _found(study.patterns_key(patterns.layer, config), columns, study, patterns.layer, config)
    with space:
        _list([trait for trait in found if trait.pattern == pattern][:MOST])
        bring_table(study)


@st.cache_resource(show_spinner=False, max_entries=64)
def _found(key: str, columns: Columns, _study: Study, _layer: str, _config: ClusterConfig) -> list[Trait]:
    """Return the traits of all patterns of a layer, counted once for all of its patterns that are opened."""
    return pattern_traits(_study, _layer, _config, metadata=columns)


def _list(found: list[Trait]) -> None:
    if not found:
        st.caption("No simple property – brightness, colour, edges, border, place of the content – sets them apart.")
    for trait in found:
        st.markdown(f"{verbatim(trait.words[0].upper() + trait.words[1:])} :small[:gray[{_figures(trait)}]]")


def _figures(trait: Trait) -> str:
    if trait.category:
        return f"{trait.lift:.1f} times the share in all images"
    return f"median {trait.inside:.3g} here, {trait.outside:.3g} elsewhere; effect {trait.effect:+.2f}"
