"""Which images stand for a pattern: its medoid, and its core: HDBSCAN's exemplars, or those with most ties inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import blocks, centred, distances
from nap_core.types import NOISE, CondensedTree

Index = NDArray[np.int64]

_MEDOID_SAMPLE = 2_000  # members compared with each other at most


def medoid(values: NDArray[Any], metric: str = "euclidean") -> int:
    """Return the row of `values` [row, feature] of least mean distance to the others; the first of several.

    Of more than 2,000 rows every k-th is compared, so that as many are left.
    """
    step = -(-len(values) // _MEDOID_SAMPLE)
    table = centred(values[::step])
    total = np.empty(len(table))
    for part in blocks(len(table), len(table)):
        total[part] = distances(table[part], table, metric).sum(axis=1, dtype=np.float64)
    return int(total.argmin()) * step


def medoids(values: NDArray[Any], label: NDArray[Any], metric: str = "euclidean") -> Index:
    """Return the medoid's row for every pattern, [pattern]."""
    groups = (np.flatnonzero(label == pattern) for pattern in range(int(label.max(initial=NOISE)) + 1))
    return np.array([member[medoid(values[member], metric)] for member in groups], dtype=np.int64)


def selected_clusters(tree: CondensedTree, label: NDArray[Any]) -> Index:
    """Return the tree's cluster for every pattern, [pattern]: the smallest one that holds all its members."""
    n_patterns = int(label.max(initial=NOISE)) + 1
    above = dict(zip(tree.child.tolist(), tree.parent.tolist(), strict=True))
    size = dict(zip(tree.child.tolist(), tree.child_size.tolist(), strict=True))
    members = np.bincount(label[label != NOISE], minlength=n_patterns)
    first = {int(label[image]): int(image) for image in range(len(label) - 1, -1, -1)}
    found = []
    for pattern in range(n_patterns):
        cluster = above[first[pattern]]
        while size.get(cluster, len(label)) < members[pattern]:
            cluster = above[cluster]
        found.append(cluster)
    return np.array(found, dtype=np.int64)


def _leaves_below(tree: CondensedTree, clusters: Index) -> dict[int, list[int]]:
    """Return for each cluster the clusters below it, or itself, that never split."""
    n_images = int(tree.parent.min())
    below: dict[int, list[int]] = {}
    for parent, child in zip(tree.parent.tolist(), tree.child.tolist(), strict=True):
        if child >= n_images:
            below.setdefault(parent, []).append(child)

    def leaves(cluster: int) -> list[int]:
        found, waiting = [], [cluster]
        while waiting:
            here = waiting.pop()
            waiting.extend(below.get(here, []))
            if here not in below:
                found.append(here)
        return found

    return {int(cluster): leaves(int(cluster)) for cluster in clusters}


def exemplars(tree: CondensedTree, label: NDArray[Any]) -> tuple[Index, Index]:
    """Return hdbscan's exemplars: in each leaf below a pattern, the images that stay in it to the end.

    Parameters
    ----------
    tree
        Condensed tree whose images are the positions in `label`.
    label
        [image] pattern, or `NOISE`.

    Returns
    -------
    exemplar, pattern
        [exemplar] images, ascending within a pattern, and the pattern each stands for.
    """
    clusters = selected_clusters(tree, label)
    if not len(clusters):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    last: dict[int, float] = {}
    is_image = tree.child < tree.parent.min()
    for parent, at in zip(tree.parent[is_image].tolist(), tree.lambda_val[is_image].tolist(), strict=True):
        last[parent] = max(at, last.get(parent, 0.0))
    pattern_of = {
        leaf: pattern for pattern, leaves in enumerate(_leaves_below(tree, clusters).values()) for leaf in leaves
    }
    found = [
        (pattern_of[parent], child)
        for parent, child, at in zip(tree.parent.tolist(), tree.child.tolist(), tree.lambda_val.tolist(), strict=True)
        if child < len(label) and parent in pattern_of and at == last[parent]
    ]
    pattern, image = np.array(sorted(found), dtype=np.int64).reshape(-1, 2).T
    return image, pattern


def core(graph: Any, group: Index, label: NDArray[Any]) -> tuple[Index, Index]:
    """Return what `exemplars` does, for communities: of n members the about √n with most ties to other members.

    Parameters
    ----------
    graph
        [place, place] ties, sparse.
    group
        [image] its place.
    label
        [image] pattern, or `NOISE`.
    """
    at_place = np.full(graph.shape[0], NOISE, np.int64)
    at_place[group] = label
    tie = graph.tocoo()
    inside = at_place[tie.row] == at_place[tie.col]
    ties = np.bincount(tie.row[inside], weights=tie.data[inside], minlength=graph.shape[0])[group]
    found = []
    for pattern in range(int(label.max(initial=NOISE)) + 1):
        member = np.flatnonzero(label == pattern)
        most = member[np.argsort(-ties[member], kind="stable")]
        found.append(np.sort(most[: int(np.ceil(np.sqrt(len(member))))]))
    pattern_of = np.repeat(np.arange(len(found)), [len(images) for images in found])
    return np.concatenate([*found, np.empty(0, np.int64)]).astype(np.int64), pattern_of.astype(np.int64)
