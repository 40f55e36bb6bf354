"""Likely mislabelled images: what all layers together hold of them speaks for another class.

Every image is judged by a linear reading of all layers that was fitted without it. A ridge regression on the classes
gives these held-out answers for all images at once, in closed form, and reads a class through a shortcut that would
mislead its nearest neighbours. As an image's answers do not depend on its own label, they also say how far another
class would lead if the label were wrong: the measure of a lead is what wrong labels would show in this very data set.
How many labels are wrong follows from the images with leads so large that rightly labelled ones hardly reach them.

References
----------
Northcutt, Jiang, Chuang: Confident learning: estimating uncertainty in dataset labels. JAIR 70 (2021).
Allen: The relationship between variable selection and data augmentation and a method for prediction (PRESS).
Technometrics 16 (1974).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nap_core.findings.records import Evidence, Finding, majority
from nap_core.types import NOISE, Float, Int, frozen_array

_RECALL = np.linspace(0.95, 0.3, 27)  # shares of wrong labels to be found, each with the lead that finds so many
_SURE = _RECALL <= 0.6  # where rightly labelled images hardly reach
_PRECISION = 0.75  # expected, with two standard errors of doubt on the side of finding more
_ODD = 0.003  # share of odd but rightly labelled images in any data set; where no more are, only plain mistakes count
_MOST = 0.3  # share of wrong labels beyond which the layers simply do not hold the classes
_CERTAIN = 0.8  # expected share of the suspects from which the doubt is not told
_AGREED = 0.35  # further lead, in typical ones of wrong labels, that is needed where the model gives the class itself

_SMALLEST = 5  # images of a class; what smaller ones hold cannot be learnt
_MOST_COLUMNS = 1024
_STRENGTHS = 10.0 ** np.arange(-4, 1.1)

Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Suspects:
    """Images whose class is doubtful, the most doubtful first."""

    image: Int  # [suspect]
    other: Int  # [suspect] the class that all layers together speak for
    margin: Float  # [suspect] its lead over the class given, 1 for a typical wrong label
    n_layers: Int  # [suspect] layers in which the image lies among patterns of that class
    expected: float  # how many wrong labels there are in all, as estimated

    def __post_init__(self) -> None:
        for name, dtype in (("image", np.int32), ("other", np.int32), ("margin", np.float32), ("n_layers", np.int32)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype))
        assert len(self.image) == len(self.other) == len(self.margin) == len(self.n_layers)


def _columns(values: Float, most: int) -> Table:
    """Return the features of a layer as at most `most` columns: standardised, then turned to their main directions."""
    table = np.asarray(values, np.float64)
    table = table - table.mean(axis=0)
    spread = table.std(axis=0)
    varied = spread > 1e-6 * max(float(spread.max(initial=0)), 1e-12)
    scaled: Table = table[:, varied] / spread[varied]
    if scaled.shape[1] <= most:
        return scaled
    _, directions = np.linalg.eigh(scaled.T @ scaled)
    turned: Table = scaled @ directions[:, -most:]
    return turned


def held_out_votes(columns: Table, target: Int, n_classes: int) -> Table:
    """Return [image, class] how far a ridge regression fitted without the image speaks for each class, about 0 to 1.

    The strength of the ridge is the one of least held-out error.

    Parameters
    ----------
    columns
        [image, column]
    target
        [image] classes from 0 on; every image has one.
    """
    n = len(columns)
    share = np.bincount(target, minlength=n_classes) / n
    wanted = np.eye(n_classes)[target] - share
    left, singular, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    along, best = left.T @ wanted, (np.inf, wanted)
    for strength in _STRENGTHS:
        kept = singular**2 / (singular**2 + strength * n)
        leverage = np.minimum((left * kept * left).sum(axis=1) + 1 / n, 1 - 1e-9)[:, None]
        votes = ((left * kept) @ along - leverage * wanted) / (1 - leverage)
        error = float(((votes - wanted) ** 2).mean())
        if error < best[0]:
            best = (error, votes)
    return best[1] + share


def _standardised(votes: Table, number: Int) -> Table:
    """Return the votes of each class in standard deviations above its mean vote for images of other classes."""
    own = np.eye(votes.shape[1], dtype=np.bool_)[number]
    others = np.where(own, np.nan, votes)
    standardised: Table = (votes - np.nanmean(others, axis=0)) / np.maximum(np.nanstd(others, axis=0), 1e-9)
    return standardised


def _leads(votes: Table, number: Int) -> tuple[Table, Table]:
    """Return the lead of the best other class over the one given, and every lead if the label were another one.

    Returns
    -------
    lead
        [image]
    if_wrong
        [image × other class]
    """
    two = np.partition(votes, -2, axis=1)[:, -2:]
    is_best = votes == two[:, 1:]
    lead = np.where(is_best, two[:, :1], two[:, 1:]) - votes
    own = np.eye(votes.shape[1], dtype=np.bool_)[number]
    return lead[own], lead[~own]


def _least_lead(lead: Table, if_wrong: Table) -> tuple[float, float]:
    """Return from which lead on an image is suspect, and how many wrong labels are expected in all.

    References
    ----------
    Storey: A direct approach to false discovery rates. J. R. Stat. Soc. B 64 (2002), for the estimate.
    """
    needed = np.quantile(if_wrong, 1 - _RECALL)
    count = np.array([(lead > least).sum() for least in needed])
    expected = float(np.median(count[_SURE] / _RECALL[_SURE]))
    if expected > _MOST * len(lead):
        return float("inf"), 0.0
    if expected < max(2, _ODD * len(lead)):
        return float(np.median(if_wrong)), expected
    precision = (expected + 2 * np.sqrt(expected)) * _RECALL / np.maximum(count, 1)
    fine = np.flatnonzero(precision >= _PRECISION)
    return float(needed[fine[0] if len(fine) else -1]), expected


def suspects(evidence: Evidence) -> Suspects:
    """Return the images whose class is doubtful; none where fewer than two classes are known."""
    counts = np.bincount(evidence.target[evidence.target != NOISE], minlength=1)
    judged = np.flatnonzero((evidence.target != NOISE) & (counts[evidence.target] >= _SMALLEST))
    classes, inverse = np.unique(evidence.target[judged], return_inverse=True)
    number: Int = inverse.astype(np.int32)
    if len(classes) < 2 or not evidence.values:
        nobody = np.zeros(0, np.int32)
        return Suspects(nobody, nobody, nobody.astype(np.float32), nobody, 0.0)
    most = max(32, _MOST_COLUMNS // len(evidence.values))
    columns = np.concatenate([_columns(values[judged], most) for values in evidence.values], axis=1)
    votes = _standardised(held_out_votes(columns, number, len(classes)), number)
    lead, if_wrong = _leads(votes, number)
    typical = float(np.median(if_wrong))
    lead = lead - np.where(evidence.answer[judged] == evidence.target[judged], _AGREED * typical, 0.0)
    least, expected = _least_lead(lead, if_wrong)
    found = np.flatnonzero(lead > least)
    found = found[np.argsort(-lead[found], kind="stable")]
    votes[np.arange(len(judged)), number] = -np.inf
    image, speaks_for = judged[found].astype(np.int32), classes[votes[found].argmax(axis=1)].astype(np.int32)
    margin = (lead[found] / typical).astype(np.float32)
    return Suspects(image, speaks_for, margin, _n_layers_among(evidence, image, speaks_for), expected)


def _n_layers_among(evidence: Evidence, image: Int, number: Int) -> Int:
    """Return for every image in how many layers its pattern is mostly of class `number`."""
    count = np.zeros(len(image), np.int32)
    for patterns in evidence.patterns:
        of_pattern = np.append(majority(patterns.assigned, evidence.target, patterns.n_patterns), NOISE)
        count += of_pattern[patterns.assigned[image]] == number
    return count


def mislabels(evidence: Evidence) -> list[Finding]:
    """Return one finding with all likely mislabelled images, or none."""
    found = suspects(evidence)
    n = len(found.image)
    if not n:
        return []
    given = [evidence.class_name(int(evidence.target[i])) for i in found.image]
    likely = [evidence.class_name(int(number)) for number in found.other]
    notes = tuple(f"labelled {a}, like {b}" for a, b in zip(given, likely, strict=True))
    known = int((evidence.target != NOISE).sum())
    (most, n_most), *_ = Counter(notes).most_common(1)
    travel = int(np.median(found.n_layers))
    begin = f"{n:,} of {known:,} images look mislabelled"
    begin += f", by estimate at most {found.expected:.0f} of them rightly so" if found.expected < _CERTAIN * n else ""
    begin += f"; most often {most} ({n_most})" if n_most > 1 else ""
    it, lies = "the image itself", "such an image lies"
    if n == 1:
        begin, it, lies = f"One image looks mislabelled: it is {most}", "it", "it lies"
    sentence = f"{begin}. All layers together, read without {it}, speak for the other class"
    if travel:
        sentence += f"; in {travel} of {len(evidence.patterns)} layers {lies} among the patterns of that class"
    figures = {"n_images": float(n), "share": n / known, "median_margin": float(np.median(found.margin))}
    figures["n_expected"] = found.expected
    return [
        Finding(
            "mislabelled",
            f"{sentence}.",
            min(0.88, 0.7 + 0.18 * figures["median_margin"]),
            found.image,
            figures=figures,
            note=notes,
        )
    ]
