"""Spurious cues: a small mark at a fixed place that some group of images shares and the rest of its classes lacks.

A logo in a corner, a scanner's stamp, a ruler beside a mole: whoever carries it is treated alike, whatever else is to
be seen. Groups are compared with the other images of the same classes, place by place on small copies of the pictures.
Content differs in many places at once; a mark differs in one, and strongly. What was found on one half of the group
has to tell group and rest apart on the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nap_core.findings.records import Evidence, Finding, majority
from nap_core.inputs.properties import SMALL, gradient
from nap_core.types import NOISE, Float, Int

LEVEL = 0.01  # greatest chance, over all places and groups together, that a difference is none
LEAST_EFFECT = 1.0  # difference of the means at the mark, in standard deviations
MOST_ELSEWHERE = 0.4  # greatest difference elsewhere, as a share of that at the mark
MOST_ELSEWHERE_PATTERN = 0.25  # the same where a pattern is compared: its images may well be of another kind
MOST_AREA = 0.1  # of the picture
MOST_SIDE = SMALL // 2
LEAST_GAP = 0.5  # share of carriers in the group less that in the rest, on images not used to find the mark
MOST_OF_CLASS = 0.95  # a mark that more of the class carry, which others pass for by it, is what the class looks like
SMALLEST = 10  # images of a group, and of what it is compared with
_CHANNELS = 4
_MOST_IMAGES = 6000  # looked at for the search; all images are for the figures


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Images that are treated alike, and as what: a class that is not theirs, or a pattern's members (`NOISE`)."""

    image: Int
    of_class: int
    layer: str = ""
    pattern: int = NOISE


def _group(chosen: NDArray[np.bool_], of_class: int, layer: str = "", pattern: int = NOISE) -> _Group:
    return _Group(np.flatnonzero(chosen).astype(np.int32), of_class, layer, pattern)


@dataclass(frozen=True, slots=True, eq=False)
class _Mark:
    where: NDArray[np.bool_]  # [32, 32]
    weight: Float  # [place × channel] of the discriminant; 0 outside the mark
    middle: float
    light: float  # mean difference of brightness at the mark in [-1, 1]

    def carried(self, planes: Float) -> NDArray[np.bool_]:
        """[image] whether a picture carries the mark."""
        found: NDArray[np.bool_] = planes @ self.weight > self.middle
        return found

    def words(self) -> str:
        """Say what the mark is and where."""
        kind = "light" if self.light > 0.02 else "dark" if self.light < -0.02 else "coloured"
        return f"a small {kind} mark {place_words(self.where)}"


def place_words(where: NDArray[np.bool_]) -> str:
    """Return where a mask lies on a picture: "in the lower right corner", "at the left edge", "in the middle"."""
    rows, columns = np.nonzero(where)
    y, x = (rows.mean() + 0.5) / where.shape[0], (columns.mean() + 0.5) / where.shape[1]
    upright = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    if upright and across:
        return f"in the {upright} {across} corner"
    if upright or across:
        return f"at the {upright or across} edge"
    return "in the middle"


def _planes(small: NDArray[np.uint8]) -> Float:
    """Return [image, place × channel] red, green, blue and edges in [0, 1]."""
    colour = small.astype(np.float32) / np.float32(255)
    edges = gradient(colour.mean(axis=3))
    planes: Float = np.concatenate([colour, edges[..., None]], axis=3).reshape(len(small), -1)
    return planes


def _groups(evidence: Evidence) -> list[_Group]:
    """Return images answered as another class, images among the patterns of another class, and every pattern."""
    found: list[_Group] = []
    target, known = evidence.target, evidence.target != NOISE
    answers = np.unique(evidence.answer[evidence.answer != NOISE])
    found += [_group(evidence.is_wrong & (evidence.answer == number), int(number)) for number in answers]
    for patterns in evidence.patterns:
        if evidence.has_classes and patterns.n_patterns:
            of_pattern = majority(patterns.assigned, target, patterns.n_patterns)
            of_image = np.where(patterns.assigned == NOISE, NOISE, of_pattern[patterns.assigned])
            for number in np.unique(of_pattern[of_pattern != NOISE]):
                strange = (of_image == number) & known & (target != number)
                found.append(_group(strange, int(number), patterns.layer))
        every = range(patterns.n_patterns)
        found += [_group(patterns.label == pattern, NOISE, patterns.layer, pattern) for pattern in every]
    enough = evidence.n_images - SMALLEST
    return [group for group in found if SMALLEST <= len(group.image) <= enough]


