"""Where classes part: the first layer in which each class has patterns of its own, and classes that stay together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import listed
from nap_core.findings.records import Evidence, Finding
from nap_core.types import NOISE, Int, Patterns

LEAST_SEPARATE = 0.8  # share of a class in patterns mostly its own, and of these patterns' images that are of it
LEAST_SHARED = 0.4  # overlap of two classes that count as sharing patterns
LEAST_UNUSUAL = 3.0  # that overlap, as a multiple of what the layer's classes otherwise share
_SMALLEST = 8  # images of a class that are judged
_MOST_CLASSES = 400


def _table(patterns: Patterns, target: Int, classes: Int) -> NDArray[np.float64]:
    """[class, pattern] images of each class assigned to each pattern."""
    number = np.full(int(target.max(initial=0)) + 1, NOISE, np.int64)
    number[classes] = np.arange(len(classes))
    row = np.where(target == NOISE, NOISE, number[target])
    known = (row != NOISE) & (patterns.assigned != NOISE)
    table = np.zeros((len(classes), max(1, patterns.n_patterns)))
    np.add.at(table, (row[known], patterns.assigned[known]), 1)
    return table


def separation(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [class] the F1 value of "this class" against "in a pattern mostly of this class", in [0, 1].

    Parameters
    ----------
    table
        [class, pattern] numbers of images.
    """
    own = (table.argmax(axis=0)[None, :] == np.arange(len(table))[:, None]) & (table > 0)
    hits = (table * own).sum(axis=1)
    gathered = (table.sum(axis=0)[None, :] * own).sum(axis=1)
    f1: NDArray[np.float64] = 2 * hits / np.maximum(gathered + table.sum(axis=1), 1)
    return f1


