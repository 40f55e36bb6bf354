"""Likely mislabelled images: what all layers and the network hold of them speaks for another class.

Every image is judged by readings that were made without its label, and each label gets a probability of being wrong.
The most doubtful are told, as long as most of those told are wrong by these probabilities: where wrong labels look like
hard images, few are told, or none. A network that was trained on the wrong labels and has learnt
them by heart holds them for right. Where the classes cannot be read from any layer, this is told instead.

References
----------
Northcutt, Jiang, Chuang: Confident learning: estimating uncertainty in dataset labels. JAIR 70 (2021).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nap_core.findings.doubt import Doubt, most_doubtful, weigh
from nap_core.findings.readings import readings
from nap_core.findings.records import Evidence, Finding, majority
from nap_core.types import NOISE, Float, Int, frozen_array

_MEAN_DOUBT = 0.8  # of the images told
_LEAST_DOUBT = 0.2  # of every image told, however sure the others are
_SMALLEST = 5  # images of a class; what smaller ones hold cannot be learnt
_FEWEST = 100  # images from which on "the classes follow no layer" is told
_LEVEL = 0.01  # chance that as many are read rightly by luck


@dataclass(frozen=True, slots=True, eq=False)
class Suspects:
    """Images whose class is doubtful, the most doubtful first."""

    image: Int  # [suspect]
    other: Int  # [suspect] the likeliest other class
    doubt: Float  # [suspect] probability that the class given is wrong
    n_layers: Int  # [suspect] layers in which the image lies among patterns of that other class

    def __post_init__(self) -> None:
        for name, dtype in (("image", np.int32), ("other", np.int32), ("doubt", np.float32), ("n_layers", np.int32)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype))
        assert len(self.image) == len(self.other) == len(self.doubt) == len(self.n_layers)

    @property
    def expected(self) -> float:
        """How many of them are expected to be wrong."""
        return float(self.doubt.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """What is held of the labels of those images whose classes are large enough."""

    image: Int  # [judged]
    number: Int  # [judged] position of its class in `classes`
    classes: Int  # [class]
    held: Doubt


def _judged(evidence: Evidence) -> _Judged | None:
    """Return what is held of the labels; None where fewer than two classes are known."""
    counts = np.bincount(evidence.target[evidence.target != NOISE], minlength=1)
    image = np.flatnonzero((evidence.target != NOISE) & (counts[evidence.target] >= _SMALLEST)).astype(np.int32)
    classes, inverse = np.unique(evidence.target[image], return_inverse=True)
    if len(classes) < 2 or not evidence.values:
        return None
    number: Int = inverse.astype(np.int32)
    return _Judged(image, number, classes, weigh(readings(evidence, image, number, classes), number))


def _suspects(evidence: Evidence, judged: _Judged) -> Suspects:
    found = most_doubtful(judged.held.doubt, _MEAN_DOUBT, _LEAST_DOUBT)
    likely = judged.held.likely[found]
    likely[np.arange(len(found)), judged.number[found]] = -1
    image, other = judged.image[found], judged.classes[likely.argmax(axis=1)].astype(np.int32)
    return Suspects(image, other, judged.held.doubt[found].astype(np.float32), _n_layers_among(evidence, image, other))


def suspects(evidence: Evidence) -> Suspects:
    """Return the images whose class is doubtful; none where fewer than two classes are known."""
    judged = _judged(evidence)
    if judged is not None and not _is_unread(judged):
        return _suspects(evidence, judged)
    nobody = np.zeros(0, np.int32)
    return Suspects(nobody, nobody, nobody.astype(np.float32), nobody)


def _is_unread(judged: _Judged) -> bool:
    """Whether no more labels are read rightly than by always saying the commonest class, and luck."""
    from scipy.stats import binom

    n, chance = len(judged.number), np.bincount(judged.number).max() / len(judged.number)
    n_right = int((judged.held.likely.argmax(axis=1) == judged.number).sum())
    return bool(binom.sf(n_right - 1, n, chance) > _LEVEL)


def _n_layers_among(evidence: Evidence, image: Int, number: Int) -> Int:
    """Return for every image in how many layers its pattern is mostly of class `number`."""
    count = np.zeros(len(image), np.int32)
    for patterns in evidence.patterns:
        of_pattern = np.append(majority(patterns.assigned, evidence.target, patterns.n_patterns), NOISE)
        count += of_pattern[patterns.assigned[image]] == number
    return count


def _unread(evidence: Evidence, judged: _Judged) -> Finding:
    n, chance = len(judged.number), float(np.bincount(judged.number).max() / len(judged.number))
    right = float((judged.held.likely.argmax(axis=1) == judged.number).mean())
    sentence = (
        f"The classes of the data set follow no layer: read from all layers together, {right:.0%} of {n:,} images are "
        f"put into the class given, and {chance:.0%} would be by always saying the commonest. Which labels are wrong "
        "cannot be told."
    )
    none, last = np.zeros(0, np.int32), evidence.patterns[-1].layer
    return Finding("unread", sentence, 0.6, none, last, figures={"right": right, "chance": chance})


def mislabels(evidence: Evidence) -> list[Finding]:
    """Return one finding with all likely mislabelled images, or that the classes follow no layer, or none."""
    judged = _judged(evidence)
    if judged is None:
        return []
    if _is_unread(judged):
        return [_unread(evidence, judged)] if len(judged.image) >= _FEWEST else []
    found = _suspects(evidence, judged)
    return [_finding(evidence, found)] if len(found.image) else []


def _finding(evidence: Evidence, found: Suspects) -> Finding:
    n, known = len(found.image), int((evidence.target != NOISE).sum())
    given = [evidence.class_name(int(evidence.target[i])) for i in found.image]
    likely = [evidence.class_name(int(number)) for number in found.other]
    pairs = [f"labelled {a}, like {b}" for a, b in zip(given, likely, strict=True)]
    notes = tuple(f"{pair} ({doubt:.0%})" for pair, doubt in zip(pairs, found.doubt, strict=True))
    (most, n_most), *_ = Counter(pairs).most_common(1)
    travel, n_layers = int(np.median(found.n_layers)), len(evidence.patterns)
    about = max(1, round(found.expected))
    begin = f"{n:,} of {known:,} images look mislabelled; about {about:,} of these {n:,} labels are expected to be"
    begin += f" wrong, most often {most} ({n_most})" if n_most > 1 else " wrong"
    it, lies = "the image's own label", "such an image lies"
    if n == 1:
        begin = f"One image looks mislabelled: it is {most}, and its label is wrong with {found.expected:.0%} chance"
        it, lies = "its label", "it lies"
    sentence = f"{begin}. All layers together, read without {it}, speak for the other class"
    sentence += f"; in {travel} of {n_layers} layers {lies} among the patterns of that class" if travel else ""
    figures = {"n_images": float(n), "share": n / known, "n_expected": found.expected}
    score = 0.7 + 0.18 * found.expected / n
    return Finding("mislabelled", f"{sentence}.", score, found.image, figures=figures, note=notes)
