"""Cards of patterns as one component: what is on them, and where a click leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from nap_core.errors import counted
from nap_core.palette import pattern_color
from nap_core.study import Study
from nap_core.study.looks import Look
from nap_core.study.notes import Note
from nap_core.types import NOISE, Int, Patterns
from nap_core.ui.gallery import is_wrong, open_image, pattern_title, picture_data
from nap_core.ui.looks import look_data, source, where_picture
from nap_core.ui.panels import class_words, representatives
from nap_core.ui.resources import arrive, set_out

_PARTS = Path(__file__).parent / "components"
_cards = st.components.v2.component(
    "nap_pattern_cards",
    html='<div class="cards"></div>',
    css=(_PARTS / "pattern_cards.css").read_text(encoding="utf-8"),
    js=(_PARTS / "pattern_cards.js").read_text(encoding="utf-8"),
)
PICTURES = 7  # the first takes the place of four


@dataclass(frozen=True, slots=True)
class Badge:
    """A word on a card, with its explanation on hover."""

    text: str
    help: str
    kind: str = ""  # "good", "doubtful", "bad" or plain


def _card(
    study: Study, patterns: Patterns, number: int, note: Note, badges: Sequence[Badge], look: Look | None
) -> dict[str, Any]:
    members = patterns.members(number)
    wrong = sum(is_wrong(study, int(i)) for i in members)
    title = pattern_title(number, note.name)
    lines = [f"{wrong} of {len(members):,} misclassified"] if wrong else []
    probability = patterns.probability[members]
    return {
        "number": number,
        "title": title,
        "color": pattern_color(number, patterns.n_patterns),
        "share": f"{counted(len(members), 'image')}, {_share(len(members) / patterns.n_images)}",
        "words": class_words(study, members) or "no classes known",
        "lines": [*lines, *([note.note] if note.note else [])],
        "badges": [{"text": badge.text, "help": badge.help, "kind": badge.kind} for badge in badges],
        "pictures": [picture_data(study, image) for image in representatives(patterns, number, PICTURES)],
        "spark": [] if number == NOISE else np.histogram(probability, 20, (0, 1))[0].tolist(),
        "about": f"{title}: all its {len(members)} images",
        "look": _look(study, look, members) if look else None,
    }


def _look(study: Study, look: Look, members: Int) -> dict[str, Any]:
    where = where_picture(study, look, members)
    return look_data(study, look) | {"where": source(where) if where else ""}


def pattern_cards(
    study: Study,
    patterns: Patterns,
    numbers: Sequence[int],
    notes: Mapping[int, Note],
    badges: Mapping[int, Sequence[Badge]],
    looks: Mapping[int, Look],
    *,
    key: str,
    on_open: Callable[[int], None] | None = None,
) -> None:
    """Show patterns (or the noise) as cards. A click on a picture opens its page.

    Parameters
    ----------
    looks
        What patterns look for, where it is kept; a click on it leads to the page of synthetic images.
    on_open
        What a click on the card does, before the page runs again; it leads there as well by default.
    """

    def lead(pattern: int) -> None:
        set_out("maximize", {"layer": patterns.layer, "look-for": "pattern", "look-pattern": pattern})

    def tell(event: str, act: Callable[[int], None]) -> None:
        pattern = (st.session_state.get(key) or {}).get(event)
        if pattern is not None:
            act(int(pattern))

    shown = [_card(study, patterns, n, notes.get(n, Note()), badges.get(n, ()), looks.get(n)) for n in numbers]
    result = _cards(
        key=key,
        data={"cards": shown},
        on_opened_change=partial(tell, "opened", on_open or lead),
        on_image_change=lambda: None,
        on_look_change=partial(tell, "look", lead),
    )
    arrive()
    if (image := result.get("image")) is not None:
        open_image(study, int(image))


def _share(share: float) -> str:
    return f"{share:.0%}" if share == 0 or share >= 0.005 else "under 1%"