def _without_class_means(planes: Float, target: Int) -> Float:
    rest = planes.copy()
    for number in np.unique(target):
        rest[target == number] -= planes[target == number].mean(axis=0)
    return rest


def _effects(planes: Float, inside: NDArray[np.bool_]) -> tuple[Float, Float]:
    """Return [group, place × channel] difference of the means in standard deviations, and in standard errors.

    Parameters
    ----------
    planes
        [image, place × channel] without class means.
    inside
        [group, image] members.
    """
    member = inside.astype(np.float32)
    n_in = np.maximum(member.sum(axis=1, keepdims=True), 1)
    n_out = np.maximum(len(planes) - n_in, 1)
    square = planes * planes
    total, squares = member @ planes, member @ square
    mean_in, mean_out = total / n_in, (planes.sum(axis=0) - total) / n_out
    spread_in = np.maximum(squares / n_in - mean_in**2, 0)
    spread_out = np.maximum((square.sum(axis=0) - squares) / n_out - mean_out**2, 0)
    # The floor is JPEG noise: places that are black in every picture differ by nothing else.
    effect = (mean_in - mean_out) / np.sqrt((spread_in + spread_out) / 2 + 1e-4)
    errors = (mean_in - mean_out) / np.sqrt((spread_in + 1e-4) / n_in + (spread_out + 1e-4) / n_out)
    return effect, errors


def _spot(effect: Float, errors: Float, least_errors: float, of_class: int) -> NDArray[np.bool_] | None:
    """Return [32, 32] the one small place where a group differs, or None where it differs nowhere or in many places.

    In the middle stands the content, so a mark there counts only where images pass for another class by it.
    """
    strength = np.abs(effect).reshape(SMALL, SMALL, _CHANNELS).max(axis=2)
    peak = float(strength.max())
    if peak < LEAST_EFFECT or float(np.abs(errors).max()) < least_errors:
        return None
    where = strength >= peak / 2
    rows, columns = np.nonzero(where)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    if where.mean() > MOST_AREA or max(bottom - top, right - left) >= MOST_SIDE:
        return None
    if of_class == NOISE and place_words(where) == "in the middle":
        return None
    elsewhere = strength.copy()
    elsewhere[max(0, top - 3) : bottom + 4, max(0, left - 3) : right + 4] = 0
    most = MOST_ELSEWHERE_PATTERN if of_class == NOISE else MOST_ELSEWHERE
    return where if float(elsewhere.max()) <= most * peak else None


def _mark(inside: Float, outside: Float, where: NDArray[np.bool_]) -> _Mark:
    """Return the linear discriminant, places taken as independent, of members and others on the places `where`."""
    mean_in, mean_out = inside.mean(axis=0), outside.mean(axis=0)
    spread = (inside.var(axis=0) + outside.var(axis=0)) / 2 + np.float32(1e-4)
    mask = np.repeat(where.ravel(), _CHANNELS)
    weight = np.where(mask, (mean_in - mean_out) / spread, 0).astype(np.float32)
    step = (mean_in - mean_out).reshape(SMALL, SMALL, _CHANNELS)[..., :3]
    return _Mark(where, weight, float(weight @ (mean_in + mean_out) / 2), float(step[where].mean()))


def _confirmed(planes: Float, group: Int, rest: Int, where: NDArray[np.bool_]) -> _Mark | None:
    """Return the mark if what half of the images say of it tells the other half apart."""
    half = _mark(planes[group[::2]], planes[rest[::2]], where)
    gap = half.carried(planes[group[1::2]]).mean() - half.carried(planes[rest[1::2]]).mean()
    return _mark(planes[group], planes[rest], where) if gap >= LEAST_GAP else None


def _finding(evidence: Evidence, group: _Group, rest: Int, mark: _Mark, carried: NDArray[np.bool_]) -> Finding:
    inside, outside = float(carried[group.image].mean()), float(carried[rest].mean())
    image = group.image[carried[group.image]]
    figures = {"n_images": float(len(group.image)), "share": inside, "share_of_rest": outside}
    if group.of_class == NOISE:
        sentence = (
            f"Pattern {group.pattern} of {group.layer} gathers images that share {mark.words()}: {inside:.0%} of its "
            f"{len(group.image)} images carry it, {outside:.0%} of comparable images elsewhere."
        )
        return Finding("cue", sentence, 0.8 * (inside - outside), image, group.layer, group.pattern, figures)
    name = evidence.class_name(group.of_class)
    figures["share_of_class"] = float(carried[evidence.target == group.of_class].mean())
    sentence = (
        f"Images of other classes pass for {name} where they carry {mark.words()}: {inside:.0%} of these "
        f"{len(group.image)} have it, {outside:.0%} of the other images of their classes, and "
        f"{figures['share_of_class']:.0%} of {name}."
    )
    layer, pattern = _where_most(evidence, image, group.of_class)
    return Finding("cue", sentence, 0.9 + 0.1 * (inside - outside), image, layer, pattern, figures)


