"""Why an image is in no pattern: between which patterns it lies, and how far from any.

Told in the space that was clustered, where "near" is what the clustering took it to be. The ten nearest members vote,
as for the pattern an image is assigned to; the distance to the fifth nearest member is compared with the distance from
members of the nearest pattern to the fifth nearest of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import nearest, nearest_among
from nap_core.patterns.assign import N_NEAREST, votes
from nap_core.types import NOISE, Float, Int, frozen_array

N_AROUND = 5
"""Members within the distance that is compared: the nearest alone says little where some images are nearly equal."""

FAR = 3.0
"""Times the usual distance from which an image is far from any pattern."""

CLEAR = 0.8
"""Share of the votes from which one pattern alone is near."""

KINDS = ("between two patterns", "at the edge of one pattern", "far from any pattern")


@dataclass(frozen=True, slots=True, eq=False)
class Unplaced:
    """The images of no pattern, each with what is near it; [noise image] throughout."""

    image: Int  # ascending
    first: Int  # the pattern with most votes, or NOISE where there is no pattern
    second: Int  # the pattern with most of the other votes, or NOISE
    share: Float  # of the votes that `first` has, in [0, 1]
    distance: Float  # to members, in usual distances of the nearest pattern: about 1 as near as a member

    def __post_init__(self) -> None:
        for name in ("image", "first", "second"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32))
        for name in ("share", "distance"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        assert {len(getattr(self, name)) for name in self.__slots__} == {len(self.image)}

    @property
    def kind(self) -> Int:
        """[noise image] index into `KINDS`."""
        near: Int = np.where((self.share < CLEAR) & (self.second != NOISE), 0, 1).astype(np.int32)
        return np.where((self.distance >= FAR) | (self.first == NOISE), 2, near).astype(np.int32)


def place_words(found: Unplaced, at: int) -> str:
    """Return between which patterns one image of no pattern lies, and how far from them, as a sentence."""
    kind, distance = KINDS[found.kind[at]], float(found.distance[at])
    first, second = int(found.first[at]), int(found.second[at])
    if first == NOISE:
        return "There is no pattern that it could lie near to."
    far = f"{distance:.1f} times as far from members as these from each other"
    if kind == KINDS[0]:
        return f"Between patterns {first} and {second}, {far}."
    if kind == KINDS[1]:
        return f"At the edge of pattern {first}, {far}."
    return f"Far from any pattern: {far}; nearest is pattern {first}."


def _usual(values: NDArray[Any], label: NDArray[Any], metric: str) -> NDArray[np.float64]:
    """Return [pattern] the median distance of a member to the fifth nearest other member."""
    members = (values[label == pattern] for pattern in range(int(label.max(initial=NOISE)) + 1))
    return np.array(
        [np.median(nearest(rows, N_AROUND, metric)[1][:, -1]) if len(rows) > 1 else 0.0 for rows in members]
    )


def unplaced(values: NDArray[Any], label: NDArray[Any], metric: str = "euclidean") -> Unplaced:
    """Look at every image of no pattern.

    Parameters
    ----------
    values
        [image, feature] where the images lie when they are clustered.
    label
        [image] pattern, or `NOISE`.
    """
    noise, member = np.flatnonzero(label == NOISE), np.flatnonzero(label != NOISE)
    n = len(noise)
    if not n or not len(member):
        nothing = np.full(n, NOISE, np.int32)
        return Unplaced(noise.astype(np.int32), nothing, nothing, np.zeros(n, np.float32), np.full(n, np.inf))
    near, distance = nearest_among(values, noise, member, N_NEAREST, metric)
    first, share = votes(label[near], distance)
    other = label[near] != first[:, None]
    # The nearest of the others speaks for them: votes among few of them would be a toss.
    second = np.where(other.any(axis=1), label[near][np.arange(n), other.argmax(axis=1)], NOISE)
    usual = _usual(values, label, metric)[label[near[:, 0]]]
    around = distance[:, min(N_AROUND, distance.shape[1]) - 1]
    ratio = np.divide(around, usual, out=np.full(n, np.inf), where=usual > 0)
    return Unplaced(noise.astype(np.int32), first, second.astype(np.int32), share, ratio.astype(np.float32))
