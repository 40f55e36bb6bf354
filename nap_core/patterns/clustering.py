"""Find the patterns of a layer: images that its units answer alike.

The images are first put into an order that depends on their activations only, and put back at the end, so the same set
of images gives the same patterns in whatever order it came. Then: scaling and reduction; a tree, either the exact
spanning tree of mutual reachability or that of the neighbour graph's communities; hdbscan's condensed tree, its labels
or the communities', and what is read off them.

References
----------
Bäuerle, Jönsson, Ropinski: Neural Activation Patterns. arXiv 2206.10611 (2022).
Campello, Moulavi, Zimek, Sander: Hierarchical density estimates for data clustering, visualization, and outlier
detection. ACM TKDD 10 (2015), for persistence ("stability") and GLOSH.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import RECIPES, ClusterConfig, is_sampled
from nap_core.errors import NotFiniteError, TooFewImagesError, counted
from nap_core.geometry.chance import by_chance
from nap_core.geometry.communities import community_tree, evened, tied
from nap_core.geometry.descent import approximate_tree, nearest_by
from nap_core.geometry.ordering import canonical_order, distinct_rows, line_order
from nap_core.geometry.reduction import reduce
from nap_core.geometry.scaling import Scaler, fit_scaling
from nap_core.geometry.spanning_tree import spanning_tree, with_copies
from nap_core.patterns.assign import assign
from nap_core.patterns.communities import Ties, communities_of_tree, lambda_of, shares
from nap_core.patterns.cutting import Clusters, clusters_of_tree
from nap_core.patterns.exemplars import core, exemplars, medoids
from nap_core.patterns.sampling import PER_IMAGE, spread, stratified
from nap_core.types import NOISE, Activations, CondensedTree, Float, Int, Patterns

Index = NDArray[np.int64]


def check_finite(activations: Activations) -> None:
    """Raise `NotFiniteError` where an activation is NaN or infinite."""
    finite: NDArray[np.bool_] = np.atleast_1d(np.isfinite(activations.values).all(axis=1))
    if not finite.all():
        raise NotFiniteError(
            f"Layer '{activations.layer}' gives NaN or infinite activations for {np.sum(~finite)} of {len(finite)} "
            f"images (the first is image {int(np.argmin(finite))}); check the weights and the preprocessing, or leave "
            "these images out."
        )


def check_size(n_images: int, config: ClusterConfig) -> None:
    """Raise `TooFewImagesError` where no pattern could be found."""
    if n_images < config.min_cluster_size:
        raise TooFewImagesError(
            f"{counted(n_images, 'image')} cannot make a pattern of at least {config.min_cluster_size}; lower "
            "min_cluster_size or add images."
        )


def compared(activations: Activations, config: ClusterConfig) -> Float:
    """Return [image, feature] the values as `config` compares them: scaled, centred, by angle; before any reduction."""
    return fitted(activations, config).apply(activations.values)


def fitted(activations: Activations, config: ClusterConfig) -> Scaler:
    """Return what `compared` does to these activations, ready for others."""
    return fit_scaling(
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
        search=config.search,
    )
    again, place, _ = distinct_rows(places)  # a reduction may bring different rows to one place
    return places[again], place[group]


def ties_of(places: Float, config: ClusterConfig) -> Ties | None:
    """Return the ties between the different rows, or None where `config` asks for density."""
    if config.hierarchy == "density":
        return None
    if len(places) < 2:
        from scipy.sparse import csr_matrix

        return Ties(csr_matrix((len(places), len(places))), np.zeros(len(places), bool))
    rows = evened(places, angle=config.row_l2)
    near, distance = nearest_by(config.search, rows, max(1, config.n_neighbors - 1), config.metric)
    strays = by_chance(places, rows, distance, config.metric, angle=config.row_l2, seed=config.seed)
    return Ties(tied(near, distance), strays)


def tree_of_places(places: Float, group: Index, ties: Ties | None, config: ClusterConfig) -> tuple[Index, NDArray[Any]]:
    """Return the tree that is cut: edges [image - 1, 2] and weights [image - 1], the inverse of lambda, lightest first.

    Parameters
    ----------
    places, group
        As `clustering_space` returns them.
    ties
        As `ties_of` returns them.
    """
    if ties is None:
        tree = spanning_tree if config.search == "exact" else approximate_tree
        return tree(places, config.min_samples, config.metric, group=group)
    edge, resolution = community_tree(ties.graph)
    weight = (1.0 / lambda_of(resolution)).astype(np.float32)
    return with_copies(edge, weight, weight, np.full(len(places), weight.min(initial=1.0), np.float32), group)


def cut_tree(edge: Index, weight: NDArray[Any], group: Index, ties: Ties | None, config: ClusterConfig) -> Clusters:
    """Select the clusters of what `tree_of_places` returned."""
    size, method = config.min_cluster_size, config.cluster_selection_method
    if ties is None:
        return clusters_of_tree(edge, weight, size, method, config.cluster_selection_epsilon)
    return communities_of_tree(edge, weight, group, ties, size, method)


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


def _shares_of_noise(ties: Ties | None, group: Index, label: Int) -> NDArray[Any] | None:
    """Return [noise image, pattern] the share of an image's ties to each pattern; None without ties."""
    if ties is None:
        return None
    first = np.unique(group, return_index=True)[1]
    return shares(ties.graph[group[label == NOISE]], label[first], int(label.max(initial=NOISE)) + 1)


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
        Scaling, reduction and the parameters of the tree; see `RECIPES`.

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
    check_finite(activations)
    check_size(activations.n_images, config)
    order = canonical_order(activations.values)
    in_order = replace(activations, values=activations.values[order])
    find = _of_sample if is_sampled(config, activations.n_images) else _of_all
    return _put_back(find(in_order, config), order)


def _of_all(activations: Activations, config: ClusterConfig) -> Patterns:
    scaled = compared(activations, config)
    places, group = clustering_space(scaled, config)
    ties = ties_of(places, config)
    found = cut_tree(*tree_of_places(places, group, ties, config), group, ties, config)
    label, old_number = _along_a_line(found, scaled)
    place = places[group]
    exemplar, exemplar_pattern = exemplars(found.tree, label) if ties is None else core(ties.graph, group, label)
    assigned, assigned_probability = assign(
        place, label, found.probability, config.metric, share=_shares_of_noise(ties, group, label)
    )
    return Patterns(
        layer=activations.layer,
        label=label,
        probability=found.probability,
        outlier_score=found.outlier_score,
        assigned=assigned,
        assigned_probability=assigned_probability,
        persistence=found.persistence[old_number],
        medoid=medoids(place, label, config.metric).astype(np.int32),
        exemplar=exemplar.astype(np.int32),
        exemplar_pattern=exemplar_pattern.astype(np.int32),
        tree=found.tree,
    )


def _of_sample(activations: Activations, config: ClusterConfig) -> Patterns:
    """Find the patterns of some images, and put the others where their nearest ones are."""
    n_taken = max(config.cluster_sample, config.min_cluster_size)
    sample = stratified(compared(activations, config), n_taken, config.seed)
    part = replace(activations, values=activations.values[sample])
    values = fitted(part, config).apply(activations.values)
    return spread(_of_all(part, config), sample, values, config)


def _put_back(found: Patterns, order: Index) -> Patterns:
    """Name the images as they came."""
    back = np.argsort(order)
    return replace(
        found,
        **{name: getattr(found, name)[back] for name in PER_IMAGE},
        medoid=order[found.medoid].astype(np.int32),
        exemplar=order[found.exemplar].astype(np.int32),
        tree=_undo(order, found.tree),
    )
