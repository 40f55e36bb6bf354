"""The most probable pattern of an image that is in none: what its nearest members say. Never a membership.

Where communities were looked for, an image's own ties say it: they were what put the members together. The nearest
members are asked where no tie leads to a pattern, and where density made the patterns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import nearest_among
from nap_core.types import NOISE, Float, Int

N_NEAREST = 10
"""Members that are asked."""


def votes(neighbor_label: NDArray[Any], distance: Float) -> tuple[Int, Float]:
    """Let neighbours vote with weights that fall with their distance.

    The weight is ``exp(-d² / s²)`` with `s` the median of the row's distances, so that no scale has to be chosen.

    Parameters
    ----------
    neighbor_label
        [row, neighbour] patterns.
    distance
        [row, neighbour] nearest first.

    Returns
    -------
    pattern
        [row] the pattern with most weight; of equal ones that of the nearest neighbour.
    share
        [row] its share of the weight, in (0, 1].
    """
    size = np.median(distance, axis=1, keepdims=True).astype(np.float64)
    ratio = np.divide(distance, size, out=np.zeros(distance.shape), where=size > 0)
    weight = np.exp(-(ratio**2))
    same = neighbor_label[:, :, None] == neighbor_label[:, None, :]
    support = (same * weight[:, None, :]).sum(axis=2)
    best = support.argmax(axis=1)
    at = np.arange(len(best)), best
    return neighbor_label[at].astype(np.int32), (support[at] / weight.sum(axis=1)).astype(np.float32)


def assign(
    values: NDArray[Any],
    label: NDArray[Any],
    probability: NDArray[Any],
    metric: str = "euclidean",
    n_nearest: int = N_NEAREST,
    share: NDArray[Any] | None = None,
) -> tuple[Int, Float]:
    """Give every noise image the pattern that most of its ties lead to, or that of its nearest members.

    Parameters
    ----------
    values
        [image, feature] the space in which "near" is meant.
    label, probability
        [image] of the clustering; members keep both.
    share
        [noise image, pattern] of the image's ties, where there are ties.

    Returns
    -------
    assigned, assigned_probability
        [image] pattern and share of its neighbours' votes, or of its ties to any pattern, in [0, 1]; `NOISE` and 0
        where no pattern exists.
    """
    assigned, sure = label.astype(np.int32), probability.astype(np.float32)
    noise, member = np.flatnonzero(label == NOISE), np.flatnonzero(label != NOISE)
    if share is not None and len(member):
        all_ties = share.sum(axis=1)
        is_tied = all_ties > 0
        assigned[noise[is_tied]] = share[is_tied].argmax(axis=1)
        sure[noise[is_tied]] = share[is_tied].max(axis=1) / all_ties[is_tied]
        noise = noise[~is_tied]
    if len(noise) and len(member):
        near, distance = nearest_among(values, noise, member, n_nearest, metric)
        assigned[noise], sure[noise] = votes(label[near], distance)
    return assigned, sure
