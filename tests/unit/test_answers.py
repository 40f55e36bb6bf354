"""The model's answers beside the data set's classes."""

from __future__ import annotations

import pytest

from nap_core.study import Study
from nap_core.study.answers import misclassified, plain


@pytest.mark.parametrize(
    ("name", "same"), [("n03000684_chain_saw", "chain saw"), ("Chain Saw", "chain saw"), ("star", "star"), ("n5", "n5")]
)
def test_names_of_data_sets_and_models_meet(name, same):
    assert plain(name) == same


def test_an_image_of_a_class_the_model_lacks_is_not_wrong():
    study = Study.demo("digits")
    foreign = study.target >= 8
    wrong = misclassified(study)
    assert not wrong[foreign].any()
    assert (wrong[~foreign] == (study.target != study.predictions.prediction)[~foreign]).all()
    assert wrong.any()


def test_without_answers_nothing_is_wrong(tmp_path):
    import numpy as np

    study = Study.from_activations(tmp_path, {"a": np.zeros((10, 2))}, targets=[0, 1] * 5)
    assert not misclassified(study).any()
