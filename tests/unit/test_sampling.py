"""A sample that is clustered, and all the others assigned by it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from nap_core.configs import RECIPES, recipe, reservations
from nap_core.patterns import sampling
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.quality import measures
from nap_core.patterns.sampling import alone, spread, stratified
from nap_core.patterns.stability import stability
from nap_core.study import Study
from nap_core.study.judgement import judge, layer_dial, layer_unplaced
from nap_core.study.quality import kept_tree, layer_stability, quality
from nap_core.types import NOISE, Activations, Patterns
from tests.benchmarks.planted import among_background, planted
from tests.unit.test_clustering import activations, blobs, check


def test_the_sample_takes_of_each_place_its_share(monkeypatch):
    monkeypatch.setattr(sampling, "FEWEST", 100)
    random = np.random.default_rng(0)
    group = np.repeat([0, 1, 2, 3], [1000, 500, 300, 200])
    values = (10 * random.normal(size=(4, 16))[group] + random.normal(size=(2000, 16))).astype(np.float32)
    taken = stratified(values, 200)
    assert len(np.unique(taken)) == 200
    assert (np.abs(np.bincount(group[taken]) - [100, 50, 30, 20]) <= 2).all()


def test_of_few_rows_every_so_many_th_is_taken():
    taken = stratified(np.zeros((10, 2), np.float32), 5)
    np.testing.assert_array_equal(np.diff(taken), 2)


@pytest.mark.parametrize("name", RECIPES)
def test_the_others_go_where_they_would_have_gone(name):
    made = planted(128, 6, 1500, background=0.05, noise=0.4)
    whole = find_patterns(activations(made.values), recipe(name, min_samples=1))
    config = recipe(name, cluster_sample=600, min_samples=1)
    found = find_patterns(activations(made.values), config)
    check(found, config.min_cluster_size)
    assert len(found.label) == 1500
    known = made.target != NOISE
    score = [adjusted_rand_score(made.target[known], one.assigned[known]) for one in (found, whole)]
    assert score[0] > score[1] - 0.1
    assert (found.tree.child_size[found.tree.child < 1500] == 1).all()
    assert (found.tree.child < 1500).sum() == 600
    assert found.tree.parent.min() == 1500


@pytest.mark.parametrize("name", RECIPES)
def test_neither_order_nor_copies_matter(name):
    values = np.concatenate([blobs(260), np.repeat(blobs(12), 5, axis=0)])
    config = recipe(name, cluster_sample=150)
    found = find_patterns(activations(values), config)
    order = np.random.default_rng(1).permutation(len(values))
    again = find_patterns(activations(values[order]), config)
    for field in ("label", "probability", "outlier_score", "assigned", "assigned_probability"):
        np.testing.assert_array_equal(getattr(found, field)[order], getattr(again, field))


def test_a_sample_of_all_is_all_and_words_say_which():
    values = blobs(200)
    config = recipe("covering", cluster_sample=200)
    np.testing.assert_array_equal(
        find_patterns(activations(values), config).label, find_patterns(activations(values)).label
    )
    assert reservations(config, 200) == ""
    assert "200 of 1,000 images" in reservations(config, 1000)
    assert "0.32" in reservations(recipe("published", cluster_sample=200), 1000)


def overlapping(n: int = 1200) -> Activations:
    return activations(planted(64, 6, n, background=0.15, noise=0.6).values)


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_judged_is_the_sample_alone(name):
    found = overlapping()
    config = recipe(name, cluster_sample=400)
    patterns = find_patterns(found, config)
    sample = patterns.clustered
    assert len(sample) == 400
    part = replace(found, values=found.values[sample])
    again, of_part = find_patterns(part, config), alone(patterns)
    for field in fields(Patterns):
        if field.name not in ("layer", "tree"):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(of_part, field.name), field.name)
    said, expected = measures(part, of_part, config), measures(part, again, config)
    np.testing.assert_array_equal(said.persistence, expected.persistence)
    assert alone(again) is again


def test_by_density_the_others_join_where_hdbscan_puts_them():
    hdbscan = pytest.importorskip("hdbscan")
    values = activations(blobs(400)).values
    sample = np.sort(np.random.default_rng(0).permutation(400)[:250])
    config = recipe("published", scaling="none")
    part = activations(values[sample])
    ours = spread(find_patterns(part, config), sample, values, config).label
    fitted = hdbscan.HDBSCAN(
        min_cluster_size=5, min_samples=5, cluster_selection_method="leaf", prediction_data=True
    ).fit(values[sample].astype(np.float64))
    rest = np.setdiff1d(np.arange(400), sample)
    theirs, _ = hdbscan.approximate_predict(fitted, values[rest].astype(np.float64))
    assert adjusted_rand_score(theirs, ours[rest]) > 0.9


def test_far_from_all_is_in_no_pattern_of_communities():
    made = among_background(64, 6, 0.3, "normal")
    found = find_patterns(activations(made.values), recipe("covering", cluster_sample=500))
    rest = np.setdiff1d(np.arange(len(made.target)), found.clustered)
    stray = made.target[rest] == NOISE
    assert (found.label[rest][stray] == NOISE).mean() > 0.8
    assert (found.label[rest][~stray] == NOISE).mean() < 0.05


@pytest.mark.parametrize("config", [recipe("covering"), recipe("published"), recipe("covering", reduction="pca")])
def test_a_study_of_a_sample_is_judged_by_it(config, tmp_path):
    rows = overlapping(500)
    config = replace(config, cluster_sample=200)
    study = Study.from_activations(tmp_path, {"late": rows.values}, targets=[0, 1] * 250, config=config)
    patterns = study.patterns("late")
    space, edge, _ = kept_tree(study, "late")
    assert len(space.order) == 200 and len(edge) == 199
    found = judge(study, "late", with_dial=True)
    assert found.n_patterns == patterns.n_patterns
    assert found.coverage == alone(patterns).coverage
    sure = quality(study, "late")
    assert (sure.size == patterns.size).all() and np.isfinite(sure.stability).all()
    assert layer_stability(study, "late", layout="kept").jaccard.shape[1] == patterns.n_patterns
    cuts = layer_dial(study, "late")
    same = (cuts.min_cluster_size == config.min_cluster_size) & (
        np.array(cuts.method) == config.cluster_selection_method
    )
    assert cuts.n_patterns[same] == patterns.n_patterns
    np.testing.assert_array_equal(layer_unplaced(study, "late").image, np.flatnonzero(patterns.label == NOISE))


def test_another_sample_is_asked_whether_patterns_come_back():
    found = overlapping()
    config = recipe("covering", cluster_sample=400)
    steady = stability(found, find_patterns(found, config).label, config, n_draws=3)
    assert np.median(steady.mean) > 0.6
