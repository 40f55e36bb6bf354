"""Find the patterns of a layer: images that its units answer alike, as HDBSCAN groups them.

The images are first put into an order that depends on their activations only, and put back at the end, so the same set
of images gives the same patterns in whatever order it came. Then: scaling, reduction, the exact spanning tree of mutual
reachability, hdbscan's own condensed tree and labels, and what is read off them.

References
----------
Bäuerle, Jönsson, Ropinski: Neural Activation Patterns. arXiv 2206.10611 (2022).
Campello, Moulavi, Zimek, Sander: Hierarchical density estimates for data clustering, visualization, and outlier
detection. ACM TKDD 10 (2015), for persistence ("stability") and GLOSH.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import RECIPES, ClusterConfig
from nap_core.errors import NotFiniteError, TooFewImagesError
from nap_core.geometry.ordering import canonical_order, distinct_rows, line_order
from nap_core.geometry.reduction import reduce
from nap_core.geometry.scaling import scale
from nap_core.geometry.spanning_tree import spanning_tree
from nap_core.patterns.assign import assign
from nap_core.patterns.exemplars import exemplars, medoids
from nap_core.types import NOISE, Activations, CondensedTree, Float, Int, Patterns

Index = NDArray[np.int64]

SAME_PLACE = 1e-3
"""Share of the median edge below which two images count as being at the same place; see `density_floor`."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """What hdbscan reads off a spanning tree."""

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


def _share(values: NDArray[Any]) -> Float:
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float32)


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
    from hdbscan._hdbscan_linkage import label as single_linkage
    from hdbscan._hdbscan_tree import compute_stability, condense_tree, get_clusters, outlier_scores

    height = np.maximum(weight.astype(np.float64), density_floor(weight))
    hierarchy = single_linkage(np.column_stack([edge.astype(np.float64), height]))
    condensed = condense_tree(hierarchy, min_cluster_size)
    label, probability, persistence = get_clusters(
        condensed, compute_stability(condensed), method, False, False, epsilon
    )
    return Clusters(
        label=label.astype(np.int32),
        probability=_share(probability),
        outlier_score=_share(outlier_scores(condensed)),
        persistence=_share(persistence),
        tree=CondensedTree(condensed["parent"], condensed["child"], condensed["lambda_val"], condensed["child_size"]),
    )


def check_finite(activations: Activations) -> None:
    """Raise `NotFiniteError` where an activation is NaN or infinite."""
    finite: NDArray[np.bool_] = np.atleast_1d(np.isfinite(activations.values).all(axis=1))
    if not finite.all():
        raise NotFiniteError(
            f"Layer '{activations.layer}' gives NaN or infinite activations for {np.sum(~finite)} of {len(finite)} "
            f"images (the first is image {int(np.argmin(finite))}); check the weights and the preprocessing, or leave "
            "these images out."
        )


def _check(activations: Activations, config: ClusterConfig) -> None:
    check_finite(activations)
    n = activations.n_images
    if n < config.min_cluster_size:
        raise TooFewImagesError(
            f"{n} images are fewer than min_cluster_size={config.min_cluster_size}; lower it or add images."
        )


def compared(activations: Activations, config: ClusterConfig) -> Float:
    """Return [image, feature] the values as `config` compares them: scaled, centred, by angle; before any reduction."""
    return scale(
        activations.values,
        activations.unit,
        activations.pooling,
        config.scaling,
        center=config.center,
        row_l2=config.row_l2,
    )


def clustering_space(scaled: Float, config: ClusterConfig) -> tuple[Float, Index]:
    """Return the places [place, dimension] of the different rows, and the place of each row."""
    first, group, _ = distinct_rows(scaled)
    places = reduce(
        scaled[first],
        config.reduction,
        n_components=config.n_components,
        n_neighbors=config.n_neighbors,
        metric=config.metric,
        seed=config.seed,
    )
    again, place, _ = distinct_rows(places)  # a reduction may bring different rows to one place
    return places[again], place[group]


def _along_a_line(found: Clusters, scaled: Float) -> tuple[Int, Index]:
    """Return the labels renumbered so that neighbours are alike, and the old number of each new one."""
    n_patterns = len(found.persistence)
    size = np.bincount(found.label[found.label != NOISE], minlength=n_patterns)
    centroid = np.zeros((n_patterns, scaled.shape[1]))
    for pattern in range(n_patterns):
        centroid[pattern] = scaled[found.label == pattern].mean(axis=0, dtype=np.float64)
    order = line_order(centroid, size)
    number = np.append(np.argsort(order), NOISE).astype(np.int32)
    return number[found.label], order


def _undo(order: Index, tree: CondensedTree) -> CondensedTree:
    """Name the tree's images as they came."""
    child = np.where(tree.child < len(order), order[np.minimum(tree.child, len(order) - 1)], tree.child)
    return CondensedTree(tree.parent, child, tree.lambda_val, tree.child_size)


def find_patterns(activations: Activations, config: ClusterConfig = RECIPES["covering"]) -> Patterns:
    """Find the groups of images that a layer treats alike.

    Parameters
    ----------
    activations
        Raw pooled values [image, feature].
    config
        Scaling, reduction and HDBSCAN's parameters; see `RECIPES`.

    Returns
    -------
    Patterns
        Numbered along a line on which neighbours are alike. The order of the images does not matter, equal images are
        treated equally, and everything is finite.

    Raises
    ------
    NotFiniteError
        If an activation is NaN or infinite.
    TooFewImagesError
        If there are fewer images than `min_cluster_size`.
    """
    _check(activations, config)
    order = canonical_order(activations.values)
    scaled = compared(replace(activations, values=activations.values[order]), config)
    places, group = clustering_space(scaled, config)
    edge, weight = spanning_tree(places, config.min_samples, config.metric, group=group)
    found = clusters_of_tree(
        edge, weight, config.min_cluster_size, config.cluster_selection_method, config.cluster_selection_epsilon
    )
    label, old_number = _along_a_line(found, scaled)
    place = places[group]
    medoid = medoids(place, label, config.metric)
    exemplar, exemplar_pattern = exemplars(found.tree, label)
    assigned, assigned_probability = assign(place, label, found.probability, config.metric)
    back = np.argsort(order)
    return Patterns(
        layer=activations.layer,
        label=label[back],
        probability=found.probability[back],
        outlier_score=found.outlier_score[back],
        assigned=assigned[back],
        assigned_probability=assigned_probability[back],
        persistence=found.persistence[old_number],
        medoid=order[medoid].astype(np.int32),
        exemplar=order[exemplar].astype(np.int32),
        exemplar_pattern=exemplar_pattern.astype(np.int32),
        tree=_undo(order, found.tree),
    )
