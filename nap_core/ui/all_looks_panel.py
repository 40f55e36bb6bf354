"""What all patterns of a layer look for: made in one go with progress, stopped and gone on with, shown as cards."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import NapError
from nap_core.explain.maximize import USUAL_STEPS
from nap_core.explain.wishes import WAYS
from nap_core.study import Study
from nap_core.study.looks import FEWEST_MEMBERS, Looks, make_looks
from nap_core.types import Progress
from nap_core.ui.cards import CARDS_PER_PAGE
from nap_core.ui.looks import LIGHTS, figure_row, kept_looks, light_html, shown, source
from nap_core.ui.maximize_panel import bar
from nap_core.ui.notes import notes_of
from nap_core.ui.own_network import is_at_hand, network_of, offer_network
from nap_core.ui.pattern_cards import pattern_cards
from nap_core.ui.resources import show_error
from nap_core.ui.widgets import group_missing, show_progress

if TYPE_CHECKING:
    from nap_core.inputs.models import Network


def all_looks(study: Study, layer: str, config: ClusterConfig) -> None:
    """Show what is kept of a layer and offer to make the rest, of this layer or of all."""
    there = kept_looks(study, layer, config)
    if there is None or not there.asked:
        st.info(f"No pattern of this layer has {FEWEST_MEMBERS} images or more, from which on pictures are made.")
        return
    st.markdown(_told(layer, there))
    if is_at_hand(study):
        _offer(study, layer, config, there)
    elif not there.is_finished:
        offer_network(study, "Such pictures are made with")
    there = kept_looks(study, layer, config) or there
    if not there.kept:
        return
    pages = -(-len(there.kept) // CARDS_PER_PAGE)
    page = min(st.pagination(pages, key=f"looks-{layer}"), pages) if pages > 1 else 1
    numbers = list(there.kept)[(page - 1) * CARDS_PER_PAGE : page * CARDS_PER_PAGE]
    key = f"looks-of-{study.folder.name}-{layer}"
    notes, patterns = notes_of(study, layer, config), study.patterns(layer, config)
    pattern_cards(study, patterns, numbers, notes, {}, there.kept, key=key)


def _told(layer: str, there: Looks) -> str:
    n, asked = len(there.kept), len(there.asked)
    if not n:
        return f"**{asked} patterns** of `{layer}` have {FEWEST_MEMBERS} images or more; none has its picture yet."
    light = Counter(look.light for look in there.kept.values())
    said = ", ".join(f"{light[name]} {words}" for name, (_, words) in LIGHTS.items() if light[name])
    suspicious = sum(look.check.is_suspicious for look in there.kept.values())
    marked = f" **{suspicious} suspicious**: they agree with each other and with no member." if suspicious else ""
    return (
        f"**{n} of {asked} patterns** of `{layer}` have their picture ({WAYS[there.way][0].lower()}): {said}.{marked}"
    )


def _offer(study: Study, layer: str, config: ClusterConfig, there: Looks) -> None:
    space = st.empty()
    with space.container(horizontal=True):
        chosen = []
        if not there.is_finished:
            label = "Go on: make the rest" if there.kept else f"Make them for all {len(there.asked)} patterns"
            if st.button(label, type="primary", key="make-looks"):
                chosen = [layer]
        others = _unfinished(study, config)
        if set(others) - {layer} and st.button(
            f"Make them for all {len(others)} layers that lack some", key="make-all-looks", type="tertiary"
        ):
            chosen = others
    if chosen:
        with space.container():
            _make(study, network_of(study), chosen, config)
        st.rerun()


def _unfinished(study: Study, config: ClusterConfig) -> list[str]:
    names = [name for name in study.layer_names if name not in study.problems]
    missing = []
    for name in names:
        there = kept_looks(study, name, config)
        if there is None or not there.is_finished:
            missing.append(name)
    return missing


def _make(study: Study, network: Network, layers: list[str], config: ClusterConfig) -> None:
    # Any click ends the script at the next report; every part that is finished is kept, and the run goes on there.
    st.button("Stop", help="What is finished is kept; it can be gone on with.", key="stop-looks")
    space, gallery = st.empty(), st.empty()
    group_missing(study, layers, config)
    for layer in layers:

        def watch(there: Looks) -> bool:
            rows = [(source(shown(x.picture)), f"{x.pattern}: {light_html(x)}", "made") for x in there.kept.values()]
            gallery.html(figure_row(rows[-CARDS_PER_PAGE:], 96))
            return False

        try:
            with space.container():
                first = st.container()
                progress = _patterns(f"Patterns of {layer}")
                training = bar("Training the generator, once", first)
                make_looks(study, network, layer, config, progress=progress, training=training, watch=watch)
        except NapError as error:
            show_error(error)
            st.stop()


def _patterns(step: str) -> Progress:
    return show_progress(step, lambda steps: f"{steps / USUAL_STEPS:.0f}")
