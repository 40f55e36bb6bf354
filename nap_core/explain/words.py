"""A check in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nap_core.explain.check import UNLIKE, Check
from nap_core.types import NOISE


def words(check: Check, class_names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what the check found, a sentence each, for people."""
    found = [_reached(check), _like(check), *_class(check, class_names), *_seeds(check)]
    if check.is_suspicious:
        found.append(
            "Suspicious: these images agree with each other and not with any real member. The synthetic image may show "
            "something else than what the network answers to in real images."
        )
    return tuple(found)


def _of(n: int, total: int) -> str:
    return ("all" if n == total else "none" if n == 0 else str(n)) + f" of {total}"


def _reached(check: Check) -> str:
    n, total = int(check.reached.sum()), len(check.reached)
    return (
        f"Reached {check.text}: {_of(n, total)}; {np.median(check.radius):.2f} of the members' usual distance from "
        f"their centre, cosine {check.cosine.mean():.2f} (members {check.member_cosine:.2f})."
    )


def _like(check: Check) -> str:
    layer, picture = float(np.median(check.nn_ratio)), float(np.median(check.likeness))
    said = "unlike any input" if layer > UNLIKE else "like real inputs"
    text = f"To the layer it is {said} ({layer:.2f} of the usual distance to the nearest one)"
    if np.isnan(picture):
        return text + "."
    is_like = picture > check.other_likeness
    said = "more like a member than other images are" if is_like else "no more like a member than other images are"
    return f"{text}; as a picture it is {said}."


def _class(check: Check, names: Sequence[str]) -> list[str]:
    if check.member_class == NOISE:
        return []
    name = names[check.member_class] if check.member_class < len(names) else f"class {check.member_class}"
    seen = _of(int(check.has_class.sum()), len(check.reached))
    return [f"The network sees {name}, as in {check.member_class_share:.0%} of the members, in {seen}."]


def _seeds(check: Check) -> list[str]:
    if np.isnan(check.self_agreement):
        return []
    return [
        f"Likeness as pictures: {check.self_agreement:.2f} among different seeds, {np.median(check.likeness):.2f} with "
        f"the nearest member; members have {check.member_likeness:.2f}, other images {check.other_likeness:.2f}."
    ]
