"""What is said of each pattern: planted groups, noise, the order of the images, and next to nothing at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nap_core.configs import RECIPES, REDUCTIONS
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.gaps import gaps
from nap_core.patterns.quality import measures, pattern_quality, relative_persistence
from nap_core.patterns.stability import best_jaccard, stability, stability_word
from nap_core.study import Study
from nap_core.study.quality import known_quality, layer_stability, quality, quick_layout
from nap_core.types import NOISE, Activations

PLAIN = replace(RECIPES["published"], scaling="none", cluster_selection_method="eom")


def activations(rows: np.ndarray) -> Activations:
    return Activations("layer", "mean", rows.astype(np.float32), np.arange(rows.shape[1]))


@pytest.fixture(scope="module")
def planted() -> tuple[Activations, np.ndarray]:
    """Four groups, the last two nearer to each other, and a fifth of the images all over the place."""
    random = np.random.default_rng(1)
    center = random.normal(size=(4, 20)) * 2
    center[3] = center[2] + 1.6 * random.normal(size=20)
    group = np.repeat([0, 1, 2, 3, NOISE], [60, 40, 40, 30, 40])
    rows = np.where(group[:, None] == NOISE, random.normal(size=(len(group), 20)) * 4, center[group])
    return activations(rows + 0.7 * random.normal(size=rows.shape)), group


def test_planted_groups_are_stable_apart_and_pure(planted):
    found, group = planted
    patterns = find_patterns(found, PLAIN)
    steady = stability(found, patterns.label, PLAIN)
    said = pattern_quality(patterns, measures(found, patterns, PLAIN), steady, group, group == 0)
    assert patterns.n_patterns == 4
    assert said.words == ["stable"] * 4
    assert said.is_apart.all()
    assert (said.silhouette > 0.2).all() and (said.dbcv > 0).all()
    assert (said.purity > 0.95).all() and (said.entropy < 0.4).all()
    of_first = [bool(np.median(group[patterns.members(n)]) == 0) for n in range(4)]
    np.testing.assert_allclose(said.error_rate, np.array(of_first, float), atol=0.05)
    assert (said.lift[of_first] > 2).all()
    assert steady.jaccard.shape == (30, 4)


def test_gaussian_noise_has_no_gap_and_comes_back_badly():
    found = activations(np.random.default_rng(0).normal(size=(300, 10)))
    config = replace(RECIPES["covering"], reduction="pca", n_components=3)
    patterns = find_patterns(found, config)
    said = pattern_quality(patterns, measures(found, patterns, config), stability(found, patterns.label, config))
    assert patterns.n_patterns > 2
    assert not said.is_apart.any()
    assert np.mean(said.stability) < 0.75
    assert np.isnan(said.purity).all() and np.isnan(said.lift).all()


def test_the_order_of_the_images_changes_nothing(planted):
    found, _ = planted
    turn = np.random.default_rng(5).permutation(found.n_images)
    one, other = (find_patterns(a, PLAIN) for a in (found, activations(found.values[turn])))
    here = measures(found, one, PLAIN)
    there = measures(activations(found.values[turn]), other, PLAIN)
    np.testing.assert_array_equal(one.label[turn], other.label)
    for name in ("persistence", "silhouette", "dbcv"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
    np.testing.assert_array_equal(here.gaps.filled, there.gaps.filled)


def test_persistence_does_not_depend_on_the_scale_nor_on_a_dense_pair_elsewhere(planted):
    found, _ = planted
    pair = np.full((2, 20), 30.0)
    pair[1] += 1e-4
    alone, with_pair, wide = (
        find_patterns(activations(rows), PLAIN)
        for rows in (found.values, np.vstack([found.values, pair]), 100 * found.values)
    )
    np.testing.assert_allclose(relative_persistence(alone), relative_persistence(wide), atol=1e-4)
    np.testing.assert_allclose(relative_persistence(alone), relative_persistence(with_pair), atol=0.02)


@pytest.mark.parametrize(
    ("label", "again", "expected"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], [1, 1]),
        ([0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, -1], [0.5, 0.25]),
        ([0, 0, -1], [-1, -1, -1], [0]),
        ([-1, -1], [0, 0], []),
        ([1, 1], [0, 0], [np.nan, 1]),
    ],
)
def test_best_jaccard(label, again, expected):
    found = best_jaccard(np.array(label), np.array(again), len(expected))
    np.testing.assert_allclose(found, expected)


def test_words_of_stability():
    assert [stability_word(x) for x in (0.75, 0.5, 0.49, np.nan)] == ["stable", "doubtful", "unstable", "unknown"]


@pytest.mark.parametrize(("rows", "n_patterns"), [(np.eye(3), 0), (np.zeros((3, 2)), 0), (np.zeros((9, 2)), 0)])
def test_next_to_nothing(rows, n_patterns):
    config = replace(PLAIN, min_cluster_size=2, min_samples=2)
    found = activations(rows)
    patterns = find_patterns(found, config)
    said = pattern_quality(patterns, measures(found, patterns, config), stability(found, patterns.label, config))
    assert len(said.size) == patterns.n_patterns == n_patterns


def test_one_pattern_has_no_neighbour():
    alone = gaps(np.random.default_rng(0).normal(size=(20, 3)), np.zeros(20, int))
    assert alone.fullest()[0].tolist() == [NOISE]
    assert alone.n_islands == 1


def test_a_study_keeps_what_was_computed(tmp_path: Path, planted):
    found, group = planted
    study = Study.from_activations(tmp_path, {"late": found.values}, targets=group.tolist(), config=PLAIN)
    assert known_quality(study, "late") is None
    steps: list[tuple[int, int]] = []
    first = quality(study, "late", progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (30, 30)
    assert first.layout == "fresh" and np.isnan(first.error_rate).all()
    again = known_quality(Study.open(tmp_path), "late")
    assert again is not None
    np.testing.assert_array_equal(first.stability, again.stability)
    np.testing.assert_array_equal(first.dbcv, again.dbcv)
    assert layer_stability(study, "late", layout="kept").layout == "kept"
    assert quality(study, "late").layout == "fresh"  # the stricter one is told


def test_what_takes_minutes_is_not_asked_first():
    assert [quick_layout(replace(PLAIN, reduction=name)) for name in REDUCTIONS] == ["fresh", "fresh", "kept"]
