"""A layer on a page: the same picture for the same images, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.configs import RECIPES, recipe
from nap_core.embedding import embed
from nap_core.errors import ConfigError, NotFiniteError
from nap_core.types import Activations

PLAIN = recipe("published", scaling="none")


def layer(values: np.ndarray) -> Activations:
    return Activations("layer", "mean", values.astype(np.float32), np.arange(values.shape[1]))


@pytest.fixture(scope="module")
def groups() -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(size=(3, 1, 10)) * 6 + random.normal(size=(3, 20, 10))


def test_pca_is_the_plane_of_most_variance(groups):
    values = groups.reshape(60, 10)
    place = embed(layer(values), PLAIN, "pca").position
    _, variance, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.sort((place**2).sum(0)), np.sort(variance[:2] ** 2), rtol=1e-4)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_the_order_of_images_does_not_matter(groups, method):
    values, order = groups.reshape(60, 10), np.random.default_rng(1).permutation(60)
    straight = embed(layer(values), RECIPES["covering"], method).position
    np.testing.assert_array_equal(embed(layer(values[order]), RECIPES["covering"], method).position, straight[order])


def test_umap_keeps_groups_together_and_equal_images_at_one_place(groups):
    values = groups.reshape(60, 10).copy()
    values[5] = values[3]
    found = embed(layer(values), PLAIN, "umap")
    assert found.method == "umap"
    np.testing.assert_array_equal(found.position[5], found.position[3])
    centre = found.position.reshape(3, 20, 2).mean(1)
    far = np.linalg.norm(centre[:, None] - centre[None], axis=-1) + 1e9 * np.eye(3)
    assert far.min() > np.linalg.norm(found.position.reshape(3, 20, 2) - centre[:, None], axis=-1).mean()


@pytest.mark.parametrize("values", [np.zeros((1, 4)), np.ones((30, 4)), np.arange(5.0)[:, None]])
def test_few_images_equal_images_one_feature(values):
    found = embed(layer(values), PLAIN, "umap")
    assert found.method == "pca"
    assert found.position.shape == (len(values), 2)
    assert np.isfinite(found.position).all()


def test_refusals():
    with pytest.raises(ConfigError, match="umap, pca"):
        embed(layer(np.zeros((3, 2))), PLAIN, "tsne")
    with pytest.raises(NotFiniteError):
        embed(layer(np.full((3, 2), np.nan)), PLAIN)


def test_large_layers_are_gone_over_less_often(groups, monkeypatch):
    values = groups.reshape(60, 10)
    often = embed(layer(values), PLAIN).position
    monkeypatch.setattr("nap_core.embedding.MANY", 59)
    seldom = embed(layer(values), PLAIN).position
    assert seldom.shape == often.shape
    assert not np.array_equal(seldom, often)
