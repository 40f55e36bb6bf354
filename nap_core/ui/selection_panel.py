"""The Selection page: what was picked, the patterns that hold it, and the files to take away."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.export import selection_csv, selection_zip
from nap_core.study import Study
from nap_core.types import NOISE, Int
from nap_core.ui.notes import called
from nap_core.ui.panels import class_words
from nap_core.ui.resources import go_to


def nothing_selected(study: Study) -> None:
    """Say what will be here, and how it comes here."""
    st.info(
        "Nothing is selected yet. Point at a picture on any page and click the round mark in its corner, draw a lasso "
        "on the Map, or click a ribbon in Flows and select its images; they stay selected on every page."
    )
    go_to("Select on the map", "map", key="go-map")


def selection_sentence(study: Study, images: Int) -> str:
    """Return how many images are selected and of which classes."""
    classes = class_words(study, images)
    share = f"**{len(images):,} of {counted(study.n_images, 'image')}**"
    return f"{share}: {classes}." if classes else f"{share}."


def selection_downloads(study: Study, images: Int, config: ClusterConfig) -> None:
    """Offer the selection as a table and as files."""
    with st.container(horizontal=True):
        st.download_button(
            "Table (CSV)",
            lambda: selection_csv(study, images, config),
            "selection.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
            help="Class, prediction, and each layer's pattern with its probability, one row per image.",
        )
        st.download_button(
            "Images (zip)",
            lambda: selection_zip(study, images, config),
            "selection.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            disabled=not study.has_pictures,
            help="The original files where they are still there, else pictures of 128 pixels; with the table.",
        )


def holding_patterns(study: Study, images: Int, config: ClusterConfig, most: int = 4) -> None:
    """Show for every layer the patterns that hold most of the images."""
    st.markdown("##### The patterns that hold them")
    rows = []
    for layer in study.layer_names:
        if layer in study.problems:
            continue
        counts = Counter(study.patterns(layer, config).label[images].tolist()).most_common()
        told = [f"{called(study, layer, n, config)}: {count}" for n, count in counts[:most]]
        if len(counts) > most:
            told.append(f"{len(counts) - most} more")
        rows.append({"layer": layer, "patterns": sum(n != NOISE for n, _ in counts), "images": ", ".join(told)})
    st.dataframe(rows, hide_index=True)
