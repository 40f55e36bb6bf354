"""An image's way through the layers in plain words: with its class, among another, in no pattern."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from nap_core.export import named
from nap_core.patterns.company import MIXED, departures
from nap_core.study.image import Step
from nap_core.types import NOISE

UNKNOWN = -3
"""Company of an image whose pattern holds no image of known class."""


def companies(steps: Sequence[Step]) -> list[int]:
    """Return [layer] class whose company the image keeps, `MIXED`, `NOISE` in no pattern, or `UNKNOWN`."""
    return [UNKNOWN if step.company == NOISE and step.label != NOISE else step.company for step in steps]


def leaving(steps: Sequence[Step], own: int) -> tuple[int, int]:
    """Return the positions of the layer where the image leaves its class for good and of the last among it, or -1."""
    kept = np.array([step.company for step in steps])[:, None]
    left, last = departures(kept, np.array([own]))
    return int(left[0]), int(last[0])


def quoted(text: str) -> str:
    """Return a name as it stands, in quotation marks, where Markdown is read."""
    return f"“{verbatim(text)}”"


def verbatim(text: str) -> str:
    """Return a text as it stands, where Markdown is read."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()#+-.!|$~<>:" else sign for sign in text)


def lead(steps: Sequence[Step], own: int, names: Sequence[str], is_new: bool = False) -> str:
    """Return the finding in a sentence: where the image leaves its class, joins it, or that it never is among it.

    Parameters
    ----------
    own
        The image's class; of a new image the class that it is seen as; `NOISE` where none is known.
    names
        [class]
    """
    if not steps:
        return "No layer has patterns."
    kept, (left, last) = companies(steps), leaving(steps, own)
    inside = sum(step.label != NOISE for step in steps)
    if own == NOISE or all(company in (NOISE, UNKNOWN) for company in kept):
        return f"It is in some pattern in {inside} of {len(steps)} layers."
    name = quoted(named(own, names))
    name = f"{name}, the class it is seen as," if is_new else f"its class, {name},"
    if left >= 0:
        return f"It leaves {name} in `{steps[left].layer}` for {quoted(named(kept[left], names))}."
    if last < 0:
        return f"In no layer is it among {name[:-1]}."
    if last < len(steps) - 1:
        return f"It is last among {name} in `{steps[last].layer}`, and then in no pattern of one class."
    first = len(kept) - next((n for n, company in enumerate(reversed(kept)) if company != own), len(kept))
    if first == 0:
        return f"It is among {name} in every layer."
    verb = "comes back to" if own in kept[:first] else "joins"
    return f"It {verb} {name} in `{steps[first].layer}`" + (" and stays." if first < last else ".")


def way(steps: Sequence[Step], own: int, names: Sequence[str], is_new: bool = False) -> str:
    """Return a sentence of the stretches of the way: "Up to `a` it travels with …; from `b` on it is among …"."""
    kept = companies(steps)
    if all(company in (NOISE, UNKNOWN) for company in kept):
        return ""
    stretches = [list(group) for _, group in groupby(range(len(kept)), key=lambda n: kept[n])]
    mine = NOISE if is_new else own
    told = [f"{_where(steps, part[0], part[-1])} {_what(kept[part[0]], mine, names, len(part))}" for part in stretches]
    sentence = "; ".join(told)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _where(steps: Sequence[Step], first: int, last: int) -> str:
    a, b, end = steps[first].layer, steps[last].layer, len(steps) - 1
    if first == 0 and last == end:
        return "in every layer"
    if first == last:
        return f"in `{a}`"
    if first == 0:
        return f"up to `{b}`"
    return f"from `{a}` on" if last == end else f"from `{a}` to `{b}`"


def _what(company: int, own: int, names: Sequence[str], n: int) -> str:
    if company == NOISE:
        return "it is in no pattern"
    if company == UNKNOWN:
        return "its pattern is of no known class" if n == 1 else "its patterns are of no known class"
    if company == MIXED:
        return "its pattern mixes classes" if n == 1 else "its patterns mix classes"
    name = quoted(named(company, names))
    return f"it travels with its class {name}" if company == own else f"it is among {name}"