def overlap(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [class, class] how far two classes lie in the same patterns: 1 alike in all shares, 0 in no common one."""
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return np.array([np.minimum(row, share).sum(axis=1) for row in share])


def _judged(evidence: Evidence) -> Int:
    counts = np.bincount(evidence.target[evidence.target != NOISE], minlength=1)
    classes: Int = np.flatnonzero(counts >= _SMALLEST).astype(np.int32)
    return classes if len(classes) <= _MOST_CLASSES else classes[:0]


def class_findings(evidence: Evidence) -> list[Finding]:
    """Return where the classes part, which of them the model never answers, and which stay together where most others
    have parted."""
    classes = _judged(evidence)
    if len(classes) < 2 or not evidence.patterns:
        return []
    tables = [_table(patterns, evidence.target, classes) for patterns in evidence.patterns]
    f1 = np.array([separation(table) for table in tables])  # [layer, class]
    parted = f1 >= LEAST_SEPARATE
    first = np.where(parted.any(axis=0), parted.argmax(axis=0), len(tables))
    found = _unanswered(evidence, classes, first) + _together(evidence, classes, tables)
    return [_parting(evidence, classes, tables, f1, first), *found] if parted.any() else found


def _told(evidence: Evidence, classes: Int, first: NDArray[np.int64]) -> str:
    """Return from which layer on classes stand in patterns of their own, in words."""
    told = []
    for i, patterns in enumerate(evidence.patterns):
        names = [evidence.class_name(int(number)) for number in classes[first == i]]
        if names:
            told.append(f"{listed(names, 6)} from {patterns.layer} on")
    if names := [evidence.class_name(int(number)) for number in classes[first == len(evidence.patterns)]]:
        told.append(f"in no layer: {listed(names, 6)}")
    return "; ".join(told)


def _parting(
    evidence: Evidence,
    classes: Int,
    tables: Sequence[NDArray[np.float64]],
    f1: NDArray[np.float64],
    first: NDArray[np.int64],
) -> Finding:
    n, best = int((first < len(tables)).sum()), int(f1.mean(axis=1).argmax())
    of = f"{len(classes)} classes"
    if len(classes) < len(np.unique(evidence.target[evidence.target != NOISE])):
        of += f" with {_SMALLEST} or more images"
    begin = f"All {of}" if n == len(classes) else f"{n} of {of}"
    sentence = f"{begin} come to stand in patterns of their own: {_told(evidence, classes, first)}."
    figures = {"n_separate": float(n), "n_classes": float(len(classes)), "best_f1": float(f1[best].mean())}
    image = evidence.patterns[best].medoid[tables[best].argmax(axis=1)]
    score = 0.3 + 0.1 * float(f1[best].mean())
    return Finding("separation", sentence, score, image, evidence.patterns[best].layer, NOISE, figures)


def _unanswered(evidence: Evidence, classes: Int, first: NDArray[np.int64]) -> list[Finding]:
    """Return a finding about the classes that the model never answers, though it answers others."""
    answered = np.unique(evidence.answer[evidence.answer != NOISE])
    missing = ~np.isin(classes, answered)
    if len(answered) < 2 or not missing.any() or missing.all():
        return []
    chosen = classes[missing]
    names, own = listed([evidence.class_name(int(number)) for number in chosen], 6), first[missing]
    image = _in_turn([np.flatnonzero(evidence.target == number) for number in chosen])
    if (own < len(evidence.patterns)).any():
        end = f"Yet they stand in patterns of their own: {_told(evidence, chosen, own)}"
    else:
        end = "They stand in no patterns of their own in any layer"
    sentence = f"The model never answers {names}; {len(image):,} images are of them. {end}."
    figures = {"n_classes": float(len(chosen)), "n_images": float(len(image))}
    early = min(int(own.min()), len(evidence.patterns) - 1)
    return [Finding("unanswered", sentence, 0.45, image, evidence.patterns[early].layer, figures=figures)]


def _in_turn(groups: Sequence[NDArray[np.int64]]) -> Int:
    """Return the images of several groups, one of each in turn."""
    turn = np.concatenate([np.arange(len(group)) for group in groups])
    image: Int = np.concatenate(groups)[np.argsort(turn, kind="stable")].astype(np.int32)
    return image


def _together(evidence: Evidence, classes: Int, tables: Sequence[NDArray[np.float64]], most: int = 3) -> list[Finding]:
    if len(classes) < 3:
        return []
    shared = np.array([overlap(table) for table in tables])  # [layer, class, class]
    off = ~np.eye(len(classes), dtype=np.bool_)
    usual = np.array([np.median(layer[off]) for layer in shared])
    least = np.maximum(LEAST_SHARED, LEAST_UNUSUAL * usual)
    candidates = []
    for a, b in combinations(range(len(classes)), 2):
        together = np.flatnonzero(shared[:, a, b] >= least)
        if len(together):
            last = int(together[-1])
            candidates.append((last, float(shared[last, a, b]), a, b))
    candidates.sort(key=lambda pair: (-pair[0], -pair[1]))
    return [
        _pair_finding(evidence, classes, shared[:, a, b], tables, last, a, b) for last, _, a, b in candidates[:most]
    ]


def _pair_finding(
    evidence: Evidence,
    classes: Int,
    shared: NDArray[np.float64],
    tables: Sequence[NDArray[np.float64]],
    last: int,
    a: int,
    b: int,
) -> Finding:
    patterns, names = evidence.patterns[last], [evidence.class_name(int(classes[k])) for k in (a, b)]
    is_end = last == len(tables) - 1
    until = "to the last layer" if is_end else f"up to {patterns.layer}"
    pattern = int(np.minimum(tables[last][a], tables[last][b]).argmax())
    after = "" if is_end else f"; in {evidence.patterns[last + 1].layer} it is {shared[last + 1]:.0%}"
    sentence = (
        f"{names[0]} and {names[1]} share patterns {until}: {shared[last]:.0%} of either lie among the other in "
        f"{patterns.layer}{after}."
    )
    inside = _in_turn(
        [np.flatnonzero((patterns.assigned == pattern) & (evidence.target == classes[k])) for k in (a, b)]
    )
    figures = {"overlap": float(shared[last]), "n_layers": float(last + 1)}
    score = 0.35 + (0.2 if is_end else 0.0) * float(shared[last])
    return Finding("together", sentence, score, inside, patterns.layer, pattern, figures)
