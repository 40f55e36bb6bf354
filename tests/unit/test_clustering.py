"""Patterns: hdbscan's labels, the same for every order of the images, finite whatever comes."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.configs import METRICS, RECIPES, ClusterConfig, recipe
from nap_core.errors import NotFiniteError, TooFewImagesError
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.exemplars import medoid
from nap_core.types import NOISE, Activations, Patterns


def activations(values: np.ndarray, pooling: str = "mean") -> Activations:
    return Activations("layer", pooling, values.astype(np.float32), np.arange(values.shape[1]))


def blobs(n: int = 300, n_features: int = 12, seed: int = 0, spread: float = 5.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centre = spread * random.normal(size=(6, n_features))
    grouped = random.normal(size=(n - n // 5, n_features)) + centre[random.integers(6, size=n - n // 5)]
    return np.concatenate([grouped, spread * random.normal(size=(n // 5, n_features))])


def same_grouping(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


def check(found: Patterns, min_cluster_size: int) -> None:
    assert (found.size >= min_cluster_size).all()
    assert (found.probability[found.label == NOISE] == 0).all()
    member = found.label != NOISE
    assert (found.assigned[member] == found.label[member]).all()
    if found.n_patterns:
        assert (found.assigned != NOISE).all()
    for values in (found.probability, found.outlier_score, found.persistence, found.assigned_probability):
        assert np.isfinite(values).all()
        assert ((values >= 0) & (values <= 1)).all()
    assert np.isfinite(found.tree.lambda_val).all()
    np.testing.assert_array_equal(found.label[found.medoid], np.arange(found.n_patterns))
    np.testing.assert_array_equal(found.label[found.exemplar], found.exemplar_pattern)
    assert set(found.exemplar_pattern.tolist()) == set(range(found.n_patterns))


@pytest.mark.parametrize("method", ["leaf", "eom"])
@pytest.mark.parametrize("size", [2, 5, 12, 40])
def test_labels_and_scores_are_hdbscans(method, size):
    from hdbscan import HDBSCAN

    values = blobs()
    config = ClusterConfig(scaling="none", min_cluster_size=size, min_samples=1, cluster_selection_method=method)
    found = find_patterns(activations(values), config)
    check(found, size)
    theirs = HDBSCAN(
        min_cluster_size=size, min_samples=1, cluster_selection_method=method, approx_min_span_tree=False
    ).fit(values.astype(np.float32).astype(np.float64))
    assert same_grouping(found.label, theirs.labels_)
    np.testing.assert_allclose(found.probability, theirs.probabilities_, atol=1e-5)
    np.testing.assert_allclose(found.outlier_score, theirs.outlier_scores_, atol=1e-5)
    np.testing.assert_allclose(np.sort(found.persistence), np.sort(theirs.cluster_persistence_), atol=1e-5)
    for pattern in range(found.n_patterns):
        number = theirs.labels_[found.medoid[pattern]]
        points = np.concatenate([np.atleast_2d(theirs.exemplars_[number])])
        ours = values.astype(np.float32)[found.exemplars(pattern)]
        assert {row.tobytes() for row in ours} == {row.astype(np.float32).tobytes() for row in points}


@pytest.mark.parametrize("name", RECIPES)
def test_the_order_of_the_images_does_not_matter(name):
    values = np.concatenate([blobs(150), blobs(40)[:20], np.repeat(blobs(3), 7, axis=0)])
    found = find_patterns(activations(values), RECIPES[name])
    order = np.random.default_rng(1).permutation(len(values))
    again = find_patterns(activations(values[order]), RECIPES[name])
    for field in ("label", "probability", "outlier_score", "assigned", "assigned_probability"):
        np.testing.assert_array_equal(getattr(found, field)[order], getattr(again, field))
    np.testing.assert_array_equal(found.persistence, again.persistence)
    np.testing.assert_array_equal(values[found.medoid], values[order][again.medoid])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("method", ["leaf", "eom"])
@pytest.mark.parametrize("name", RECIPES)
def test_nor_does_it_with_ties_under_any_metric(name, method, metric):
    random = np.random.default_rng(0)
    ties = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), axis=-1).reshape(-1, 3)
    values = np.concatenate([ties, ties[:20], 12 + random.normal(size=(40, 3)).round(1)])
    config = recipe(name, metric=metric, cluster_selection_method=method, n_neighbors=8)
    found = find_patterns(activations(values), config)
    check(found, config.min_cluster_size)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(values))
        again = find_patterns(activations(values[order]), config)
        np.testing.assert_array_equal(found.label[order], again.label)
        np.testing.assert_array_equal(found.probability[order], again.probability)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("n", [2, 3, 4])
def test_as_few_images_as_there_may_be(name, n):
    check(find_patterns(activations(blobs(40)[:n]), recipe(name, min_cluster_size=2)), 2)


@pytest.mark.parametrize("name", RECIPES)
def test_copies_stay_finite_comparable_and_together(name):
    values = np.concatenate([np.repeat(blobs(20, seed=2), 12, axis=0), blobs(200)])
    found = find_patterns(activations(values), RECIPES[name])
    check(found, RECIPES[name].min_cluster_size)
    copies = found.label[:240].reshape(20, 12)
    assert (copies == copies[:, :1]).all()
    assert len(np.unique(found.persistence)) > 1


@pytest.mark.parametrize("name", RECIPES)
def test_all_equal_images_are_no_pattern_and_no_error(name):
    found = find_patterns(activations(np.ones((30, 4))), RECIPES[name])
    check(found, 2)
    assert found.n_patterns == 0


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("n", [8, 11, 14])
def test_very_few_images(name, n):
    check(find_patterns(activations(blobs(n)), recipe(name, min_cluster_size=3)), 3)


def test_the_medoid_is_the_member_of_least_mean_distance():
    values = blobs(200).astype(np.float32)
    found = find_patterns(activations(values), ClusterConfig(scaling="none", min_samples=1))
    for pattern in range(found.n_patterns):
        member = found.members(pattern)
        apart = np.linalg.norm(values[member][:, None] - values[member][None], axis=2).sum(axis=1)
        assert found.medoid[pattern] == member[apart.argmin()]


def test_the_medoid_of_many_is_one_of_them():
    assert 0 <= medoid(np.random.default_rng(0).normal(size=(4_501, 2))) < 4_501


def test_neighbouring_numbers_are_alike():
    random = np.random.default_rng(0)
    place = random.permutation(9)
    values = np.zeros((180, 3))
    values[:, 0] = np.repeat(place, 20) * 10
    found = find_patterns(
        activations(values + random.normal(size=values.shape) * 0.5), ClusterConfig(scaling="none", min_cluster_size=10)
    )
    along = np.round(values[found.medoid, 0] / 10)
    assert len(along) == 9
    assert (np.abs(np.diff(along)) == 1).all()


def test_activations_that_are_not_finite_name_the_layer():
    values = blobs(40)
    values[7, 3] = np.nan
    with pytest.raises(NotFiniteError, match=r"'layer'.*1 of 40.*image 7"):
        find_patterns(activations(values))


def test_too_few_images_say_what_to_do():
    with pytest.raises(
        TooFewImagesError, match="12 images cannot make a pattern of at least 20; lower min_cluster_size or add images"
    ):
        find_patterns(activations(blobs(12)), recipe("published", min_cluster_size=20))
