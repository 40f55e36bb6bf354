"""Patterns of a sample, and what they say of all the other images.

The sample is stratified: rows are put cell by cell, cells being rows near to each other, and every so-many-th is taken,
so that each place of the layer sends its share. Density says itself whether another image is a member: HDBSCAN would
have it where it is dense enough to reach a pattern after this one has parted from the rest. Communities say it of their
own images only, so there the nearest of the sample vote, those in no pattern too, and an image that is further from
them than 99 of 100 members are from theirs is in none. An image that equals one of the sample goes where that one is.

References
----------
McInnes, Healy: Accelerated hierarchical density based clustering. ICDM Workshops 2017, for how a new image joins a
tree (``approximate_predict`` of its implementation).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.geometry.cells import FEWEST, cells
from nap_core.geometry.neighbors import nearest, nearest_among
from nap_core.geometry.products import Rows
from nap_core.patterns.assign import N_NEAREST, votes
from nap_core.patterns.exemplars import selected_clusters
from nap_core.patterns.newcomer import FAR, N_VOTES
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


def _by_vote(values: Float, sample: Index, found: Patterns, near: Index, distance: Float, metric: str) -> Any:
    """Return pattern and probability where the nearest of the sample vote; far from all of them is in no pattern."""
    label, share = votes(found.label[near[:, :N_NEAREST]], distance[:, :N_NEAREST])
    inside = found.label != NOISE
    if inside.any():
        own = nearest(values[sample], N_VOTES, metric)[1].mean(axis=1)
        label[distance[:, :N_VOTES].mean(axis=1) > np.quantile(own[inside], FAR)] = NOISE
    return label, np.where(label == NOISE, 0, share)


def _by_density(
    values: Float, sample: Index, found: Patterns, near: Index, distance: Float, config: ClusterConfig
) -> Any:
    """Return pattern and probability of images that join the tree at the density at which they reach its nearest."""
    k = config.min_samples
    core = nearest(values[sample], k, config.metric)[1][:, -1]
    reach = np.maximum(np.maximum(distance, distance[:, min(k, distance.shape[1]) - 1, None]), core[near])
    first = np.arange(len(near)), reach.argmin(axis=1)
    label = found.label[near[first]]
    density = 1.0 / np.maximum(reach[first].astype(np.float64), 1e-30)
    tree, clusters = found.tree, selected_clusters(found.tree, found.label)
    began = dict(zip(tree.child.tolist(), tree.lambda_val.tolist(), strict=True))
    born = np.array([*(began.get(int(cluster), 0.0) for cluster in clusters), np.inf])
    most = np.array([*(tree.lambda_val[tree.parent == cluster].max() for cluster in clusters), np.inf])
    is_in = density >= born[label]
    share = np.minimum(density / most[label], 1.0)
    return np.where(is_in, label, NOISE), np.where(is_in, share, 0)


def _joined(values: Float, queries: Index, sample: Index, found: Patterns, config: ClusterConfig) -> Any:
    """Return pattern, probability and outlier score of the rows `queries`."""
    k = max(N_NEAREST, 2 * config.min_samples)
    image, distance = nearest_among(values, queries, sample, k, config.metric)
    near = np.searchsorted(sample, image)
    if config.hierarchy == "density" and config.reduction == "none":
        label, share = _by_density(values, sample, found, near, distance, config)
    else:  # a reduced space has no place for others
        label, share = _by_vote(values, sample, found, near, distance, config.metric)
    twin = distance[:, 0] == 0
    label[twin], share[twin] = found.label[near[twin, 0]], found.probability[near[twin, 0]]
    return label, share, found.outlier_score[near[:, 0]]


def spread(found: Patterns, sample: Index, values: Float, config: ClusterConfig) -> Patterns:
    """Return the patterns of a sample with all other images assigned.

    Parameters
    ----------
    found
        Patterns of the sample.
    sample
        [image of the sample] which image it is, ascending.
    values
        [image, feature] all images as they are compared.
    config
        The clustering that found them.

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
    label, probability, score = _joined(values, rest, sample, found, config)
    parts["label"][rest], parts["probability"][rest], parts["outlier_score"][rest] = label, probability, score
    parts["assigned"][rest], parts["assigned_probability"][rest] = label, probability
    lost, member = rest[label == NOISE], np.flatnonzero(found.label != NOISE)
    if len(lost) and len(member):
        near, distance = nearest_among(values, lost, sample[member], N_NEAREST, config.metric)
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


def alone(patterns: Patterns) -> Patterns:
    """Return the patterns of the sample without the images that were assigned; where there is none, the same.

    What was clustered is judged by this: an image that was assigned says nothing of whether it was right to group.
    Images are numbered by their place in `Patterns.clustered`.
    """
    sample, n = patterns.clustered, patterns.n_images
    if len(sample) == n:
        return patterns
    tree, fewer = patterns.tree, n - len(sample)
    child = np.where(tree.child < n, np.searchsorted(sample, tree.child), tree.child - fewer)
    return replace(
        patterns,
        **{name: getattr(patterns, name)[sample] for name in PER_IMAGE},
        medoid=np.searchsorted(sample, patterns.medoid).astype(np.int32),
        exemplar=np.searchsorted(sample, patterns.exemplar).astype(np.int32),
        tree=CondensedTree(tree.parent - fewer, child, tree.lambda_val, tree.child_size),
    )
