"""Patterns as communities of the neighbour graph: which groups of its tree last, and who is a member.

The tree of `nap_core.geometry.communities` is condensed as hdbscan condenses its own, with ``log(1 + 10 · resolution)``
in the place of lambda: a group's life is then the ratio of the resolutions at which it appears and breaks up, and how
far below a tenth of chance the ties between two groups are does not count. A group is kept whole unless its parts
together last `WHOLE` times as long; on an even spread, which looks alike at every resolution, nothing else would tell
where to stop.

One layer's groups mostly live at like resolutions, so they are selected twice. The first time tells which share of the
images is in a lasting group at each resolution; the second time life counts by that share, and parts are taken where
they last longer than the whole. A group that lasts where little else does then no longer hides those inside it.

The tree joins greedily, so its images then vote: each goes to the pattern that most of its ties lead to, three times.
An image with less than `LEAST_SHARE` of its ties to one pattern is in none. Of those whose nearest are no nearer than
by chance (`nap_core.geometry.chance`) only the ones stay that nearly all ties lead to one pattern, which is not mostly
made of their like. The tree that is returned holds the images where the vote put them.

References
----------
Campello, Moulavi, Zimek, Sander: Hierarchical density estimates for data clustering, visualization, and outlier
detection. ACM TKDD 10 (2015), for the excess of mass.
Raghavan, Albert, Kumara: Near linear time algorithm to detect community structures. Physical Review E 76 (2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import Index, Table
from nap_core.patterns.cutting import Clusters, as_record, as_share, condensed_tree
from nap_core.types import NOISE, CondensedTree, Float, Int

FINENESS = 10.0
"""Groups with less than a tenth of chance between them are apart; how much less does not count."""

WHOLE = 1.4
"""How many times as long as the whole its parts must last together, before the layer's resolutions are known."""

LEAST_SHARE = 0.3
"""Least share of an image's ties that leads to its pattern."""

SETTLED = 0.9
"""Share of its ties to one pattern with which an image stays although its nearest are no nearer than by chance."""

MOSTLY = 0.5
"""Share of such images that leaves nothing of a pattern but those that are nearer."""

N_VOTES = 3

_LEAST = 1e-6  # lambda of groups that nothing ties


@dataclass(frozen=True, slots=True, eq=False)
class Ties:
    """Who is tied to whom, and who is so only because everybody is."""

    graph: Any  # [place, place] sparse, symmetric
    by_chance: NDArray[np.bool_]  # [place] whether its nearest are no nearer than by chance

    def subset(self, places: Index) -> Ties:
        """Return the ties among some of the places."""
        return Ties(self.graph[places][:, places], self.by_chance[places])


def lambda_of(resolution: Table) -> Table:
    """Return what stands for lambda in the condensed tree."""
    found: Table = np.maximum(np.log1p(FINENESS * resolution), _LEAST)
    return found


def lasting(tree: CondensedTree, stability: dict[int, float], method: str, whole_if: float = WHOLE) -> list[int]:
    """Return the clusters that are patterns, ascending; never the root.

    Parameters
    ----------
    stability
        Cluster → excess of mass, as hdbscan computes it.
    method
        ``eom``: the most lasting ones. ``leaf``: those that never split.
    whole_if
        A cluster is kept whole unless its parts together are more than so many times as stable.
    """
    root = int(tree.parent.min())
    parts: dict[int, list[int]] = {}
    for parent, child in zip(tree.parent.tolist(), tree.child.tolist(), strict=True):
        if child >= root:
            parts.setdefault(parent, []).append(child)
    best: dict[int, float] = {}
    whole = {root: False}
    for cluster in sorted((child for children in parts.values() for child in children), reverse=True):
        together = sum(best[part] for part in parts.get(cluster, []))
        whole[cluster] = cluster not in parts or (method == "eom" and together <= whole_if * stability[cluster])
        best[cluster] = stability[cluster] if whole[cluster] else together
    chosen, waiting = [], [root]
    while waiting:
        cluster = waiting.pop()
        if whole[cluster]:
            chosen.append(cluster)
        else:
            waiting.extend(parts.get(cluster, []))
    return sorted(chosen)


