"""The Layers page: which layers, what it will cost, and the run with its progress."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nap_core.configs import POOLING_WORDS, POOLINGS, PRECISION_HELP, RECIPES
from nap_core.errors import NapError, counted
from nap_core.study import Study
from nap_core.study.running import Costs, Rehearsal, costs, rehearse, run_state
from nap_core.types import LayerInfo
from nap_core.ui.layer_tree import layer_tree
from nap_core.ui.resources import new_folder, open_study, show_error, studies_folder
from nap_core.ui.visitor import visitor
from nap_core.ui.widgets import RECIPE_WORDS, remaining, show_progress, size_words

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network


def layers_of(network: Network, images: ImageSet) -> tuple[LayerInfo, ...]:
    """Return the model's layers in execution order; listed once per model and images."""
    from nap_core.activations.extract import network_layers

    kept = visitor().kept
    if "layers" not in kept:
        with st.spinner("One image through the model"):
            kept["layers"] = network_layers(network, images)
    found: tuple[LayerInfo, ...] = kept["layers"]
    return found


def choose_layers(network: Network, layers: Sequence[LayerInfo]) -> list[LayerInfo]:
    """Let the visitor tick layers; a sensible selection is made already."""
    from nap_core.activations.layers import suggest_layers

    names = layer_tree(layers, suggest_layers(tuple(layers)), key=f"layers-{network.fingerprint[:12]}")
    return [layer for layer in layers if layer.name in names]


def run_form(network: Network, images: ImageSet, layers: Sequence[LayerInfo], known: Sequence[LayerInfo]) -> None:
    """Show what is chosen, pooling, precision, recipe and limit, the forecast, and the button that runs."""
    st.markdown(f"**{len(layers)} of {counted(len(known), 'layer')}** are looked at.")
    with st.expander("Pooling, recipe and number of images"):
        what = "How a feature map becomes one number (or two) per unit."
        pooling = st.selectbox("Pooling", list(POOLINGS), format_func=POOLING_WORDS.__getitem__, help=what)
        precision = _pick_precision()
        recipe = st.radio("Recipe", list(RECIPES), format_func=lambda name: RECIPE_WORDS[name])
        most = st.number_input("At most so many images", 2, max(2, len(images)), max(2, len(images)))
    if most < len(images):
        images = images.limited(int(most))
    stopped = unfinished(network, images)
    if stopped is not None:
        tell_stopped(stopped)
    space, fewest = st.empty(), RECIPES[recipe].min_cluster_size
    can_run = bool(layers) and len(images) >= fewest
    run = st.button(
        "Continue the run" if stopped else "Run", type="primary", disabled=not can_run, key="run", width="stretch"
    )
    if not layers:
        space.info("Tick at least one layer.")
    elif not can_run:
        space.info(f"A pattern has at least {fewest} images; here are {len(images)}. Add some on Setup.")
    elif run:
        run_study(space, network, images, layers, pooling, precision, recipe, stopped)
    else:
        with space.container():
            told = _forecast(network, images, layers, pooling, precision, recipe, known)
            tell_forecast(told, len(images))


def _pick_precision() -> str:
    """Let the visitor choose the number format where the device has more than one."""
    from nap_core.activations.devices import pick_device, precisions

    there = precisions(pick_device())
    if len(there) == 1:
        return there[0]
    return str(st.selectbox("Precision", there, help=PRECISION_HELP[0].upper() + PRECISION_HELP[1:]))


def _forecast(
    network: Network,
    images: ImageSet,
    layers: Sequence[LayerInfo],
    pooling: str,
    precision: str,
    recipe: str,
    known: Sequence[LayerInfo],
) -> Costs:
    """Forecast the run; the rehearsal is made once per model, images, pooling and precision."""
    kept = visitor().kept
    name = f"rehearsal-{pooling}-{precision}"
    if name not in kept:
        with st.spinner("Rehearsing on a few images"):
            kept[name] = rehearse(network, images, layers, pooling, precision)
    rehearsed: Rehearsal = kept[name]
    return costs(rehearsed, len(images), layers, pooling, RECIPES[recipe], known)


