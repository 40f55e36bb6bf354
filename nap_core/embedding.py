"""A layer on a page: two coordinates per image, by principal components or by UMAP, in the space that is grouped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nap_core.configs import RECIPES, ClusterConfig
from nap_core.errors import ConfigError, listed
from nap_core.geometry.ordering import canonical_order, distinct_rows
from nap_core.geometry.reduction import FEWEST_FOR_UMAP, principal_components, umap_layout
from nap_core.patterns.clustering import check_finite, compared
from nap_core.types import Activations, Float, frozen_array

METHODS = ("umap", "pca")
MIN_DIST = 0.1
"""UMAP's least distance between points on the page: groups stay apart, and their insides can be seen."""

FULL_EPOCHS, FEW_EPOCHS, MANY = 500, 200, 5000
"""umap-learn goes over 500 times up to 10,000 rows and 200 times beyond; we change at 5,000. Of the 15 nearest images
of 10,000 × 512, 200 rounds keep 57% on the page, and 500 rounds 58%."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Where every image of a layer lies on a page."""

    layer: str
    method: str  # one of `METHODS`
    position: Float  # [image, 2] UMAP's axes have no meaning; those of principal components are ordered by variance

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", frozen_array(self.position, np.float32, 2))
        assert self.position.shape[1] == 2


def embed(activations: Activations, config: ClusterConfig, method: str = "umap") -> Embedding:
    """Lay a layer out in two dimensions.

    Images are compared as `config` compares them (scaling, centring, angle), before its own reduction. Equal images
    lie at one place, and the order of the images does not matter.

    Parameters
    ----------
    activations
        Raw pooled values [image, feature].
    method
        ``umap``, or ``pca``, which takes no time. Fewer different images than UMAP needs are laid out by ``pca``.

    Raises
    ------
    ConfigError
        If there is no such method.
    NotFiniteError
        If an activation is NaN or infinite.

    References
    ----------
    McInnes, Healy, Melville: UMAP: Uniform Manifold Approximation and Projection. arXiv 1802.03426 (2018).
    """
    if method not in METHODS:
        raise ConfigError(f"No layout '{method}'; there are {listed(METHODS)}.")
    check_finite(activations)
    order = canonical_order(activations.values)
    first, group, _ = distinct_rows(activations.values[order])
    scaled = compared(replace(activations, values=activations.values[order]), config)[first]
    if method == "umap" and len(scaled) >= FEWEST_FOR_UMAP:
        place = umap_layout(
            scaled,
            2,
            config.n_neighbors,
            seed=config.seed,
            min_dist=MIN_DIST,
            n_epochs=n_epochs(len(order)),
            search=config.search,
        )
    else:
        method, place = "pca", _two_columns(principal_components(scaled, 2))
    position = np.empty((len(group), 2), np.float32)
    position[order] = place[group]
    return Embedding(activations.layer, method, position)


def n_epochs(n_images: int) -> int:
    """Return how often UMAP goes over the layout of so many images."""
    return FULL_EPOCHS if n_images <= MANY else FEW_EPOCHS


def warm_up() -> None:
    """Load and compile what the first map by UMAP in a process would wait for; some seconds, and 250 MB of memory."""
    few = np.random.default_rng(0).normal(size=(4 * FEWEST_FOR_UMAP, 8)).astype(np.float32)
    embed(Activations("", "none", few, np.arange(8, dtype=np.int32)), RECIPES["covering"])


def _two_columns(place: Float) -> Float:
    return np.pad(place, ((0, 0), (0, 2 - place.shape[1])))
