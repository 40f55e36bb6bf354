"""Whether a synthetic image can be believed: what the network says of it, beside what it says of real members.

Reaching a place in activation space is easy with pictures that look like nothing, and a network can be manipulated so
that its synthetic images show something else than its units do. So every synthetic image is asked: is it where it was
to go? Is it like any real input, to the layer and as a picture? Does the network see the class in it that it sees in
the members? Do other seeds end in like images? Images that are one and the same picture from every start, and not like
real members, are suspicious.

References
----------
Borowski et al.: Exemplary natural images explain CNN activations better than state-of-the-art feature visualization.
ICLR 2021. Bareeva et al.: Manipulating feature visualizations with gradient slingshots. arXiv 2401.06122 (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.pooling import pooled
from nap_core.explain.canvas import Canvas
from nap_core.explain.reading import reading
from nap_core.explain.reference import Reference, likeness, rows_of, usual_distance
from nap_core.explain.space import PatternSpace, distances
from nap_core.types import NOISE, Activations, Float, Int, Predictions, frozen_array

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

UNLIKE = 1.5
"""Distance to the nearest real input, over the usual one, from which an image is unlike any input."""
SELF_AGREEMENT = 0.9
"""Likeness of images from different seeds from which they are the same picture.

What a layer asks for leaves much of a picture open, and honest images from different starts differ in it: over the
patterns of two demos and two other networks nineteen in twenty stay below .87 to .96, whether or not they look like a
member. A picture that somebody put there is asked for as a whole: seeds come within a few hundredths of it.
"""
N_EXEMPLARS = 9
"""Real images that stand for a unit; a fiftieth of all images where that is more."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What a synthetic image is for, and the real images that show it."""

    text: str
    member: NDArray[Any]  # [member] real images
    centroid: Float  # [feature] in the pattern's space
    radius: float  # median distance of the members to it
    pattern: int = NOISE
    unit: int = NOISE
    logit: int = NOISE
    level: float = 0.0  # of a unit: the least activation of its exemplars

    def __post_init__(self) -> None:
        object.__setattr__(self, "member", frozen_array(self.member, np.int32))
        object.__setattr__(self, "centroid", frozen_array(self.centroid, np.float32))


def pattern_target(space: PatternSpace, pattern: int) -> Target:
    """Return the target that a pattern is."""
    member = space.members(pattern)
    text = f"pattern {pattern} of {space.layer.name}"
    return Target(text, member, space.centroid[pattern], float(space.radius[pattern]), pattern=pattern)