def tell_forecast(told: Costs, n_images: int) -> None:
    """Say what a run will cost, and warn where the disk is too small."""
    steps = (
        f"{remaining(told.thumbnail_seconds + told.pass_seconds)} for {counted(n_images, 'image')} through the model, "
        f"{remaining(told.group_seconds)} for grouping"
    )
    st.markdown(f"Forecast: about **{remaining(told.seconds)}**")
    st.caption(
        f"{steps}. {size_words(told.stored_bytes)} are kept on the disk; about {size_words(told.memory_bytes)} of "
        "memory are needed meanwhile. Rehearsed on a few of your images just now; expect half to double."
    )
    folder = studies_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if told.stored_bytes > free:
        st.warning(f"Only {size_words(free)} are free on the disk. Choose fewer layers or images, or free some space.")


def unfinished(network: Network | None, images: ImageSet | None) -> Study | None:
    """Return this visitor's latest study of this model and these images, or of any, that was stopped on its way."""
    made = sorted(studies_folder().glob("*/study.json"), key=lambda about: -about.stat().st_mtime)
    return next((study for about in made if (study := _stopped(about, network, images))), None)


def _stopped(about: Path, network: Network | None, images: ImageSet | None) -> Study | None:
    try:
        told = json.loads(about.read_text(encoding="utf-8"))
        given = (("model", network), ("images", images))
        if any(one is not None and told[what]["fingerprint"] != one.fingerprint for what, one in given):
            return None
        study = Study.open(about.parent)
        state = run_state(study)
    except (NapError, OSError, ValueError, KeyError, TypeError):
        return None
    return study if state.n_grouped < state.n_layers else None


def tell_awaited(network: Network | None, images: ImageSet | None) -> None:
    """Say, where a model or images are missing, which stopped run goes on once they are given again."""
    study = unfinished(network, images)
    if study is None or study.about["model"] is None:
        return
    what = f"{study.about['model']['name']} on {counted(study.n_images, 'image')} ({study.images['source']})"
    st.info(
        f"A run was stopped: {what}. Give the same model and the same images again, and it continues there.",
        icon=":material/pause_circle:",
    )


def tell_stopped(study: Study) -> None:
    """Say how far a run is that was stopped."""
    state = run_state(study)
    through = f"{state.n_done:,} of {state.n_images:,} images are through the model"
    grouped = f"{state.n_grouped} of {state.n_layers} layers are grouped"
    st.info(f"A run was stopped: {through}, {grouped}. It continues there.", icon=":material/pause_circle:")
    st.progress(0.8 * state.n_done / max(1, state.n_images) + 0.2 * state.n_grouped / max(1, state.n_layers))


def run_study(
    space: DeltaGenerator,
    network: Network,
    images: ImageSet,
    layers: Sequence[LayerInfo],
    pooling: str,
    precision: str,
    recipe: str,
    stopped: Study | None,
) -> None:
    """Run with progress in `space`, and open the study; what is finished stays when it is stopped."""
    # The folder outlives a stop: the next run finds it and continues where the last finished batch ended.
    folder = stopped.folder if stopped else new_folder()
    try:
        with space.container():
            st.button("Stop", help="What is finished is kept; the run continues there.", key="stop")
            steps = ("1 of 3 · thumbnails", "2 of 3 · images through the model", "3 of 3 · layers grouped")
            reading, passing, grouping = map(show_progress, steps)  # at once: they say what comes next
            how, config = {"pooling": pooling, "precision": precision}, RECIPES[recipe]
            study = Study.create(folder, network, images, layers, **how, config=config, progress=reading)
            reading(len(images), len(images))  # those of a stopped run were there
            study.extract(network, images, progress=passing)
            problems = study.cluster(progress=grouping)
    except NapError as error:
        with space.container():
            show_error(error)
        return
    open_study(folder)
    if len(problems) < len(layers):
        st.switch_page("pages/overview.py")
    with space.container():
        for layer, problem in problems.items():
            st.error(f"{layer}: {problem}")
