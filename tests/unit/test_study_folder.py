"""Studies of activations made elsewhere, and folders that hold no study."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nap_core.activations.extract import network_layers
from nap_core.configs import RECIPES
from nap_core.errors import InputError, StudyError, TooFewImagesError
from nap_core.inputs.images import images_from_arrays
from nap_core.inputs.models import network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.study import Study

PLAIN = replace(RECIPES["published"], min_cluster_size=4, min_samples=2)
TARGET = np.arange(30) % 3
# Every unit tells groups apart: scaling would blow up one of noise alone.
ROWS = np.random.default_rng(0).normal(size=(30, 3)) * 0.01 + np.eye(3)[TARGET]


def test_activations_made_elsewhere(tmp_path: Path) -> None:
    ids = [f"image {i}" for i in range(30)]
    made = Study.from_activations(
        tmp_path, {"early": ROWS, "late": ROWS[:, :2]}, ids=ids, targets=TARGET.tolist(), config=PLAIN
    )
    study = Study.open(tmp_path)
    assert study.about == made.about
    assert study.is_finished
    assert (study.layer_names, study.ids, study.n_images) == (("early", "late"), ids, 30)
    np.testing.assert_array_equal(study.activations("early").values, ROWS.astype(np.float32))
    np.testing.assert_array_equal(study.activations("late").unit, [0, 1])
    assert study.cluster() == {}
    label = study.patterns("early").label
    assert sorted({int(n) for n in label} - {-1}) == [0, 1, 2]
    assert all(len(set(TARGET[label == n])) == 1 for n in range(3))
    assert study.flow("early", "late").count.sum() == 30
    assert study.predictions is None
    assert not study.has_pictures
    assert study.thumbnail(0) == b""


def test_images_without_names_or_classes(tmp_path: Path) -> None:
    study = Study.from_activations(tmp_path, {"a": ROWS}, config=PLAIN)
    assert study.ids[:2] == ["000000", "000001"]
    assert set(study.target) == {-1}


def test_values_that_are_not_finite_are_a_problem_of_their_layer(tmp_path: Path) -> None:
    broken = ROWS.copy()
    broken[7, 0] = np.inf
    study = Study.from_activations(tmp_path, {"broken": broken, "whole": ROWS}, config=PLAIN)
    problems = study.cluster()
    assert list(problems) == list(Study.open(tmp_path).problems) == ["broken"]
    assert "1 of 30 images (the first is image 7)" in problems["broken"]
    assert study.patterns("whole").n_patterns == 3


def test_maps_are_flattened_behind_the_image_axis(tmp_path: Path) -> None:
    study = Study.from_activations(tmp_path, {"map": ROWS.reshape(30, 3, 1)}, config=PLAIN)
    np.testing.assert_array_equal(study.activations("map").values, ROWS.astype(np.float32))
    assert study.layers[0].output_shape == (3,)


@pytest.mark.parametrize(
    ("values", "options", "sentence"),
    [
        ({}, {}, "There is no layer"),
        ({"a": ROWS[:, 0]}, {}, r"Array 'a' has shape \(30,\)"),
        ({"a": ROWS, "b": ROWS[:20]}, {}, r"disagree on the number of images \(a 30, b 20\)"),
        ({"a": ROWS}, {"ids": ["x"]}, r"disagree on the number of images \(a 30, ids 1\)"),
        ({"a": ROWS}, {"targets": [1, 2]}, r"disagree on the number of images \(a 30, targets 2\)"),
        ({"a": ROWS}, {"ids": ["x"] * 30}, "ids are not unique"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, values: Any, options: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Study.from_activations(tmp_path / "s", values, config=PLAIN, **options)
    assert not (tmp_path / "s").exists()


def test_too_few_images(tmp_path: Path) -> None:
    with pytest.raises(TooFewImagesError, match="3 images cannot make a pattern of at least 4"):
        Study.from_activations(tmp_path / "s", {"a": ROWS[:3]}, config=PLAIN)
    toy = network(nn.Sequential(nn.Conv2d(1, 2, 3)), Preprocessing(None, None, (0.0,), (1.0,), channels=1))
    few = images_from_arrays(torch.zeros(3, 8, 8).numpy())
    with pytest.raises(TooFewImagesError, match="3 images cannot make"):
        Study.create(tmp_path / "s", toy, few, network_layers(toy, few), config=PLAIN)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"study\.json is missing"),
        ("{", "cannot be read"),
        ("[]", "has format none, this version reads 1"),
        (json.dumps({"format": 99}), "has format 99, this version reads 1"),
    ],
)
def test_a_folder_without_a_study_of_this_version(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "study.json").write_text(content, encoding="utf-8")
    with pytest.raises(StudyError, match=sentence):
        Study.open(tmp_path)


def test_a_file_is_no_folder_for_a_study(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError):
        Study.open(tmp_path / "file")
