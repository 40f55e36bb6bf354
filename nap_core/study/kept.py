"""Synthetic images that a study holds already, found by what they were made for; needs neither network nor torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nap_core.configs import ClusterConfig
from nap_core.explain.maximize import Plan
from nap_core.explain.transforms import Transforms
from nap_core.explain.wishes import PATTERN_MODES, UNIT_MODES, WAYS, Wish
from nap_core.store import ABOUT
from nap_core.study.study import Study
from nap_core.study.synthetic import IMAGE_VERSION, Made, read_made

_ORDER = [*PATTERN_MODES, *UNIT_MODES, ""]


def kept_images(
    study: Study,
    layer: str,
    config: ClusterConfig | None = None,
    *,
    pattern: int | None = None,
    unit: int | None = None,
    logit: int | None = None,
) -> list[Made]:
    """Return all that was made for a pattern, a unit or a class, in the order of modes and parametrisations."""
    wanted = {"patterns": study.patterns_key(layer, config), "version": IMAGE_VERSION}
    asked = {"pattern": pattern, "unit": unit, "logit": logit}
    found = []
    for file in study.store.folder.glob(f"??/*/{ABOUT}"):
        about = json.loads(file.read_text(encoding="utf-8"))
        if about["kind"] != "synthetic" or any(about.get(name) != value for name, value in wanted.items()):
            continue
        if all(about["wish"][name] == value for name, value in asked.items()):
            entry = study.store.get(file.parent.name)
            if entry is not None:
                found.append(read_made(entry, _wish(about["wish"])))
    ways = list(WAYS)
    return sorted(found, key=lambda made: (_ORDER.index(made.wish.mode), ways.index(made.wish.parametrisation)))


def _wish(told: Mapping[str, Any]) -> Wish:
    plan = dict(told["plan"])
    plan |= {"seeds": tuple(plan["seeds"]), "transforms": Transforms(**plan["transforms"])}
    return Wish(**dict(told) | {"plan": Plan(**plan)})
