"""One image's way as a row of layers: its pattern, how firmly it belongs, its medoid, its nearest images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.export import named
from nap_core.palette import pattern_color
from nap_core.patterns.company import MIXED
from nap_core.patterns.newcomer import FAR
from nap_core.patterns.unplaced import place_words
from nap_core.study import Study
from nap_core.study.image import Step
from nap_core.study.judgement import known_unplaced, layer_unplaced
from nap_core.types import NOISE, Float, Int
from nap_core.ui.flow_filters import follow_pattern, show_layers
from nap_core.ui.gallery import open_image, pattern_title, picture_data
from nap_core.ui.image_words import UNKNOWN, companies, leaving
from nap_core.ui.looks import kept_looks, look_data, offer_looks
from nap_core.ui.map_panel import point_at
from nap_core.ui.notes import called

_PARTS = Path(__file__).parent / "components"
_path = st.components.v2.component(
    "nap_image_path",
    html='<div class="path" tabindex="0" role="group" aria-label="The image in every layer"></div>',
    css=(_PARTS / "image_path.css").read_text(encoding="utf-8"),
    js=(_PARTS / "image_path.js").read_text(encoding="utf-8"),
)
MOST_AT_ONCE = 10_000
"""Images up to which it is worked out at once why one is in no pattern; of more, How sure? does it when asked."""

FLOW_LAYERS = 4  # layers around the clicked one that the flows show


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """An image of the study or a new one, with its place in every layer."""

    key: str
    image: int | None  # number in the study
    own: int  # its class, or the class it is taken for, or NOISE
    steps: tuple[Step, ...]
    near: Sequence[Int]  # [layer][neighbour]
    distance: Sequence[Float]  # [layer][neighbour]


def path_strip(study: Study, followed: Followed, config: ClusterConfig) -> None:
    """Show the layers in order; a click leads to a pattern, a picture, the map or the flows."""
    kept, (left, _) = companies(followed.steps), leaving(followed.steps, followed.own)
    layers = [_card(study, followed, n, kept[n], n == left, config) for n in range(len(kept))]
    result = _path(
        key=f"path-{study.folder.name}",
        data={"layers": layers, "looks": any(layer["look"] for layer in layers)},
        on_pattern_change=lambda: None,
        on_image_change=lambda: None,
        on_place_change=lambda: None,
        on_look_change=lambda: None,
    )
    if not any(layer["look"] for layer in layers) and any(step.label != NOISE for step in followed.steps):
        last = max((step for step in followed.steps if step.label != NOISE), key=followed.steps.index)
        if kept_looks(study, last.layer, config) is not None:
            offer_looks(last.layer, key="path-looks")
    if (image := result.get("image")) is not None:
        open_image(study, int(image))
    if (look := result.get("look")) is not None:
        address = {"layer": str(look["layer"]), "look-for": "pattern", "look-pattern": str(int(look["pattern"]))}
        st.switch_page("pages/maximize.py", query_params=address)
    if (chosen := result.get("pattern")) is not None:
        address = {"layer": chosen["layer"], "pattern": str(int(chosen["pattern"]))}
        st.switch_page("pages/patterns.py", query_params=address)
    if (place := result.get("place")) is not None:
        _go(study, followed, str(place["page"]), str(place["layer"]))


def _go(study: Study, followed: Followed, page: str, layer: str) -> None:
    if page == "map":
        if followed.image is not None:
            point_at(study, followed.image)
        st.switch_page("pages/map.py", query_params={"layer": layer})
    names, labels = [step.layer for step in followed.steps], [step.label for step in followed.steps]
    place = names.index(layer)
    first = max(0, min(place - 1, len(names) - FLOW_LAYERS))
    show_layers(*names[first : first + FLOW_LAYERS])
    follow_pattern(layer, labels[place])
    st.switch_page("pages/flows.py")


def _card(
    study: Study, followed: Followed, place: int, company: int, leaves: bool, config: ClusterConfig
) -> dict[str, Any]:
    step = followed.steps[place]
    patterns, names = study.patterns(step.layer, config), study.class_names
    title = called(study, step.layer, step.label, config)
    pairs = zip(followed.near[place].tolist(), followed.distance[place].tolist(), strict=True)
    return {
        "layer": step.layer,
        "pattern": step.label,
        "title": title,
        "color": pattern_color(step.label, step.n_patterns),
        "size": _size(step, company, names),
        "company": _company_words(company, followed, leaves, names),
        "left": leaves,
        "kind": _kind(company, followed.own),
        "firm": {"share": step.probability, "said": f"{step.probability:.2f}", **_firmness(step)},
        "note": _note(step) or _why_in_none(study, followed, step, config),
        "medoid": None if step.medoid == NOISE else picture_data(study, step.medoid),
        "medoidLabel": "stands for its pattern" if step.label != NOISE else f"nearest is pattern {step.assigned}",
        "medoidHelp": "The real image nearest to all others of the pattern (medoid).",
        "look": _look(study, step, config),
        "near": [
            picture_data(study, image)
            | {
                "color": pattern_color(int(patterns.label[image]), patterns.n_patterns),
                "where": f"{pattern_title(int(patterns.label[image]))}, distance {far:.2f}",
            }
            for image, far in pairs
        ],
    }


def _look(study: Study, step: Step, config: ClusterConfig) -> dict[str, Any] | None:
    """Return what the picture's pattern looks for, where it is kept."""
    there = kept_looks(study, step.layer, config)
    look = there.kept.get(step.label) if there else None
    return look_data(study, look) if look else None


def _size(step: Step, company: int, names: Sequence[str]) -> str:
    if step.label == NOISE:
        return ""
    share = f", {step.commonest_share:.0%} “{named(step.commonest, names)}”" if company >= 0 else ""
    return f"{counted(step.size, 'image')}{share}"


def _company_words(company: int, followed: Followed, leaves: bool, names: Sequence[str]) -> str:
    if company in (NOISE, UNKNOWN):
        return ""
    if company == MIXED:
        return "classes mixed"
    name = f"“{named(company, names)}”"
    if leaves:
        return f"leaves for {name}"
    return "with its class" if company == followed.own and followed.image is not None else f"among {name}"


def _kind(company: int, own: int) -> str:
    """Return how the rail into a layer is drawn."""
    if company == NOISE:
        return "none"
    if company in (MIXED, UNKNOWN) or own == NOISE:
        return "mixed"
    return "own" if company == own else "other"


def _firmness(step: Step) -> dict[str, str]:
    if np.isnan(step.percentile):
        return {"label": "how firmly", "help": "How firmly it belongs, 0 to 1 (HDBSCAN membership probability)."}
    return {
        "label": "nearest agree",
        "help": "Share of its five nearest images, weighted by nearness, in this pattern.",
    }


def _why_in_none(study: Study, followed: Followed, step: Step, config: ClusterConfig) -> str:
    """Return between which patterns an image of the study lies that is in none; worked out for all of a layer once."""
    if step.label != NOISE or followed.image is None:
        return ""
    found = known_unplaced(study, step.layer, config)
    if found is None and study.n_images > MOST_AT_ONCE:
        return ""
    found = found or layer_unplaced(study, step.layer, config)
    return place_words(found, int(np.searchsorted(found.image, followed.image)))


def _note(step: Step) -> str:
    if step.percentile >= 1:
        return "Further from its nearest images than any image of the study."
    if step.percentile > FAR:
        return f"Further from its nearest images than {step.percentile:.1%} of the study's images."
    return ""