def _where_most(evidence: Evidence, image: Int, of_class: int) -> tuple[str, int]:
    """Return the pattern, of any layer, mostly of `of_class`, of most of `image`; of equal ones the first."""
    best = ("", NOISE, 0)
    for patterns in evidence.patterns:
        of_pattern = majority(patterns.label, evidence.target, patterns.n_patterns)
        label = patterns.label[image]
        counts = np.bincount(label[label != NOISE], minlength=patterns.n_patterns) * (of_pattern == of_class)
        if counts.max(initial=0) > best[2]:
            best = (patterns.layer, int(counts.argmax()), int(counts.max()))
    return best[0], best[1]


def _first(group: _Group, effect: Float, where: NDArray[np.bool_]) -> tuple[bool, bool, int]:
    """Return what candidates are ordered by: images that pass for another class, then those that have the mark before
    those that lack it (a mark adds edges), then the larger group."""
    edges = effect.reshape(SMALL, SMALL, _CHANNELS)[..., 3][where].mean()
    return group.of_class == NOISE, bool(edges < 0), -len(group.image)


def cues(evidence: Evidence) -> tuple[list[Finding], list[NDArray[np.bool_]]]:
    """Find marks at a fixed place that make images be treated alike.

    Returns
    -------
    findings
        One per mark; where images of other classes carry it, they are the evidence, else a pattern's members.
    carried
        For each finding [image], whether a picture carries the mark.
    """
    groups = _groups(evidence)
    if evidence.properties is None or not groups:
        return [], []
    looked = np.unique(np.linspace(0, evidence.n_images - 1, min(evidence.n_images, _MOST_IMAGES)).astype(int))
    planes, target = _planes(evidence.properties.small[looked]), evidence.target[looked]
    inside = np.array([np.isin(looked, group.image) for group in groups])
    effect, errors = _effects(_without_class_means(planes, target), inside)
    least = NormalDist().inv_cdf(1 - LEVEL / (2 * effect.size))
    spots = [_spot(effect[i], errors[i], least, group.of_class) for i, group in enumerate(groups)]
    found = [(_first(groups[i], effect[i], spot), i, spot) for i, spot in enumerate(spots) if spot is not None]
    chosen = [(groups[i], spot) for _, i, spot in sorted(found, key=lambda one: one[:2])]
    return _distinct(evidence, chosen, looked, planes)


def _distinct(
    evidence: Evidence, candidates: Sequence[tuple[_Group, NDArray[np.bool_]]], looked: Int, planes: Float
) -> tuple[list[Finding], list[NDArray[np.bool_]]]:
    """Return one finding per place: the first confirmed candidate there."""
    findings: list[Finding] = []
    carriers: list[NDArray[np.bool_]] = []
    taken = np.zeros((SMALL, SMALL), np.bool_)
    assert evidence.properties is not None
    small = evidence.properties.small
    for group, where in candidates:
        if (taken & where).any():
            continue
        member = np.isin(looked, group.image)
        same = np.isin(evidence.target[looked], np.unique(evidence.target[group.image]))
        here, rest = (np.flatnonzero(kind).astype(np.int32) for kind in (member, same & ~member))
        mark = _confirmed(planes, here, rest, where) if min(len(here), len(rest)) >= SMALLEST else None
        if mark is None:
            continue
        blocks = range(0, evidence.n_images, 2048)
        carried = np.concatenate([mark.carried(_planes(small[i : i + 2048])) for i in blocks])
        if group.of_class != NOISE and carried[evidence.target == group.of_class].mean() > MOST_OF_CLASS:
            continue
        taken |= where
        others = np.setdiff1d(
            np.flatnonzero(np.isin(evidence.target, np.unique(evidence.target[group.image]))), group.image
        )
        findings.append(_finding(evidence, group, others, mark, carried))
        carriers.append(carried)
    return findings, carriers
