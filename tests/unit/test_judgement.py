"""The judgement on a layer of a study: kept once computed, and fit for what a study may lack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nap_core.configs import RECIPES
from nap_core.patterns.directions import ordered_by
from nap_core.patterns.unplaced import KINDS
from nap_core.study import Study
from nap_core.study.judgement import (
    known_columns,
    known_dial,
    known_verdict,
    layer_dial,
    layer_directions,
    layer_unplaced,
    layer_verdict,
)
from nap_core.types import NOISE

CONFIG = replace(RECIPES["covering"], reduction="pca", center=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    random = np.random.default_rng(0)
    group = np.repeat([0, 1, 2, 3, 4], 40)
    rows = 2 * random.normal(size=(5, 16))[group] + random.normal(size=(200, 16))
    rows[::25] = 6 * random.normal(size=(8, 16))
    folder: Path = tmp_path_factory.mktemp("study")
    return Study.from_activations(folder, {"late": rows}, targets=group.tolist(), config=CONFIG)


def test_a_verdict_is_kept(study):
    assert known_verdict(study, "late") is None
    found = layer_verdict(study, "late")
    assert found.word == "patterns"
    again = known_verdict(Study.open(study.folder), "late")
    assert again is not None
    assert (again.word, again.parted, again.n_patterns) == (found.word, found.parted, found.n_patterns)
    assert known_verdict(study, "late", replace(CONFIG, min_cluster_size=9)) is None


def test_a_dial_is_kept_and_is_the_same_for_both_ways_of_cutting(study):
    assert known_dial(study, "late") is None
    found = layer_dial(study, "late")
    assert found.suggested is not None and found.n_patterns[found.suggested] == 5
    leaf = known_dial(study, "late", replace(CONFIG, cluster_selection_method="leaf"))
    assert leaf is not None and leaf.method == found.method


def test_every_image_of_no_pattern_is_told_of(study):
    found = layer_unplaced(study, "late")
    np.testing.assert_array_equal(found.image, np.flatnonzero(study.patterns("late").label == NOISE))
    assert set(found.kind) <= set(range(len(KINDS)))


def test_classes_order_the_directions(study):
    orders = ordered_by(layer_directions(study, "late"), known_columns(study))
    assert orders[0].column == "class" and orders[0].strength > 0.5
    assert layer_directions(study, "late").score.shape == (200, 4)
