"""From a tree to clusters, as hdbscan does it: condense, select, and read off how firmly each image belongs.

References
----------
Campello, Moulavi, Zimek, Sander: Hierarchical density estimates for data clustering, visualization, and outlier
detection. ACM TKDD 10 (2015), for persistence ("stability") and GLOSH.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import CondensedTree, Float, Int

Index = NDArray[np.int64]

SAME_PLACE = 1e-3
"""Share of the median edge below which two images count as being at the same place; see `density_floor`."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """What is read off a tree."""

    label: Int  # [image] or NOISE
    probability: Float  # [image] in [0, 1]
    outlier_score: Float  # [image] in [0, 1]
    persistence: Float  # [cluster] in [0, 1]
    tree: CondensedTree


def density_floor(weight: NDArray[Any]) -> float:
    """Return the least edge weight that is used, so that lambda, its inverse, stays finite and comparable.

    More than `min_samples` equal images have core distance 0 and lambda infinite; hdbscan then calls every persistence
    1 and GLOSH is not a number. Rounding noise between nearly equal images does the same in disguise: one huge lambda,
    to which all others are compared. So no edge counts as shorter than a thousandth of the median positive edge. Where
    none is shorter, as in most layers, nothing changes.
    """
    positive = weight[weight > 0]
    return SAME_PLACE * float(np.median(positive)) if len(positive) else 1.0


def as_share(values: NDArray[Any]) -> Float:
    """Return `values` within [0, 1]."""
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float32)


def condensed_tree(edge: Index, weight: NDArray[Any], min_cluster_size: int) -> NDArray[Any]:
    """Return hdbscan's condensed tree of a spanning tree whose edges are sorted, lightest first."""
    from hdbscan._hdbscan_tree import condense_tree
    from sklearn.cluster._hdbscan._linkage import MST_edge_dtype, make_single_linkage  # as hdbscan's, 50 times as fast

    height = np.maximum(weight.astype(np.float64), density_floor(weight))
    merged = make_single_linkage(np.rec.fromarrays([*edge.T, height], dtype=MST_edge_dtype))
    hierarchy = np.column_stack([merged[name] for name in merged.dtype.names]).astype(np.float64)
    condensed: NDArray[Any] = condense_tree(hierarchy, min_cluster_size)
    return condensed


def as_record(condensed: NDArray[Any]) -> CondensedTree:
    """Return hdbscan's table as a record."""
    return CondensedTree(condensed["parent"], condensed["child"], condensed["lambda_val"], condensed["child_size"])


def clusters_of_tree(
    edge: Index, weight: NDArray[Any], min_cluster_size: int, method: str = "leaf", epsilon: float = 0.0
) -> Clusters:
    """Condense a spanning tree and select its clusters, as hdbscan does.

    Parameters
    ----------
    edge, weight
        [image - 1, 2] and [image - 1], lightest first.
    min_cluster_size, method, epsilon
        `min_cluster_size`, `cluster_selection_method` and `cluster_selection_epsilon` of `ClusterConfig`.
    """
    from hdbscan._hdbscan_tree import compute_stability, get_clusters, outlier_scores

    condensed = condensed_tree(edge, weight, min_cluster_size)
    label, probability, persistence = get_clusters(
        condensed, compute_stability(condensed), method, False, False, epsilon
    )
    return Clusters(
        label=label.astype(np.int32),
        probability=as_share(probability),
        outlier_score=as_share(outlier_scores(condensed)),
        persistence=as_share(persistence),
        tree=as_record(condensed),
    )
