"""Patterns of a sample, and what they say of all the other images.

The sample is stratified: rows are put cell by cell, cells being rows near to each other, and every so-many-th is taken,
so that each place of the layer sends its share. The others are treated as new images are: the nearest of the sample
vote, those in no pattern too. An image that equals one of the sample goes where that one is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.cells import FEWEST, cells
from nap_core.geometry.neighbors import nearest_among
from nap_core.geometry.products import Rows
from nap_core.patterns.assign import N_NEAREST, votes
from nap_core.types import NOISE, CondensedTree, Float, Patterns

Index = NDArray[np.int64]

PER_IMAGE = ("label", "probability", "outlier_score", "assigned", "assigned_probability")
"""Fields of `Patterns` with one number for each image."""


def stratified(values: NDArray[Any], n_taken: int, seed: int = 0) -> Index:
    """Return `n_taken` rows of `values` [row, feature], ascending, evenly from all places where rows lie."""
    n = len(values)
    order = np.arange(n)
    if n >= FEWEST:
        rows = Rows(values)
        order = cells(rows.product, rows.half_there)[0]
    start = np.random.default_rng(seed).random()
    return np.sort(order[((np.arange(n_taken) + start) * n / n_taken).astype(np.int64)])


def _vote(values: Float, queries: Index, sample: Index, found: Patterns, metric: str) -> tuple[Any, Any, Any]:
    """Return pattern, probability and outlier score of the rows `queries`."""
    near, distance = nearest_among(values, queries, sample, N_NEAREST, metric)
    at = np.searchsorted(sample, near)
    label, share = votes(found.label[at], distance)
    twin = distance[:, 0] == 0
    label[twin], share[twin] = found.label[at[twin, 0]], found.probability[at[twin, 0]]
    return label, np.where(label == NOISE, 0, share), found.outlier_score[at[:, 0]]


def spread(found: Patterns, sample: Index, values: Float, metric: str = "euclidean") -> Patterns:
    """Return the patterns of a sample with all other images assigned.

    Parameters
    ----------
    found
        Patterns of the sample.
    sample
        [image of the sample] which image it is, ascending.
    values
        [image, feature] all images as they are compared.

    Returns
    -------
    Patterns
        Of all images; the tree, the exemplars and the medoids are those of the sample. The outlier score of an image
        outside is that of its nearest one inside.
    """
    n = len(values)
    rest = np.setdiff1d(np.arange(n), sample)
    parts = {name: np.empty(n, getattr(found, name).dtype) for name in PER_IMAGE}
    for name, part in parts.items():
        part[sample] = getattr(found, name)
    label, probability, score = _vote(values, rest, sample, found, metric)
    parts["label"][rest], parts["probability"][rest], parts["outlier_score"][rest] = label, probability, score
    parts["assigned"][rest], parts["assigned_probability"][rest] = label, probability
    lost, member = rest[label == NOISE], np.flatnonzero(found.label != NOISE)
    if len(lost) and len(member):
        near, distance = nearest_among(values, lost, sample[member], N_NEAREST, metric)
        pattern, share = votes(found.label[np.searchsorted(sample, near)], distance)
        parts["assigned"][lost], parts["assigned_probability"][lost] = pattern, share
    return Patterns(
        layer=found.layer,
        **parts,
        persistence=found.persistence,
        medoid=sample[found.medoid].astype(np.int32),
        exemplar=sample[found.exemplar].astype(np.int32),
        exemplar_pattern=found.exemplar_pattern,
        tree=_renamed(found.tree, sample, n),
    )


def _renamed(tree: CondensedTree, sample: Index, n: int) -> CondensedTree:
    """Name the tree's images by their number among all, and its clusters from `n` on."""
    more = n - len(sample)
    is_image = tree.child < len(sample)
    child = np.where(is_image, sample[np.minimum(tree.child, len(sample) - 1)], tree.child + more)
    return CondensedTree(tree.parent + more, child, tree.lambda_val, tree.child_size)
