"""What is behind a pattern, on the page of synthetic images: its units, its places in pictures, how firmly it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.explain.attributions import METHODS
from nap_core.explain.causes import Causes
from nap_core.explain.robustness import Robustness
from nap_core.patterns.unit_rules import UnitRule
from nap_core.study import Study
from nap_core.study.evidence import (
    pattern_causes,
    pattern_places,
    pattern_robustness,
    pattern_rule,
    pattern_template,
    why_no_places,
)
from nap_core.study.framing import framed_pictures
from nap_core.study.synthetic_files import overlay
from nap_core.types import NOISE, Float
from nap_core.ui.maximize_panel import figures, image_figures
from nap_core.ui.widgets import show_progress

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

GLANCE, MADE, WAYS_VIEW = "at a glance", "made images", "compare"
VIEWS = (GLANCE, MADE, WAYS_VIEW, "units", "places", "firmness")
"""Views of a pattern; a unit or a class has the first three."""
CHANCE = 0.11
"""Agreement of two maps that have nothing to do with each other."""
_AMPLIFIED = 8


def pick_view(what: str) -> str:
    """Let the reader choose what to see of a pattern, a unit or a class."""
    views = VIEWS if what == "pattern" else VIEWS[:3]
    if st.session_state.get("look-view") not in (None, *views):
        st.session_state["look-view"] = views[0]
    view = st.segmented_control(
        "Show",
        views,
        default=views[0],
        required=True,
        key="look-view",
        bind="query-params",
        label_visibility="collapsed",
        help="All at a glance; pictures made your way; ways side by side; the units that make the pattern; the places "
        "in its images that count; how little moves it.",
    )
    return str(view)


def units(study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig) -> None:
    """Show which units make a pattern: a short rule, what happens without them, in which its members agree."""
    unit = study.activations(layer).unit
    st.markdown("##### A short rule")
    st.markdown(rule_words(pattern_rule(study, layer, pattern, config), unit.tolist()))
    st.markdown(
        "##### Do they make it?",
        help="Units are changed inside the network, and the network runs on. Random units of the same number stand "
        "beside: changing anything changes something.",
    )
    with st.spinner("Changing units"):
        told = pattern_causes(study, network, layer, pattern, config)
    st.markdown("\n".join(f"- {sentence}" for sentence in cause_words(told)))
    st.markdown("##### Units in which its members agree")
    found = pattern_template(study, layer, pattern, config)
    if not len(found.feature):
        st.caption("Its firmest members agree in no unit within half a standard deviation.")
        return
    shown = ", ".join(str(int(unit[feature])) for feature in found.feature[:12])
    more = f" and {len(found.feature) - 12} more" if len(found.feature) > 12 else ""
    others = "" if np.isnan(found.found) else f" They fit {found.found:.0%} of the other members and"
    st.markdown(
        f"Its firmest members say nearly the same in units {shown}{more}.{others or ' They fit'} "
        f"{found.false:.0%} of the images that are no members."
    )


def rule_words(rule: UnitRule, unit: list[int]) -> str:
    """Return a rule as a sentence, with how it does on images it was not found on."""
    if not rule.conditions:
        return "No condition on a few units tells its members from the rest, or it has too few members to look for one."
    parts = [
        f"unit **{unit[one.feature]}** {'at least' if one.is_high else 'at most'} {one.threshold:.2g}"
        for one in rule.conditions
    ]
    precise = "no image at all" if np.isnan(rule.precision) else f"{rule.precision:.0%} of the images under it"
    return (
        f"{' and '.join(parts)}. On images that it was not found on, {rule.recall:.0%} of {rule.n_held_out} members "
        f"are under it, and {precise} are members."
    )


def cause_words(told: Causes) -> list[str]:
    """Return what changing units did, a sentence each."""
    names = ", ".join(map(str, told.units))
    return [
        f"Units {names} set to their average: {told.left:.0%} of its members leave the pattern; with as many random "
        f"units {told.left_random:.0%}.",
        f"The network's answer changes for {told.answered:.0%} of them; with random units {told.answered_random:.0%}.",
        f"Its members' levels put into other images: {told.joined:.0%} of these join it; with random units "
        f"{told.joined_random:.0%}.",
    ]


def places(study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig) -> None:
    """Show where in its most typical images a pattern's score comes from, and whether other methods agree."""
    if reason := why_no_places(study, layer, config):
        st.info(reason)
        return
    with st.spinner("Looking for places"):
        found = pattern_places(study, network, layer, pattern, config)
    if not found.maps.map.any():
        st.info(
            "No place in its images speaks for this pattern: it is what they lack. Its units answer less than usual, "
            "and what is missing is nowhere in particular. *Units* tells which they are."
        )
        return
    picture = framed_pictures(study, network, found.image)
    st.markdown("##### What counts for the pattern", help="These parts add up to the pattern's score exactly.")
    average, weight = picture.mean(axis=0), found.mean / max(float(found.mean.max()), 1e-12)
    largest = np.maximum(found.maps.map.max(axis=(1, 2), keepdims=True), 1e-12)
    made = [overlay(average, weight), *map(overlay, picture, found.maps.map / largest)]
    captions = [f"<b>mean of these {len(picture)}</b>", *("" for _ in picture)]
    st.html(image_figures(made, captions, 140))
    share = found.maps.map.sum() / max(1e-12, np.abs(found.maps.contribution).sum())
    st.caption(
        f"Coloured places speak for the pattern, {share:.0%} of all that is said for or against it. The map adds up to "
        f"the score within {found.maps.error:.0e}."
    )
    st.markdown("##### Other methods, asked for the same score")
    titles = {"grad_cam": "Grad-CAM", **{name: title for name, (title, _) in METHODS.items()}}
    for name, maps in found.other.items():
        left, right = st.columns([1, 4], vertical_alignment="center")
        left.markdown(f"**{titles[name]}**  \nagreement {found.agreement[name]:.2f}")
        with right:
            _overlays(picture, maps, 72)
    st.caption("Agreement: overlap of the fifth of places that count most (intersection over union); chance is 0.11.")
    if min(found.agreement.values()) < CHANCE:
        st.caption(
            "Where methods disagree, the layer may carry what it saw of a thing to other places, such as the margins: "
            "the map shows where the layer holds it, occlusion where the picture does."
        )


