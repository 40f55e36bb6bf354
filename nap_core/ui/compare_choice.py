"""What is compared: the open study's layer and clustering on the left, and what the reader sets beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from nap_core.configs import RECIPES, ClusterConfig
from nap_core.errors import NapError
from nap_core.inputs.demos import DEMOS, NETWORKS
from nap_core.study import Study
from nap_core.ui.resources import chosen_study, go_to, opened_study, recent_studies, show_error
from nap_core.ui.widgets import pick_clustering, pick_layer, recipe_of

SAME_LAYER, SAME_CLUSTERING = "same layer", "same clustering"
_RIGHT = "compared-with"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison."""

    study: Study
    title: str
    layer: str
    config: ClusterConfig

    @property
    def told(self) -> str:
        """The side in a few words, as Markdown."""
        return f"{self.title}, `{self.layer}`, {recipe_of(self.config)}"


def pick_left(study: Study) -> Side:
    """Let the reader choose the layer and the clustering of the open study, as on the other pages."""
    title = recent_studies().get(chosen_study(), study.title)  # as on the right, where it may be the same one
    return Side(study, title, pick_layer(study), pick_clustering(study))


def pick_right(left: Side) -> Side:
    """Let the reader choose, in the sidebar, what stands on the right; all of it is kept in the address."""
    with st.sidebar.container(border=True):
        st.markdown("**Compare with**")
        name, title = pick_study()
        try:
            study = opened_study(name)
        except NapError as error:
            show_error(error)
            st.stop()
        layer = _pick_layer(left, study)
        recipe = st.selectbox(
            "Clustering on the right", (SAME_CLUSTERING, *RECIPES), key="right_recipe", bind="query-params"
        )
    if not study.is_finished:
        st.info(f"The study “{title}” is not finished; continue its run, or compare with another one in the sidebar.")
        go_to("Continue on Layers", "layers", key="continue-right")
        st.stop()
    return Side(study, title, layer, RECIPES.get(str(recipe), left.config))


def pick_study() -> tuple[str, str]:
    """Let the reader choose what stands on the right: a demo or one of the latest studies; return name and title."""
    studies, current = recent_studies(), chosen_study()
    kept = st.session_state.setdefault(_RIGHT, {})
    asked = st.query_params.get("right")
    if asked:
        kept[current] = next((name for name in studies if _address(name) == asked), kept.get(current))
    default = _counterpart(current)
    start = kept.get(current) if kept.get(current) in studies else default
    names = list(studies)
    key = f"right-of-{current}"

    def choose() -> None:
        kept[current] = st.session_state[key]
        st.query_params["right"] = _address(kept[current])

    name = st.selectbox(
        "Study on the right",
        names,
        index=names.index(start),
        format_func=lambda n: "this study" if n == current else studies[n],
        key=key,
        on_change=choose,
        help="Images are matched by name, so both studies must have been run on the same files.",
    )
    if name == default:
        st.query_params.pop("right", None)
    else:
        st.query_params["right"] = _address(str(name))
    return str(name), studies[str(name)]


def _address(name: str) -> str:
    """Return a study's name for the address: a demo's own, or the last part of the folder, which says nothing of the
    place and leads nobody but this visitor to it."""
    return name if name in DEMOS else Path(name).name


def _counterpart(current: str) -> str:
    """Return the demo of another network, or the latest own study, on the same pictures; else the study itself."""
    if current in DEMOS:
        return next((n for n in DEMOS if n != current and NETWORKS[n] == NETWORKS[current]), current)
    others = (name for name in recent_studies() if name not in (*DEMOS, current))
    return next((name for name in others if _is_of_the_same_pictures(current, name)), current)


def _is_of_the_same_pictures(current: str, name: str) -> bool:
    try:
        study, other = opened_study(current), opened_study(name)
    except NapError:
        return False
    return other.is_finished and other.images["fingerprint"] == study.images["fingerprint"]


def _pick_layer(left: Side, study: Study) -> str:
    names = [name for name in study.layer_names if name not in study.problems]
    if not names:
        st.info("No layer of this study has patterns.")
        st.stop()
    if study.folder == left.study.folder:
        options, start = names, _neighbour(names, left.layer)
    else:
        options, start = ([SAME_LAYER, *names], 0) if left.layer in names else (names, max(0, len(names) - 2))
    layer = st.selectbox("Layer on the right", options, index=start, key="right_layer", bind="query-params")
    return left.layer if layer == SAME_LAYER else str(layer)


def _neighbour(names: list[str], layer: str) -> int:
    """Return the place of the next layer, or of the one before the last."""
    here = names.index(layer) if layer in names else 0
    return here + 1 if here + 1 < len(names) else max(0, here - 1)
