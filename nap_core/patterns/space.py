"""Where the images of a layer lie when they are clustered, and the tree that is cut there.

Scaling and reduction cost most of a clustering's time, the tree little, a cut next to nothing. Kept apart, one layout
serves many subsamples, and one tree every minimum size and every way of cutting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.geometry.ordering import canonical_order
from nap_core.patterns.clustering import clustering_space, compared, cut_tree, ties_of, tree_of_places
from nap_core.patterns.communities import Ties
from nap_core.patterns.cutting import Clusters
from nap_core.types import Activations, Float

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Rows as they are clustered, in an order that depends on their content only."""

    order: Index  # [position] the image that stands there
    place: Float  # [place, dimension] all different
    group: Index  # [position] its place
    ties: Ties | None = None  # between neighbours, where communities are looked for

    @property
    def values(self) -> Float:
        """[image, dimension] where each image lies."""
        rows: Float = self.place[self.group][np.argsort(self.order)]
        return rows

    def subset(self, images: Index) -> Space:
        """Return the space with only `images` in it; image numbers become positions in `images`."""
        number = np.full(len(self.order), -1, np.int64)
        number[images] = np.arange(len(images))
        kept = number[self.order]
        group = self.group[kept >= 0]
        places, group = np.unique(group, return_inverse=True)
        ties = None if self.ties is None else self.ties.subset(places)
        return Space(kept[kept >= 0], self.place[places], group, ties)


def cluster_space(activations: Activations, config: ClusterConfig) -> Space:
    """Return where `find_patterns` clusters these activations: scaled, and reduced where the recipe says so."""
    order = canonical_order(activations.values)
    sorted_rows = Activations(activations.layer, activations.pooling, activations.values[order], activations.unit)
    place, group = clustering_space(compared(sorted_rows, config), config)
    return Space(order, place, group, ties_of(place, config))


def tree_of(space: Space, config: ClusterConfig) -> tuple[Index, Float]:
    """Return the spanning tree's edges [edge, 2] of positions and their weights [edge], lightest first."""
    return tree_of_places(space.place, space.group, space.ties, config)


def cut(space: Space, edge: Index, weight: Float, config: ClusterConfig) -> Clusters:
    """Return the clusters of a tree of `space` by position, as `config` cuts it."""
    return cut_tree(edge, weight, space.group, space.ties, config)


def labels_of(space: Space, config: ClusterConfig) -> NDArray[np.int32]:
    """Return [image] the labels of a fresh clustering of `space`, numbered as hdbscan does."""
    found = cut(space, *tree_of(space, config), config)
    return found.label[np.argsort(space.order)]
