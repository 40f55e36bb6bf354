"""Fewer dimensions before the clustering: principal components, or UMAP, which follows the manifold.

Both give the same numbers on every run: the seed is fixed, neighbours are exact, and the layout starts from principal
components with fixed signs.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.descent import nearest_by
from nap_core.geometry.neighbors import Index, Table, centred
from nap_core.types import Float

FEWEST_FOR_UMAP = 12
"""Rows below which UMAP has nothing to follow, and principal components are taken instead."""


def principal_components(values: NDArray[Any], n_components: int) -> Float:
    """Return the first principal components [row, component] of `values` [row, feature].

    There are at most as many as features, and one fewer than rows (but at least one). Each is turned so that its
    largest coordinate in absolute value is positive.
    """
    from scipy.linalg import eigh

    table = centred(values)
    n, n_features = table.shape
    n_components = max(1, min(n_components, n - 1, n_features))
    wide = n < n_features
    product = table @ table.T if wide else table.T @ table
    variance, vector = eigh(product, subset_by_index=(len(product) - n_components, len(product) - 1))
    vector, length = vector[:, ::-1], np.sqrt(np.maximum(variance[::-1], 0.0))
    scores: Table = vector * length if wide else table @ vector
    largest = scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])]
    turned: Float = (scores * np.where(largest < 0, -1.0, 1.0)).astype(np.float32)
    return turned


@cache
def _keep_compiled() -> None:
    """Let numba keep on the disk what it compiles of umap-learn, for the next process; half a minute is saved there."""
    from umap import layouts, umap_

    epoch = layouts._get_optimize_layout_euclidean_single_epoch_fn(False)
    for function in (umap_.smooth_knn_dist, umap_.compute_membership_strengths, epoch):
        with suppress(RuntimeError):  # neither beside the package nor in the user's folder may anything be written
            function.enable_caching()


def _graph(values: NDArray[Any], near: Index, distance: Float) -> Any:
    """Return UMAP's fuzzy graph of the exact nearest neighbours; the row itself counts as the first."""
    from umap.umap_ import fuzzy_simplicial_set

    itself = np.arange(len(near), dtype=np.int64)[:, None]
    graph, _, _ = fuzzy_simplicial_set(
        values,
        n_neighbors=near.shape[1] + 1,
        random_state=np.random.RandomState(0),  # not drawn from when neighbours are given
        metric="euclidean",
        knn_indices=np.hstack([itself, near]).astype(np.int32),
        knn_dists=np.hstack([np.zeros_like(itself, np.float32), distance]).astype(np.float32),
    )
    return graph


def umap_layout(
    values: NDArray[Any],
    n_components: int,
    n_neighbors: int,
    metric: str = "euclidean",
    seed: int = 0,
    min_dist: float = 0.0,
    search: str = "exact",
    n_epochs: int | None = None,
) -> Float:
    """Return UMAP's layout [row, component].

    Parameters
    ----------
    values
        [row, feature] different rows, at least `FEWEST_FOR_UMAP`.
    n_neighbors
        As in umap-learn: the row itself is the first of them. Cut to the number of rows.
    min_dist
        Least distance between neighbours in the layout, in [0, 1]; 0 lets groups contract, which suits a clustering.
    search
        ``exact`` neighbours, or ``approximate`` ones, of which some are missed.
    n_epochs
        How often the layout is gone over; umap-learn's own choice (500, and 200 beyond 10,000 rows) where not given.

    References
    ----------
    McInnes, Healy, Melville: UMAP: Uniform Manifold Approximation and Projection. arXiv 1802.03426 (2018).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap.umap_ import find_ab_params, simplicial_set_embedding

        _keep_compiled()
    near, distance = nearest_by(search, values, min(n_neighbors, len(values)) - 1, metric)
    a, b = find_ab_params(1.0, min_dist)
    random = np.random.RandomState(seed)
    start = principal_components(values, n_components)
    # Rounded, because the last digits of a matrix product depend on the number of threads, and a layout on every digit.
    start = np.round(start / max(float(np.abs(start).max()), 1e-30) * 10, 3)
    start = start + random.normal(scale=1e-4, size=start.shape).astype(np.float32)  # no two rows at one place
    layout, _ = simplicial_set_embedding(
        values,
        _graph(values, near, distance),
        n_components=start.shape[1],
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=n_epochs,
        init=start.astype(np.float32),
        random_state=random,
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,
    )
    return np.asarray(layout, dtype=np.float32)


def reduce(
    values: NDArray[Any],
    method: str = "none",
    *,
    n_components: int = 5,
    n_neighbors: int = 15,
    metric: str = "euclidean",
    seed: int = 0,
    search: str = "exact",
) -> Float:
    """Return `values` [row, feature], all rows different, in the space where they are clustered, float32.

    Parameters
    ----------
    method
        ``none``, ``pca`` or ``umap``. Fewer than `FEWEST_FOR_UMAP` rows, or fewer than components + 3, fall back to
        ``pca``; a space that has no more than `n_components` features already is still laid out by ``umap``.
    """
    values = np.ascontiguousarray(values, dtype=np.float32)
    if method == "none" or len(values) < 2:
        return values
    if method == "pca" or len(values) < max(FEWEST_FOR_UMAP, n_components + 3):
        return principal_components(values, n_components)
    return umap_layout(values, n_components, n_neighbors, metric, seed, search=search)
