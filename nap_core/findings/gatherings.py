"""Patterns in which something gathers that should not: the model's mistakes, or pictures with a frame.

Each pattern is tested against all other images of its layer (hypergeometric), corrected over all patterns of all
layers. A frame explains a pattern where the rest of the same classes has none, so that the content does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nap_core.findings.records import Evidence, Finding
from nap_core.types import NOISE, Int, Patterns

LEVEL = 0.01
LEAST_LIFT = 2.0
LEAST_RATE = 0.3  # share of members that are answered wrongly
LEAST_WRONG = 5  # members
FRAMED = 0.02  # width of a frame, as a share of the side, from which a picture counts as framed
LEAST_FRAMED, MOST_FRAMED = 0.9, 0.25  # share of framed pictures in the pattern, and among the rest of its classes
_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class _Gathering:
    layer: str
    pattern: int
    rate: float  # share of members, in [0, 1]
    lift: float  # against all images
    q: float
    images: frozenset[int]


def _gatherings(chain: Sequence[Patterns], marked: NDArray[np.bool_], counted: NDArray[np.bool_]) -> list[_Gathering]:
    """Return, for every pattern, how many of its counted members are marked, with corrected significance."""
    from scipy.stats import false_discovery_control, hypergeom

    n, n_marked = int(counted.sum()), int((marked & counted).sum())
    found: list[_Gathering] = []
    p: list[float] = []
    for patterns in chain:
        for pattern in range(patterns.n_patterns):
            member = (patterns.label == pattern) & counted
            size, hits = int(member.sum()), int((member & marked).sum())
            if hits:
                lift = hits / size / (n_marked / n)
                images = frozenset(np.flatnonzero(member & marked).tolist())
                found.append(_Gathering(patterns.layer, pattern, hits / size, lift, 1.0, images))
                p.append(float(hypergeom.sf(hits - 1, n, n_marked, size)))
    if not found:
        return []
    q = false_discovery_control(p)
    return [_Gathering(g.layer, g.pattern, g.rate, g.lift, float(v), g.images) for g, v in zip(found, q, strict=True)]


def _distinct(gatherings: Sequence[_Gathering]) -> list[_Gathering]:
    """Keep of gatherings of much the same images the first."""
    kept: list[_Gathering] = []
    for one in gatherings:
        if all(len(one.images & other.images) < _OVERLAP * min(len(one.images), len(other.images)) for other in kept):
            kept.append(one)
    return kept


def _members(images: frozenset[int], patterns: Patterns) -> Int:
    image = np.array(sorted(images), np.int32)
    firmest: Int = image[np.argsort(-patterns.probability[image], kind="stable")]
    return firmest


def errors_gather(evidence: Evidence, most: int = 3) -> list[Finding]:
    """Return the patterns in which wrong answers gather, the one that explains most of them first."""
    judged = (evidence.target != NOISE) & (evidence.answer != NOISE) | evidence.is_wrong
    n_wrong = int(evidence.is_wrong.sum())
    if n_wrong < LEAST_WRONG:
        return []
    found = [
        one
        for one in _gatherings(evidence.patterns, evidence.is_wrong, judged)
        if one.q <= LEVEL and one.lift >= LEAST_LIFT and one.rate >= LEAST_RATE and len(one.images) >= LEAST_WRONG
    ]
    found.sort(key=lambda one: (-len(one.images) * one.rate, one.layer, one.pattern))
    by_layer = {patterns.layer: patterns for patterns in evidence.patterns}
    return [_error_finding(one, by_layer[one.layer], n_wrong) for one in _distinct(found)[:most]]


def _error_finding(one: _Gathering, patterns: Patterns, n_wrong: int) -> Finding:
    n = len(one.images)
    sentence = (
        f"Errors gather in pattern {one.pattern} of {one.layer}: {one.rate:.0%} of its images are answered wrongly, "
        f"{one.lift:.1f} times the share in all images; {n} of all {n_wrong:,} errors are here."
    )
    figures = {"rate": one.rate, "lift": one.lift, "q": one.q, "n_images": float(n), "share_of_errors": n / n_wrong}
    score = 0.5 + 0.2 * one.rate + 0.1 * n / n_wrong
    return Finding("errors", sentence, score, _members(one.images, patterns), one.layer, one.pattern, figures)


def border_explains(evidence: Evidence, most: int = 2) -> list[Finding]:
    """Return the patterns that a frame around the picture explains, the largest first."""
    if evidence.properties is None:
        return []
    framed = evidence.properties.values["border"] > FRAMED
    everything = np.ones(evidence.n_images, np.bool_)
    found = []
    for one in _gatherings(evidence.patterns, framed, everything):
        if one.q <= LEVEL and one.rate >= LEAST_FRAMED and one.lift >= LEAST_LIFT:
            elsewhere = _rate_among_like(evidence, one, framed)
            if elsewhere <= MOST_FRAMED:
                found.append((one, elsewhere))
    found.sort(key=lambda pair: (-len(pair[0].images), pair[0].layer, pair[0].pattern))
    shares = {id(one): elsewhere for one, elsewhere in found}
    by_layer = {patterns.layer: patterns for patterns in evidence.patterns}
    chosen = _distinct([one for one, _ in found])[:most]
    return [_border_finding(one, by_layer[one.layer], shares[id(one)]) for one in chosen]


def _rate_among_like(evidence: Evidence, one: _Gathering, framed: NDArray[np.bool_]) -> float:
    """Return the share of framed pictures among those of the same classes outside the pattern, each class as it weighs
    inside; 1 where no image of these classes is outside."""
    label = next(patterns.label for patterns in evidence.patterns if patterns.layer == one.layer)
    inside = label == one.pattern
    classes, counts = np.unique(evidence.target[inside], return_counts=True)
    rest = [(evidence.target == number) & ~inside for number in classes]
    rates = [float(framed[other].mean()) if other.any() else 1.0 for other in rest]
    return float(np.average(rates, weights=counts))


def _border_finding(one: _Gathering, patterns: Patterns, elsewhere: float) -> Finding:
    sentence = (
        f"A border explains pattern {one.pattern} of {one.layer}: {one.rate:.0%} of its {patterns.size[one.pattern]} "
        f"images have a plain frame, {elsewhere:.0%} of comparable images elsewhere."
    )
    figures = {"rate": one.rate, "lift": one.lift, "rate_elsewhere": elsewhere, "q": one.q}
    score = 0.65 + 0.2 * (one.rate - elsewhere)
    return Finding("border", sentence, score, _members(one.images, patterns), one.layer, one.pattern, figures)
