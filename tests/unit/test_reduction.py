"""Reductions: deterministic, finite, and of use."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.geometry.reduction import FEWEST_FOR_UMAP, principal_components, reduce


def blobs(n: int, n_features: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    group = random.integers(4, size=n)
    values = random.normal(size=(n, n_features)) + 6 * random.normal(size=(4, n_features))[group]
    return values.astype(np.float32), group


@pytest.mark.parametrize("shape", [(40, 90), (90, 40)])
def test_principal_components_keep_distances_when_all_are_kept(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    scores = principal_components(values, 1000)
    gap = np.linalg.norm(values[:, None] - values[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(scores[:, None] - scores[None], axis=2), gap, atol=1e-4)
    assert (np.diff(scores.var(axis=0)) <= 1e-5).all()


def test_umap_is_the_same_on_every_run_and_holds_groups_together():
    values, group = blobs(120)
    layout = reduce(values, "umap", n_components=3)
    np.testing.assert_array_equal(layout, reduce(values, "umap", n_components=3))
    assert not np.array_equal(layout, reduce(values, "umap", n_components=3, seed=1))
    gap = np.linalg.norm(layout[:, None] - layout[None], axis=2)
    np.fill_diagonal(gap, np.inf)
    assert (group[gap.argmin(axis=1)] == group).mean() > 0.99


@pytest.mark.parametrize("method", ["none", "pca", "umap"])
@pytest.mark.parametrize("n", [1, 2, FEWEST_FOR_UMAP - 1, FEWEST_FOR_UMAP, 20])
def test_few_rows_give_finite_places(method, n):
    values, _ = blobs(n)
    places = reduce(values, method, n_components=5, n_neighbors=15)
    assert len(places) == n
    assert np.isfinite(places).all()
    assert places.dtype == np.float32


def test_one_feature_is_enough_for_umap():
    values = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
    assert np.isfinite(reduce(values, "umap", n_components=5)).all()