def _born(tree: CondensedTree) -> Table:
    """Return for each row of the tree the lambda at which its parent begins; 0 for the root."""
    first = int(tree.parent.min())
    birth = np.zeros(int(max(tree.parent.max(), tree.child.max())) - first + 1)
    cluster = tree.child >= first
    birth[tree.child[cluster] - first] = tree.lambda_val[cluster]
    return birth[tree.parent - first]


def _below(at: Table, event: Table, weight: Table) -> Table:
    """Return for each `at` the weighted sum of min(at, event)."""
    order = np.argsort(event, kind="stable")
    event, weight = event[order], weight[order]
    passed = np.searchsorted(event, at, side="right")
    so_far = np.append(0.0, np.cumsum(weight * event))[passed]
    found: Table = so_far + at * (weight.sum() - np.append(0.0, np.cumsum(weight)))[passed]
    return found


def by_usual_resolution(tree: CondensedTree, clusters: list[int]) -> dict[int, float]:
    """Return the stability of every cluster where a span of lambda counts by how many images `clusters` hold there."""
    born, left, size = _born(tree), tree.lambda_val.astype(np.float64), tree.child_size.astype(np.float64)
    held = np.isin(tree.parent, clusters)

    def usual(at: Table) -> Table:
        return _below(at, left[held], size[held]) - _below(at, born[held], size[held])

    lives = size * (usual(left) - usual(born))
    numbers, row = np.unique(tree.parent, return_inverse=True)
    return dict(zip(numbers.tolist(), np.bincount(row, weights=lives).tolist(), strict=True))


def selected(tree: CondensedTree, stability: dict[int, float], method: str) -> list[int]:
    """Return the clusters that are patterns, ascending, as the module's text says."""
    clusters = lasting(tree, stability, method)
    if method == "leaf" or not clusters:
        return clusters
    return lasting(tree, by_usual_resolution(tree, clusters), method, 1.0)


def cluster_of(tree: CondensedTree, clusters: list[int], n_images: int) -> Int:
    """Return [image] the position in `clusters` of the cluster that holds it, or `NOISE`."""
    inside: dict[int, int] = {n_images: NOISE} | {cluster: number for number, cluster in enumerate(clusters)}
    label = np.full(n_images, NOISE, np.int32)
    for parent, child in zip(tree.parent.tolist(), tree.child.tolist(), strict=True):
        if child < n_images:
            label[child] = inside[parent]
        else:
            inside.setdefault(child, inside[parent])
    return label


def shares(graph: Any, label: Int, n_patterns: int) -> Table:
    """Return [row, pattern] which share of a row's ties leads to each pattern; ties to noise are of no pattern."""
    from scipy.sparse import csr_matrix

    member = np.flatnonzero(label != NOISE)
    belongs = csr_matrix((np.ones(len(member)), (member, label[member])), shape=(len(label), n_patterns))
    all_ties = np.asarray(graph.sum(axis=1)).ravel()
    found: Table = (graph @ belongs).toarray() / np.maximum(all_ties, 1e-30)[:, None]
    return found


def _large_enough(label: Int, count: Index, n_patterns: int, least: int) -> Int:
    """Return the labels without those of patterns that have fewer than `least` images."""
    size = np.bincount(label[label != NOISE], weights=count[label != NOISE], minlength=n_patterns)
    return np.where((label != NOISE) & (size[label] >= least), label, NOISE).astype(np.int32)


def _strays(by_chance: NDArray[np.bool_], label: Int, share: Table, count: Index) -> NDArray[np.bool_]:
    """Return [place] which of those that are near nobody but by chance are in no pattern."""
    member = label != NOISE
    size = np.bincount(label[member], weights=count[member])
    empty = np.bincount(label[member], weights=(count * by_chance)[member]) >= MOSTLY * size
    found: NDArray[np.bool_] = by_chance & member
    found[member] &= (share[member] < SETTLED) | empty[label[member]]
    return found


