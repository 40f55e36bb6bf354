"""What a reader chooses: a layer, a clustering; and what a reader waits for: progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import Field, replace
from typing import Any

import streamlit as st

from nap_core.configs import RECIPES, ClusterConfig, by_section, told, understood
from nap_core.errors import NapError
from nap_core.study import Study
from nap_core.types import Progress

_CONFIG = "chosen-clustering"
RECIPE_WORDS = {
    "covering": "covering: neighbours form patterns, most images find one",
    "published": "published: exactly the paper's method, which leaves many images in no pattern",
}


def pick_layer(study: Study) -> str:
    """Let the reader choose a layer of the study; kept in the address, and from page to page."""
    names = list(study.layer_names)
    about = "Layers in the order in which images pass them."
    layer = st.sidebar.selectbox(
        "Layer", names, index=_default_layer(names), help=about, key="layer", bind="query-params"
    )
    return str(layer)


def _default_layer(names: list[str]) -> int:
    """Return the last layer before the logits: the deepest that still tells more than the answer."""
    return max(0, len(names) - 2)


def recipe_of(config: ClusterConfig) -> str:
    """Return the recipe's name, or that of the nearest one with ", changed"."""
    name, *changes = told(config).split(",")
    return f"{name}, changed" if changes else name


def current_clustering(study: Study) -> ClusterConfig:
    """Return the clustering that this visitor looks at: the address's, the one chosen before, else the study's own."""
    chosen = st.session_state.setdefault(_CONFIG, {})
    asked = st.query_params.get("clustering", "")
    if asked:
        try:
            chosen[str(study.folder)] = understood(asked)
        except NapError as error:
            st.warning(f"The address asks for the clustering '{asked}'. {error}")
    config = chosen.get(str(study.folder), study.config)
    _write_address(study, config)
    return config if isinstance(config, ClusterConfig) else study.config


def _write_address(study: Study, config: ClusterConfig) -> None:
    if config == study.config:
        st.query_params.pop("clustering", None)
    elif st.query_params.get("clustering") != told(config):
        st.query_params["clustering"] = told(config)


def choose_clustering(study: Study, config: ClusterConfig) -> None:
    """Let this visitor look at another clustering from now on, and run the page again."""
    st.session_state.setdefault(_CONFIG, {})[str(study.folder)] = config
    _write_address(study, config)
    st.rerun()


def pick_clustering(study: Study) -> ClusterConfig:
    """Show the clustering in the sidebar, folded; choosing another one groups again, without the network."""
    config = current_clustering(study)
    with st.sidebar.expander(f"Clustering: {recipe_of(config)}"):
        names = list(RECIPES)
        start = names.index(recipe_of(config)) if recipe_of(config) in names else None
        recipe = st.radio(
            "Recipe", names, index=start, format_func=lambda name: RECIPE_WORDS[name], key=f"recipe-{config}"
        )
        st.caption("Grouping again takes seconds a layer; the network does not run.")
        with st.form("clustering", border=False):
            base = RECIPES[recipe] if recipe and recipe != recipe_of(config) else config
            values: dict[str, Any] = {}
            for section, parameters in by_section().items():
                st.markdown(f"**{section}**")
                values |= {field.name: _widget(field, getattr(base, field.name)) for field in parameters}
            if st.form_submit_button("Group again", type="primary"):
                choose_clustering(study, replace(base, **values))
    return config


def _widget(field: Field[Any], value: Any) -> Any:
    limits = field.metadata
    label, text = limits["label"], f"{limits['help'][0].upper()}{limits['help'][1:]}."
    key = f"clustering-{field.name}-{value}"
    if isinstance(value, bool):
        return st.checkbox(label, value, help=text, key=key)
    if "choices" in limits:
        words = limits["choices"]
        return st.selectbox(label, list(words), list(words).index(value), words.__getitem__, help=text, key=key)
    return st.number_input(label, min_value=limits["low"], max_value=limits["high"], value=value, help=text, key=key)


def group_missing(study: Study, layers: Sequence[str], config: ClusterConfig) -> None:
    """Find the patterns of the layers that have none under `config` yet, with progress."""
    missing = [name for name in layers if name not in study.problems and not study.has_patterns(name, config)]
    if not missing:
        return
    space = st.empty()
    with space.container():
        show = show_progress("Grouping layers")
        for done, layer in enumerate(missing):
            show(done, len(missing))
            study.patterns(layer, config)
    space.empty()


def show_progress(step: str, words: Callable[[float], str] = "{:,.0f}".format) -> Progress:
    """Return a progress that keeps a bar up to date: step, count in `words`, remaining time."""
    bar, seen = st.progress(0.0, step), {"at": 0.0, "began": 0.0, "first": -1.0}

    def show(done: int, total: int) -> None:
        now = time.monotonic()
        if seen["first"] < 0:
            seen["first"], seen["began"] = done, now
        if done < total and now - seen["at"] < 0.3:
            return
        seen["at"] = now
        fresh = done - seen["first"]
        left = (
            f", about {remaining((now - seen['began']) / fresh * (total - done))} left"
            if fresh and done < total
            else ""
        )
        bar.progress(done / max(1, total), f"{step}: {words(done)} of {words(total)}{left}")

    return show


def remaining(seconds: float) -> str:
    """Return a duration in words: "40 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size_words(n_bytes: float) -> str:
    """Return a size in words: "3 MB"."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} GB"
