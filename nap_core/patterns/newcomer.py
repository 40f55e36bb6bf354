"""Where a new image belongs among the patterns of a layer that were found without it. Nothing is grouped again.

The new image is scaled with the study's own statistics, and its nearest study images are looked for in the layer
itself, not in UMAP's space, which has no place for it. The five nearest vote as in `assign`, images of no pattern for
no pattern.

Two rules stand above the vote. An image at the same place as a study image (nearer than a thousandth of the study's
median distance) is taken for that image. An image whose five nearest are further away than those of 99 of 100 study
images are from them is in no pattern, whatever the vote says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import blocks, nearest_in_parts
from nap_core.geometry.scaling import Scaler
from nap_core.patterns.assign import votes
from nap_core.types import NOISE, Float, Int, Patterns, frozen_array

N_VOTES = 5
"""Nearest images that vote; of 1, 5, 10 and 20 this agreed best with the patterns when images were left out."""
FAR = 0.99
"""Share of the study's images that lie closer to their nearest than a far image does."""
SAME_PLACE = 1e-3
"""Share of the study's median distance below which a new image is one that the study has."""
N_COMPARED = 1000
"""Study images whose distances are the yardstick, evenly taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Newcomers:
    """New images among the patterns of a layer; the words are those of `Patterns`."""

    layer: str
    label: Int  # [row] pattern, or NOISE
    probability: Float  # [row] share of the vote in [0, 1]; 0 for noise
    assigned: Int  # [row] pattern of its nearest members; equals `label` but for noise; NOISE where no pattern exists
    assigned_probability: Float  # [row] share of their vote
    distance: Float  # [row] mean distance to the nearest study images, in the units of the scaled layer
    percentile: Float  # [row] share of the study's images that lie closer to their nearest, in [0, 1]
    near: NDArray[np.int32]  # [row, neighbour] nearest study images
    near_distance: Float  # [row, neighbour] ascending

    def __post_init__(self) -> None:
        for name in ("label", "assigned"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32))
        for name in ("probability", "assigned_probability", "distance", "percentile"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        object.__setattr__(self, "near", frozen_array(self.near, np.int32, 2))
        object.__setattr__(self, "near_distance", frozen_array(self.near_distance, np.float32, 2))
        assert len(self.label) == len(self.assigned) == len(self.distance) == len(self.near)

    @property
    def is_far(self) -> NDArray[np.bool_]:
        """[row] whether it is too far from every study image to be in a pattern."""
        far: NDArray[np.bool_] = self.percentile > FAR
        return far


def scaled_parts(
    values: NDArray[Any], scaler: Scaler, n_queries: int, rows: NDArray[Any] | None = None
) -> Iterator[Float]:
    """Yield `values` [image, feature] scaled, or some `rows` of them, as many at a time as fit in memory."""
    count = len(values) if rows is None else len(rows)
    for part in blocks(count, max(n_queries, values.shape[1])):
        yield scaler.apply(values[part if rows is None else rows[part]])


def own_distances(values: NDArray[Any], scaler: Scaler, metric: str = "euclidean") -> Float:
    """Return the study's yardstick: [compared] mean distances of study images to their five nearest others, ascending.

    Parameters
    ----------
    values
        [image, feature] the study's raw activations, at least two images.
    """
    step = -(-len(values) // N_COMPARED)
    taken = np.arange(0, len(values), step)
    parts = scaled_parts(values, scaler, len(taken))
    _, distance = nearest_in_parts(scaler.apply(values[taken]), parts, N_VOTES, metric, skip=taken)
    own: Float = np.sort(distance.mean(axis=1))
    return own


def place_newcomers(
    rows: NDArray[Any],
    values: NDArray[Any],
    patterns: Patterns,
    scaler: Scaler,
    own: Float,
    metric: str = "euclidean",
    k: int = 12,
) -> Newcomers:
    """Put new images into the patterns of a layer; the module's text states the rules.

    Parameters
    ----------
    rows
        [row, feature] raw activations of the new images, finite.
    values
        [image, feature] the study's raw activations; read in parts.
    scaler
        What the study's scaling took from `values`.
    own
        See `own_distances`.
    k
        Nearest images to return; at least `N_VOTES` are looked at.
    """
    scaled = scaler.apply(rows)
    near, near_distance = nearest_in_parts(scaled, scaled_parts(values, scaler, len(rows)), max(k, N_VOTES), metric)
    label, share = votes(patterns.label[near[:, :N_VOTES]], near_distance[:, :N_VOTES])
    distance = near_distance[:, :N_VOTES].mean(axis=1)
    percentile = np.searchsorted(own, distance, side="left") / len(own)
    label[percentile > FAR] = NOISE
    known = near_distance[:, 0] <= SAME_PLACE * float(np.median(own))
    label[known], share[known] = patterns.label[near[known, 0]], patterns.probability[near[known, 0]]
    share[label == NOISE] = 0.0
    assigned, assigned_share = label.copy(), share.copy()
    lost = np.flatnonzero(label == NOISE)
    if len(lost) and patterns.n_patterns:
        assigned[lost], assigned_share[lost] = _by_members(scaled[lost], values, patterns, scaler, metric)
    return Newcomers(
        layer=patterns.layer,
        label=label,
        probability=share,
        assigned=assigned,
        assigned_probability=assigned_share,
        distance=distance,
        percentile=percentile,
        near=near[:, :k].astype(np.int32),
        near_distance=near_distance[:, :k],
    )


def _by_members(
    scaled: Float, values: NDArray[Any], patterns: Patterns, scaler: Scaler, metric: str
) -> tuple[Int, Float]:
    member = np.flatnonzero(patterns.label != NOISE)
    parts = scaled_parts(values, scaler, len(scaled), member)
    near, distance = nearest_in_parts(scaled, parts, N_VOTES, metric)
    return votes(patterns.label[member[near]], distance)