def vote(ties: Ties, label: Int, count: Index, n_patterns: int, min_cluster_size: int) -> tuple[Int, Float]:
    """Let every place go where its ties lead; return its label, and the share of its ties that agrees.

    Parameters
    ----------
    ties
        Between places.
    label
        [place] pattern or `NOISE`.
    count
        [place] images there; images at one place are tied to each other, and not by chance.
    """
    from scipy.sparse import diags_array

    with_copies = (ties.graph + diags_array(count - 1.0)).tocsr()
    at = np.arange(len(label))
    for _ in range(N_VOTES if n_patterns else 0):
        label = shares(with_copies, label, n_patterns).argmax(axis=1).astype(np.int32)
        label = _large_enough(label, count, n_patterns, min_cluster_size)
    if not n_patterns or (label == NOISE).all():
        return np.full(len(label), NOISE, np.int32), np.zeros(len(label), np.float32)
    share = shares(with_copies, label, n_patterns)
    label, most = share.argmax(axis=1).astype(np.int32), share.max(axis=1)
    stays = (most >= LEAST_SHARE) & ~_strays(ties.by_chance & (count == 1), label, most, count)
    label = _large_enough(np.where(stays, label, NOISE), count, n_patterns, min_cluster_size)
    return label, np.where(label == NOISE, 0.0, share[at, label]).astype(np.float32)


def moved(tree: CondensedTree, before: Int, label: Int, clusters: list[int]) -> CondensedTree:
    """Return the tree with images where the vote put them, and clusters of none of them left out.

    An image that another pattern won, or none, leaves that cluster, or the root, where it begins.

    Parameters
    ----------
    before, label
        [image] position in `clusters` before and after the vote.
    """
    n = len(label)
    begins = dict(zip(tree.child.tolist(), tree.lambda_val.tolist(), strict=True))
    parent, at, size = tree.parent.copy(), tree.lambda_val.copy(), tree.child_size.copy()
    first = float(tree.lambda_val[tree.parent == n].min(initial=_LEAST))
    for row in np.flatnonzero(tree.child < n):
        image = int(tree.child[row])
        if before[image] != label[image]:
            parent[row] = n if label[image] == NOISE else clusters[label[image]]
            at[row] = begins.get(int(parent[row]), first)
    holds = np.bincount(parent[tree.child < n], minlength=int(tree.parent.max()) + 1)
    for row in np.argsort(-tree.child, kind="stable"):  # a cluster's number is larger than its parent's
        if tree.child[row] >= n:
            size[row] = holds[tree.child[row]]
            holds[parent[row]] += size[row]
    kept = size > 0
    return CondensedTree(parent[kept], tree.child[kept], at[kept], size[kept])


def communities_of_tree(
    edge: Index, weight: NDArray[Any], group: Index, ties: Ties, min_cluster_size: int, method: str = "eom"
) -> Clusters:
    """Condense the tree of a neighbour graph, select the patterns that last, and let the images vote.

    Parameters
    ----------
    edge, weight
        [image - 1, 2] and [image - 1] the inverse of lambda, lightest first.
    group
        [image] its place.
    ties
        Between places.

    Returns
    -------
    Clusters
        The probability is the share of an image's ties that leads to its pattern.
    """
    from hdbscan._hdbscan_tree import compute_stability, outlier_scores

    table = condensed_tree(edge, weight, min_cluster_size)
    tree = as_record(table)
    stability = {int(cluster): float(value) for cluster, value in compute_stability(table).items()}
    clusters = selected(tree, stability, method)
    before = cluster_of(tree, clusters, len(group))
    _, first, count = np.unique(group, return_index=True, return_counts=True)
    at_place, share = vote(ties, before[first], count, len(clusters), min_cluster_size)
    label = at_place[group]
    tree = moved(tree, before, label, clusters)
    won = np.unique(label[label != NOISE])
    number = np.full(len(clusters) + 1, NOISE, np.int32)
    number[won] = np.arange(len(won))
    return Clusters(
        label=number[label],
        probability=as_share(share[group]),
        outlier_score=as_share(outlier_scores(table)),
        persistence=as_share(_persistence(tree, stability, [clusters[pattern] for pattern in won])),
        tree=tree,
    )


def _persistence(tree: CondensedTree, stability: dict[int, float], clusters: list[int]) -> Table:
    """Return [cluster] the excess of mass for each image, as a share of the largest lambda."""
    size = dict(zip(tree.child.tolist(), tree.child_size.tolist(), strict=True))
    most = float(tree.lambda_val.max(initial=_LEAST))
    return np.array([stability[cluster] / (size[cluster] * most) for cluster in clusters])
