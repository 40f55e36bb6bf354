"""All searches in turn, and the few findings that are worth a reader's time, the most serious first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nap_core.findings.cues import cues
from nap_core.findings.duplicates import duplicates
from nap_core.findings.gatherings import border_explains, errors_gather
from nap_core.findings.layer_findings import dead_unit_findings, unchanged_layers
from nap_core.findings.mislabels import mislabels
from nap_core.findings.records import Evidence, Finding
from nap_core.findings.separation import class_findings
from nap_core.types import NOISE, Progress

KINDS: dict[str, str] = {
    "cue": "a mark that decides instead of the content",
    "mislabelled": "images that look mislabelled",
    "unread": "classes that follow no layer",
    "errors": "patterns where errors gather",
    "border": "patterns that a border explains",
    "duplicates": "pictures that are there more than once",
    "together": "classes that share patterns",
    "unanswered": "classes that the model never answers",
    "separation": "where classes part",
    "unchanged": "layers that change nothing",
    "dead": "units that never answer",
}
"""Kind → what it is about."""

WITHOUT_SELECTION = ("separation", "unchanged", "dead", "unread")
"""Kinds that are about layers; their images, if any, are examples and no evidence."""

MOST_PER_KIND = 3
_EXPLAINED = 0.5  # share of a pattern's errors that carry a mark already told


def find_findings(evidence: Evidence, *, progress: Progress | None = None) -> tuple[Finding, ...]:
    """Return what is worth a look, ranked; at most three of a kind.

    Errors that gather because of a mark are told with the mark. What needs classes, answers or pictures is left out
    where there are none.
    """
    marks, carried = cues(evidence)
    found = list(marks)
    marked = np.any(carried, axis=0) if carried else np.zeros(evidence.n_images, np.bool_)
    searches: Sequence[Callable[[Evidence], list[Finding]]] = (
        mislabels,
        errors_gather,
        border_explains,
        duplicates,
        class_findings,
        unchanged_layers,
        dead_unit_findings,
    )
    for done, search in enumerate(searches):
        if progress:
            progress(done + 1, len(searches) + 1)
        found += search(evidence)
    if progress:
        progress(len(searches) + 1, len(searches) + 1)
    found = [one for one in found if one.kind != "errors" or marked[one.image].mean() < _EXPLAINED]
    for mark, carries in zip(marks, carried, strict=True):
        found = [_without_the_mark(evidence, one, mark, carries) if one.kind == "errors" else one for one in found]
    found.sort(key=lambda one: (-one.score, one.kind, one.layer, one.pattern))
    return tuple(one for i, one in enumerate(found) if _n_before(found, i) < MOST_PER_KIND)


def _without_the_mark(evidence: Evidence, errors: Finding, mark: Finding, carries: NDArray[np.bool_]) -> Finding:
    """Return errors with a word on a class that a mark stands for, if they are mostly its images without the mark."""
    answers = evidence.answer[mark.image]
    marked_as = int(np.bincount(answers[answers != NOISE], minlength=1).argmax())
    lacking = float(((evidence.target[errors.image] == marked_as) & ~carries[errors.image]).mean())
    if lacking < _EXPLAINED:
        return errors
    word = f" {lacking:.0%} of these are {evidence.class_name(marked_as)} without the mark that the others pass by."
    return replace(errors, sentence=errors.sentence + word)


def _n_before(found: Sequence[Finding], i: int) -> int:
    return sum(one.kind == found[i].kind for one in found[:i])