def unit_target(space: PatternSpace, activations: Activations, unit: int) -> Target:
    """Return the target that a unit is; its exemplars are the images that it answers most to."""
    level = _unit_level(activations.values, activations.unit, unit)
    member = np.argsort(-level, kind="stable")[: max(N_EXEMPLARS, len(level) // 50)]
    centroid, radius = _middle(space, member)
    text = f"unit {unit} of {space.layer.name}"
    return Target(text, member, centroid, radius, unit=unit, level=float(level[member].min()))


def logit_target(space: PatternSpace, predictions: Predictions, number: int) -> Target:
    """Return the target that a class of the network is; its exemplars are those it is surest of."""
    image = np.flatnonzero(predictions.prediction == number)
    order = np.argsort(-predictions.confidence[image], kind="stable")
    member = image[order][: max(N_EXEMPLARS, len(space.values) // 50)]
    centroid, radius = _middle(space, member)
    return Target(f"logit {number}", member, centroid, radius, logit=number)


def _unit_level(values: NDArray[Any], unit_of: Int, unit: int) -> NDArray[np.float64]:
    """[image] the first number of a unit, or the largest where pooling kept all places."""
    column = np.flatnonzero(unit_of == unit)
    places = np.asarray(values[:, column if len(column) > 2 else column[:1]], np.float64)
    largest: NDArray[np.float64] = places.max(axis=1)
    return largest


def _middle(space: PatternSpace, member: NDArray[Any]) -> tuple[Float, float]:
    if not len(member):
        return np.array(space.mean), 1.0
    centroid = space.values[member].mean(axis=0)
    radius = float(np.median(distances(space.values[member], centroid[None])))
    return centroid, max(radius, 1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """What speaks for and against synthetic images, one per seed, of one target."""

    text: str  # the target's
    reached: NDArray[np.bool_]  # [image] nearest to the pattern; or the unit's, the logit's level
    radius: NDArray[Any]  # [image] distance to the centroid over the members' median distance
    cosine: NDArray[Any]  # [image] with the direction from the mean of all images to the centroid
    nn_ratio: NDArray[Any]  # [image] distance to the nearest real input over the usual one, in the layer
    picture_ratio: NDArray[Any]  # [image] the same as pictures, to the members and among them
    prediction: NDArray[Any]  # [image] the network's class, or NOISE
    likeness: NDArray[Any]  # [image] with the member most like it, as pictures, in [-1, 1]
    self_agreement: float  # mean likeness of the images of different seeds, in [-1, 1]; NaN for one image
    member_reached: float  # share of the members that are themselves nearest to the pattern
    member_cosine: float
    member_class: int  # the members' commonest predicted class, or NOISE
    member_class_share: float  # of the members that have it
    member_likeness: float  # median of the members' with the other member most like them
    other_likeness: float  # median of the other real images' with the member most like them

    def __post_init__(self) -> None:
        for name, dtype in (("reached", np.bool_), ("prediction", np.int32)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype))
        for name in ("radius", "cosine", "nn_ratio", "picture_ratio", "likeness"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))

    @property
    def is_suspicious(self) -> bool:
        """Whether the images of all seeds are one picture, and that is not like real members.

        The second is so where their likeness to a member is nearer to that of any other image than to the members'. A
        likeness of 0 is that of pictures that have nothing to do with each other, so less does not lower the bar.
        """
        halfway = (self.member_likeness + max(self.other_likeness, 0.0)) / 2
        return bool(self.self_agreement >= SELF_AGREEMENT and np.median(self.likeness) < halfway)

    @property
    def light(self) -> tuple[str, ...]:
        """[image] ``green``: reached and like real inputs; ``amber``: reached and unlike; ``red``: not reached.

        An image is unlike real inputs where the layer has none near it, or where, as a picture, it is no more like a
        member than images that are none.
        """
        unlike = (self.nn_ratio > UNLIKE) | (self.likeness <= self.other_likeness)
        return tuple(
            "red" if not reached else "amber" if far or self.is_suspicious else "green"
            for reached, far in zip(self.reached, unlike, strict=True)
        )

    @property
    def has_class(self) -> NDArray[np.bool_]:
        """[image] whether the network sees the members' commonest class in it."""
        found: NDArray[np.bool_] = np.atleast_1d((self.prediction == self.member_class) & (self.member_class != NOISE))
        return found


def check(
    network: Network,
    canvas: Canvas,
    space: PatternSpace,
    target: Target,
    picture: NDArray[np.floating],
    reference: Reference,
    predictions: Predictions | None,
    unit_of: Int | None = None,
) -> Check:
    """Check synthetic images of one target.

    Parameters
    ----------
    picture
        [image, channel, …] in [0, 1].
    reference
        The study's own pictures; without rows nothing is said of likeness as pictures.
    predictions
        The network's answers to the study's images.
    unit_of
        [feature] as in `Activations`; needed for a unit.
    """
    import torch

    with reading(network, [space.layer.name], canvas) as read, torch.no_grad():
        seen = read(torch.from_numpy(np.array(picture, np.float32)))
        raw = pooled(seen.raw[space.layer.name], space.layer.kind, space.pooling)
        values = space.of(seen.raw[space.layer.name]).cpu().numpy()
    is_classes = seen.output is not None and seen.output.ndim == 2 and seen.output.shape[1] > 1
    prediction = seen.output.argmax(1).cpu().numpy() if is_classes and seen.output is not None else None
    return _checked(space, target, picture, values, raw.cpu().numpy(), prediction, reference, predictions, unit_of)


def _checked(
    space: PatternSpace,
    target: Target,
    picture: NDArray[np.floating],
    values: Float,
    raw: Float,
    prediction: NDArray[Any] | None,
    reference: Reference,
    predictions: Predictions | None,
    unit_of: Int | None,
) -> Check:
    member_class, share = _commonest(predictions, target)
    pictures = _as_pictures(picture, target, reference)
    answer = np.full(len(values), NOISE) if prediction is None else prediction
    usual = usual_distance(space.values)
    return Check(
        text=target.text,
        reached=_reached(space, target, values, raw, answer, unit_of),
        radius=distances(values, target.centroid[None])[:, 0] / target.radius,
        cosine=_cosines(space, target, values),
        nn_ratio=distances(values, space.values).min(axis=1) / (usual if usual > 0 else 1.0),
        prediction=answer,
        member_reached=float((space.nearest(space.values[target.member]) == target.pattern).mean())
        if target.pattern != NOISE
        else 1.0,
        member_cosine=float(_cosines(space, target, space.values[target.member]).mean()),
        member_class=member_class,
        member_class_share=share,
        **pictures,
    )


def _reached(
    space: PatternSpace, target: Target, values: Float, raw: Float, answer: NDArray[Any], unit_of: Int | None
) -> NDArray[np.bool_]:
    if target.pattern != NOISE:
        return np.atleast_1d(space.nearest(values) == target.pattern)
    if target.unit != NOISE:
        assert unit_of is not None
        return np.atleast_1d(_unit_level(raw, unit_of, target.unit) >= target.level)
    return np.atleast_1d(answer == target.logit)


def _cosines(space: PatternSpace, target: Target, values: NDArray[Any]) -> NDArray[np.float64]:
    way, step = target.centroid - space.mean, np.asarray(values, np.float64) - space.mean
    found: NDArray[np.float64] = step @ way / np.maximum(np.linalg.norm(step, axis=1) * np.linalg.norm(way), 1e-12)
    return found


def _commonest(predictions: Predictions | None, target: Target) -> tuple[int, float]:
    if predictions is None or not len(target.member):
        return NOISE, float("nan")
    seen = predictions.prediction[target.member]
    seen = seen[seen != NOISE]
    if not len(seen):
        return NOISE, float("nan")
    count = np.bincount(seen)
    return int(count.argmax()), float(count.max() / count.sum())


def _as_pictures(picture: NDArray[np.floating], target: Target, reference: Reference) -> dict[str, Any]:
    """Return the fields of `Check` that speak of pictures; NaN where there are none to compare with."""
    rows, member = rows_of(picture), target.member
    if not len(reference.picture) or len(member) < 2:
        nothing = np.full(len(rows), np.nan)
        names = ("self_agreement", "member_likeness", "other_likeness")
        return {"picture_ratio": nothing, "likeness": nothing} | dict.fromkeys(names, float("nan"))
    mean, there = reference.mean, reference.rows(member)
    usual = usual_distance(there)
    among = likeness(there, there, mean)
    np.fill_diagonal(among, -1)
    other = np.setdiff1d(np.arange(len(reference.picture)), member)
    other = other[np.linspace(0, len(other) - 1, min(300, len(other))).astype(int)]
    others = likeness(reference.rows(other), there, mean).max(axis=1) if len(other) else np.zeros(1)
    return {
        "picture_ratio": distances(rows, there).min(axis=1) / (usual if usual > 0 else 1.0),
        "likeness": likeness(rows, there, mean).max(axis=1),
        "self_agreement": _mean_pair(likeness(rows, rows, mean)),
        "member_likeness": float(np.median(among.max(axis=1))),
        "other_likeness": float(np.median(others)),
    }


def _mean_pair(table: NDArray[np.float64]) -> float:
    n = len(table)
    return float((table.sum() - np.trace(table)) / (n * (n - 1))) if n > 1 else float("nan")


def compared(pictures: dict[str, NDArray[np.floating]], reference: Reference) -> NDArray[np.float64]:
    """Return [set, set] the mean likeness of synthetic images made in several ways, of themselves on the diagonal.

    Parameters
    ----------
    pictures
        Name of the way → [image, channel, …].
    """
    rows, mean = {name: rows_of(picture) for name, picture in pictures.items()}, reference.mean
    table = np.empty((len(rows), len(rows)))
    for i, a in enumerate(rows.values()):
        for j, b in enumerate(rows.values()):
            alike = likeness(a, b, mean)
            table[i, j] = _mean_pair(alike) if i == j else float(alike.mean())
    return table
