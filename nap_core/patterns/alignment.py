"""Two groupings of the same images laid beside each other: which patterns are the same, which images moved.

Patterns are paired one to one so that the summed Jaccard index of the pairs is as large as it can be; where two
groupings differ in number, some patterns stay without a partner. Noise is no pattern: it is never paired, it does not
enter a Jaccard index as a group, and an image that is noise on both sides neither stays nor moves. Agreement as a whole
(AMI, ARI) takes the noise of each side as one group, so that nothing is left out silently.

References
----------
Kuhn: The Hungarian method for the assignment problem. Naval Research Logistics Quarterly 2 (1955).
Hubert, Arabie: Comparing partitions. Journal of Classification 2 (1985).
Vinh, Epps, Bailey: Information theoretic measures for clusterings comparison. JMLR 11 (2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import InputError, listed
from nap_core.patterns.agreement import adjusted_mutual_information
from nap_core.types import NOISE, Float, Int, frozen_array

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Two groupings of the same images, their patterns paired one to one.

    An image *stayed* if its two patterns are a pair, and *moved* if it is in a pattern on some side and did not stay.
    """

    left_label: Int  # [image] pattern on the left, or NOISE
    right_label: Int  # [image] pattern on the right, or NOISE
    jaccard: Float  # [left pattern, right pattern] shared images over images in either, in [0, 1]
    pair: Int  # [pair, 2] left and right pattern, in the order of the left ones
    ami: float  # adjusted mutual information, at most 1
    ari: float  # adjusted Rand index, at most 1

    def __post_init__(self) -> None:
        for name, dtype, ndim in (
            ("left_label", np.int32, 1),
            ("right_label", np.int32, 1),
            ("jaccard", np.float32, 2),
            ("pair", np.int32, 2),
        ):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype, ndim))
        assert len(self.left_label) == len(self.right_label)
        assert self.pair.shape[1] == 2

    @property
    def n_images(self) -> int:
        """Number of images that both sides have."""
        return len(self.left_label)

    @property
    def left_partner(self) -> Int:
        """[left pattern] its partner on the right, or NOISE."""
        return _partners(self.pair[:, 0], self.pair[:, 1], self.jaccard.shape[0])

    @property
    def right_partner(self) -> Int:
        """[right pattern] its partner on the left, or NOISE."""
        return _partners(self.pair[:, 1], self.pair[:, 0], self.jaccard.shape[1])

    @property
    def left_alone(self) -> Int:
        """Left patterns without a partner."""
        return np.flatnonzero(self.left_partner == NOISE).astype(np.int32)

    @property
    def right_alone(self) -> Int:
        """Right patterns without a partner."""
        return np.flatnonzero(self.right_partner == NOISE).astype(np.int32)

    @property
    def stayed(self) -> Mask:
        """[image] True where the two patterns of an image are a pair."""
        partner = np.append(self.left_partner, NOISE)[self.left_label]  # noise reads the entry added last
        return np.asarray((partner == self.right_label) & (partner != NOISE))

    @property
    def in_neither(self) -> Mask:
        """[image] True where an image is noise on both sides."""
        return np.asarray((self.left_label == NOISE) & (self.right_label == NOISE))

    @property
    def moved(self) -> Mask:
        """[image] True where an image is in a pattern on some side and did not stay."""
        return ~self.stayed & ~self.in_neither

    @property
    def moved_together(self) -> Mask:
        """[image] True where an image moved with most of a pattern that has no partner: one that was joined to another
        pattern on the right, or was a part of another one on the left."""
        joined = _main_part(self.left_label, self.right_label, self.left_partner)
        parted = _main_part(self.right_label, self.left_label, self.right_partner)
        return self.moved & (joined | parted)

    def members(self, left: int, right: int) -> tuple[Int, Int, Int]:
        """Return the images that stayed, left and came, for a pair; `NOISE` stands for a partner that is missing."""
        before = (self.left_label == left) & (left != NOISE)
        after = (self.right_label == right) & (right != NOISE)
        masks = (before & after, before & ~after, after & ~before)
        stayed, gone, came = (np.flatnonzero(mask).astype(np.int32) for mask in masks)
        return stayed, gone, came


def _partners(own: Int, other: Int, n: int) -> Int:
    partner = np.full(n, NOISE, np.int32)
    partner[own] = other
    return partner


def _main_part(own: Int, other: Int, partner: Int) -> Mask:
    """[image] True where an unpaired pattern of `own` has more than half of its images in one pattern of `other`, and
    the image is among them."""
    main = np.full(len(partner) + 1, NOISE, np.int32)
    for pattern in np.flatnonzero(partner == NOISE):
        inside = other[own == pattern]
        numbers, counts = np.unique(inside[inside != NOISE], return_counts=True)
        if counts.max(initial=0) > len(inside) / 2:
            main[pattern] = numbers[counts.argmax()]
    return np.asarray((main[own] == other) & (other != NOISE))


def jaccard_table(left: Int, right: Int, n_left: int, n_right: int) -> Float:
    """Return [left pattern, right pattern] shared images over images in either, in [0, 1]; noise belongs to none."""
    shared = np.zeros((n_left + 1, n_right + 1))
    np.add.at(shared, (left, right), 1)
    either = shared.sum(axis=1)[:n_left, None] + shared.sum(axis=0)[None, :n_right] - shared[:n_left, :n_right]
    table = np.zeros((n_left, n_right), np.float32)
    np.divide(shared[:n_left, :n_right], either, out=table, where=either > 0, casting="same_kind")
    return table


def align(left: NDArray[Any], right: NDArray[Any], n_left: int | None = None, n_right: int | None = None) -> Alignment:
    """Return how two groupings of the same images correspond.

    Parameters
    ----------
    left, right
        [image] pattern numbers from 0, or `NOISE`; the same image at the same place.
    n_left, n_right
        Number of patterns on each side; where absent, the largest number says it.

    Notes
    -----
    Exchanging the sides transposes the table and keeps the summed Jaccard index, AMI and ARI; which of several equally
    good pairings is taken may differ. Patterns that share no image are never a pair.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score

    left, right = np.asarray(left, np.int32), np.asarray(right, np.int32)
    n_left = int(left.max(initial=NOISE)) + 1 if n_left is None else n_left
    n_right = int(right.max(initial=NOISE)) + 1 if n_right is None else n_right
    table = jaccard_table(left, right, n_left, n_right)
    pair = np.stack(linear_sum_assignment(table, maximize=True), axis=1)
    pair = pair[table[pair[:, 0], pair[:, 1]] > 0]
    ami = adjusted_mutual_information(left + 1, right + 1)  # noise becomes group 0, so that it counts on both sides
    return Alignment(left, right, table, pair, ami, float(adjusted_rand_score(left, right)))


def common_images(left: Sequence[str], right: Sequence[str]) -> tuple[Int, Int]:
    """Return the places, in two lists of image names, of the names that both have, in the order of the left list.

    Raises
    ------
    InputError
        If they have none in common.
    """
    place = {name: i for i, name in enumerate(right)}
    both = [(i, place[name]) for i, name in enumerate(left) if name in place]
    if not both:
        raise InputError(
            f"The two studies have no image in common: one has {listed(left[:3], 3)}, the other {listed(right[:3], 3)} "
            "and so on. Images are matched by name; compare studies that were run on the same files."
        )
    places = np.array(both, np.int32)
    return places[:, 0], places[:, 1]