def _overlays(picture: Float, maps: Float, size: int = 140) -> None:
    largest = np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12)
    made = [overlay(one, weight) for one, weight in zip(picture, maps / largest, strict=True)]
    st.html(image_figures(made, [""] * len(made), size))


def firmness(study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig) -> None:
    """Show how little change moves members out of a pattern, or into another one, and when their class changes."""
    st.markdown(
        "How little must change in a picture before this layer no longer counts it to the pattern? Every value of the "
        "picture, from 0 to 255, is moved by at most a few steps, each in the direction that helps most: the smallest "
        "change that does it, mostly too small to see."
    )
    n_patterns = study.patterns(layer, config).n_patterns
    other = st.number_input(
        "Into pattern", 0, max(0, n_patterns - 1), None, placeholder="any other", key="look-into", width=200
    )
    into = NOISE if other is None or int(other) == pattern else int(other)
    space = st.empty()
    with space.container():
        image, told = pattern_robustness(
            study, network, layer, pattern, config, into=into, progress=show_progress("Changing pictures")
        )
    space.empty()
    st.markdown("\n\n".join(firmness_words(told, into)))
    levels = [f"at most {round(level * 255)} of 255" for level in told.level.tolist()]
    changed = told.prediction[:, 1:] != told.prediction[:, :1]
    table = {
        "change of any value": levels,
        "left the pattern" if into == NOISE else "in the other pattern": (100 * told.moved.mean(axis=0)).tolist(),
        "seen as another class": (100 * changed.mean(axis=0)).tolist(),
    }
    percent = st.column_config.ProgressColumn(format="%.0f%%", min_value=0, max_value=100)
    st.dataframe(table, hide_index=True, column_config=dict.fromkeys(list(table)[1:], percent))
    real = framed_pictures(study, network, image[:6])
    if not told.moved.any():
        return
    st.markdown("##### Before")
    st.html(figures(real, [""] * len(real), 96))
    st.markdown("##### After the smallest change that moves it")
    st.html(figures(told.picture[:6], [""] * len(real), 96))
    st.markdown(f"##### The change, {_AMPLIFIED} times as large")
    st.html(figures(0.5 + _AMPLIFIED * (told.picture[:6] - real), [""] * len(real), 96))


def firmness_words(told: Robustness, into: int) -> list[str]:
    """Return how firmly a pattern holds, in sentences."""
    n, moved = len(told.moved), int(told.moved.any(axis=1).sum())
    goal = "out of the pattern" if into == NOISE else f"into pattern {into}"
    if not moved:
        largest = round(float(told.level[-1]) * 255)
        return [f"No change of at most {largest} of 255 in any value moves one of {n} members {goal}."]
    radius = told.radius[np.isfinite(told.radius)]
    said = [
        f"**{moved} of {n}** members can be moved {goal}; half of these by a change of at most "
        f"**{round(float(np.median(radius)) * 255)} of 255** in any value."
    ]
    if (told.prediction[:, 0] != NOISE).any():
        before = int((told.class_radius < told.radius).sum())
        after = n - before - int(((told.class_radius == told.radius) & np.isfinite(told.radius)).sum())
        said.append(
            f"Does the answer change with it? In {before} of {n} the network's class changed at a smaller change than "
            f"the pattern, in {n - before - after} at the same, in {after} at a larger one or not at all."
        )
    return said
