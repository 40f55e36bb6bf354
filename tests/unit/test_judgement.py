"""The judgement on a layer of a study: kept once computed, and fit for what a study may lack."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nap_core.__main__ import main
from nap_core.configs import RECIPES
from nap_core.export import export
from nap_core.patterns.directions import ordered_by
from nap_core.patterns.unplaced import KINDS
from nap_core.study import Study
from nap_core.study.folder import CLUSTER_TREE, pack_results
from nap_core.study.judgement import (
    judge,
    known_columns,
    known_dial,
    known_unplaced,
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
    assert found.suggested() is not None and found.n_patterns[found.suggested()] == 5
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


def test_exports_carry_what_was_computed_and_nothing_else(study, tmp_path):
    layer_verdict(study, "late")
    folder = export(study, tmp_path / "before") / "late"
    assert json.loads((folder / "verdict.json").read_text())["verdict"] == "patterns"
    assert "stability" not in json.loads((folder / "patterns.json").read_text())[0]
    judge(study, "late")
    folder = export(study, tmp_path / "after") / "late"
    told = json.loads((folder / "patterns.json").read_text())[0]
    assert (told["stability_word"], told["is_apart"]) == ("stable", True)
    assert "error_rate" not in told


def test_the_command_line_judges_every_layer(study, capsys):
    assert main(["quality", str(study.folder)]) == 0
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row[:3] == ["late", "patterns", "5"]
    assert known_unplaced(study, "late") is not None


def test_a_demo_carries_the_judgement_without_the_tree(study, tmp_path):
    judge(study, "late", with_dial=True)
    pack_results(study.store.folder, tmp_path)
    with np.load(tmp_path / "results.npz") as packed:
        kinds = {about["kind"] for about in json.loads(str(packed["abouts"])).values()}
    assert {"layer verdict", "pattern stability", "pattern measures", "dial"} <= kinds
    assert CLUSTER_TREE not in kinds


def test_the_class_margin_is_known_where_the_answers_are_a_layer():
    study = Study.demo("digits")
    columns = known_columns(study)
    logits = study.activations("logits").values
    first, second = np.sort(logits, axis=1)[:, :-3:-1].T
    np.testing.assert_allclose(columns["class margin"], first - second)
    np.testing.assert_array_equal(columns["the model's certainty"], study.predictions.confidence)
