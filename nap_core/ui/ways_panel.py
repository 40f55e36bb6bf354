"""The same thing asked in other ways: modes, ways and seeds side by side, and the pattern's counterpart elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import NapError
from nap_core.explain.check import Check
from nap_core.explain.wishes import PATTERN_MODES, UNIT_MODES, WAYS, Wish, usual_way
from nap_core.explain.words import words
from nap_core.study import Study
from nap_core.study.framing import study_canvas
from nap_core.study.looks import Look
from nap_core.study.synthetic import Made, synthetic, way_likeness, wish_for
from nap_core.types import NOISE, Int
from nap_core.ui.compare_choice import pick_study
from nap_core.ui.gallery import pictures
from nap_core.ui.glance_panel import kept_of, made_figure, real_images, way_words
from nap_core.ui.looks import figure_row, kept_looks, light_html, shown, source
from nap_core.ui.maximize_panel import bar
from nap_core.ui.own_network import is_at_hand, network_of, offer_network
from nap_core.ui.panels import class_words, representatives
from nap_core.ui.resources import go_to, opened_study, show_error

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

_SIZE = 96  # pixels of a picture
_SEEDS = 3  # shown of a set


def compare_ways(study: Study, layer: str, config: ClusterConfig, what: str, number: int) -> None:
    """Show everything that is kept of one thing side by side, offer what is missing, and its like elsewhere."""
    st.caption(
        "What all ways and seeds agree on is what the network asks for; what only one of them shows is that way's own "
        "doing. Real images stand first: they are the measure."
    )
    made = kept_of(study, layer, config, what, number)
    st.markdown("**Real images**")
    pictures(study, real_images(study, layer, config, what, number)[:6], size=_SIZE)
    for one in made:
        _set(study, one)
    look = _look(study, layer, config, number) if what == "pattern" and not made else None
    if look is not None:
        st.markdown("**Prototype**, as kept for all patterns", help=_told(study, look))
        st.html(figure_row([(source(shown(look.picture)), light_html(look), "made for this pattern")], _SIZE))
        _warn(study, look.check)
    elif not made:
        st.caption("No set of images is kept of this yet.")
    if is_at_hand(study):
        network = network_of(study)
        if len(made) > 1:
            st.markdown(_agreement(study, network, made))
        _offer(study, network, layer, config, what, number, made)
    else:
        offer_network(study, "More are made with")
    if what == "pattern":
        _elsewhere(study, layer, config, number)


def _set(study: Study, made: Made) -> None:
    sentences = " ".join(words(made.check, study.prediction_names))
    steps = f"{made.n_steps} steps, {len(made.images.seed)} seed{'s' if len(made.images.seed) > 1 else ''}"
    st.markdown(f"**{way_words(made)}** ({steps})", help=sentences)
    st.html(figure_row([made_figure(made, n) for n in range(min(_SEEDS, len(made.images.seed)))], _SIZE))
    _warn(study, made.check)


def _warn(study: Study, check: Check) -> None:
    if check.is_suspicious:
        st.warning(words(check, study.prediction_names)[-1], icon=":material/warning:")


def _look(study: Study, layer: str, config: ClusterConfig, pattern: int) -> Look | None:
    there = kept_looks(study, layer, config)
    return there.kept.get(pattern) if there else None


def _told(study: Study, look: Look) -> str:
    return " ".join(words(look.check, study.prediction_names))


def _agreement(study: Study, network: Network, made: list[Made]) -> str:
    """Return how alike the sets are as pictures, in a sentence."""
    table = way_likeness(study, network, made)
    rows, columns = np.triu_indices(len(made), 1)
    values = table[rows, columns]
    least, most = int(values.argmin()), int(values.argmax())

    def pair(n: int) -> str:
        return f"{way_words(made[rows[n]])} and {way_words(made[columns[n]])} ({values[n]:.2f})"

    members = made[0].check.member_likeness
    text = "Likeness as pictures, 1 the same and 0 unrelated: "
    text += f"most between {pair(most)}, least between {pair(least)}" if len(values) > 1 else pair(most)
    return f"{text}; real members have {members:.2f} with the one most like them."


def _offer(
    study: Study, network: Network, layer: str, config: ClusterConfig, what: str, number: int, made: list[Made]
) -> None:
    missing = _missing(study, network, layer, what, number, made)
    if not missing:
        return
    names = list(missing)
    chosen = st.pills("Make more", names, default=names[:2], selection_mode="multi", key=f"more-{what}-{number}")
    if st.button(f"Make {len(chosen)} more", key="make-more", disabled=not chosen):
        space = st.empty()
        with space.container():
            problems = _make_all(study, network, {name: missing[name] for name in chosen}, config)
        space.empty()
        for problem in problems:
            show_error(problem)
        if not problems:
            st.rerun()


def _missing(study: Study, network: Network, layer: str, what: str, number: int, made: list[Made]) -> dict[str, Wish]:
    """Return title → wish of the other ways of the usual question, and the other questions in the usual way."""
    base = wish_for(study, network, layer, **{"logit" if what == "class" else what: number})  # type: ignore[arg-type]
    is_generated = usual_way(study_canvas(study, network).size, study.n_images) == "generator"
    ways = [way for way in WAYS if way != "generator" or is_generated]
    wishes = {WAYS[way][0]: replace(base, parametrisation=way) for way in ways}
    questions = {"pattern": ("exaggerate", "distribution"), "unit": ("neuron",)}.get(what, ())
    kind = next(info.kind for info in study.layers if info.name == layer)
    if kind not in ("conv", "token"):
        questions = tuple(name for name in questions if name == "exaggerate")
    titles = PATTERN_MODES if what == "pattern" else UNIT_MODES
    for name in questions:
        way = "fourier" if name == "distribution" else base.parametrisation
        wishes[titles[name][0]] = replace(base, mode=name, parametrisation=way)
    there = {(one.wish.mode, one.wish.parametrisation) for one in made}
    return {title: wish for title, wish in wishes.items() if (wish.mode, wish.parametrisation) not in there}


def _make_all(study: Study, network: Network, wishes: dict[str, Wish], config: ClusterConfig) -> list[NapError]:
    """Make images one wish after the other; return what went wrong with some."""
    problems = []
    for name, wish in wishes.items():
        try:
            training = bar("Training the generator")
            synthetic(study, network, wish, config, progress=bar(name), training=training)
        except NapError as error:
            problems.append(error)
    return problems


def _elsewhere(study: Study, layer: str, config: ClusterConfig, pattern: int) -> None:
    """Show the pattern beside the one of another model or study that shares most images with it."""
    st.markdown("##### The same images in another model or layer")
    left, right = st.columns(2)
    with left:
        name, title = pick_study()
    try:
        other = opened_study(name)
    except NapError as error:
        show_error(error)
        return
    names = [one for one in other.layer_names if one not in other.problems and other.has_patterns(one, config)]
    is_same = other.folder == study.folder
    place = names.index(layer) if layer in names else len(names) - 1
    if is_same and layer in names:
        names.remove(layer)
    if not names:
        st.caption("Choose a study whose layers have patterns with this clustering.")
        return
    start = min(place, len(names) - 1)
    there = str(right.selectbox("Its layer", names, index=start, key=f"elsewhere-layer-{name}"))
    found, n_shared, n_members = counterpart(study, layer, config, pattern, other, there)
    if found == NOISE:
        st.caption("No pattern there holds any of these images.")
        return
    here, beside = st.columns(2, gap="large")
    with here:
        _side(study, layer, config, pattern, f"Here: pattern {pattern} of `{layer}`")
    with beside:
        _side(other, there, config, found, f"{'Here' if is_same else title}: pattern {found} of `{there}`")
        st.caption(f"It holds {n_shared} of the {n_members} images of pattern {pattern} that both studies have.")
        address: dict[str, str | int] = {"layer": there, "look-for": "pattern", "look-pattern": found}
        go_to("Open it there", "maximize", key="open-there", study=name, **address)


def counterpart(
    study: Study, layer: str, config: ClusterConfig, pattern: int, other: Study, there: str
) -> tuple[int, int, int]:
    """Return the pattern of another study most like this one by its images, how many it shares, and of how many."""
    number = {name: image for image, name in enumerate(other.ids)}
    inside = study.patterns(layer, config).label == pattern
    both = [(image, number[name]) for image, name in enumerate(study.ids) if name in number]
    member = np.array([inside[image] for image, _ in both], bool)
    label: Int = other.patterns(there, config).label[[image for _, image in both]] if both else np.array([], np.int32)
    shared = np.bincount(label[member & (label != NOISE)], minlength=1)
    if not shared.sum():
        return NOISE, 0, int(member.sum())
    size = np.bincount(label[label != NOISE], minlength=len(shared))[: len(shared)]
    likeness = shared / np.maximum(1, size + member.sum() - shared)
    best = int(likeness.argmax())
    return best, int(shared[best]), int(member.sum())


def _side(study: Study, layer: str, config: ClusterConfig, pattern: int, title: str) -> None:
    st.markdown(f"**{title}**")
    patterns = study.patterns(layer, config)
    look = _look(study, layer, config, pattern)
    if look is not None:
        st.html(figure_row([(source(shown(look.picture)), light_html(look), "made for this pattern")], 140))
        _warn(study, look.check)
    made = [] if look else kept_of(study, layer, config, "pattern", pattern)
    if made:
        st.html(figure_row([made_figure(made[0], 0)], 140))
    elif look is None:
        st.caption("No picture is kept for it.")
    pictures(study, representatives(patterns, pattern, 6), size=60)
    st.caption(class_words(study, patterns.members(pattern)))
