from __future__ import annotations

import pytest

from nap_core.study import Study
from nap_core.ui.gallery import is_wrong, plain


@pytest.mark.parametrize(
    ("name", "same"), [("n03000684_chain_saw", "chain saw"), ("Chain Saw", "chain saw"), ("star", "star"), ("n5", "n5")]
)
def test_names_of_data_sets_and_models_meet(name, same):
    assert plain(name) == same


def test_an_image_of_a_class_the_model_lacks_is_not_wrong():
    study = Study.demo("digits")
    foreign = [i for i in range(study.n_images) if study.target[i] >= 8]
    assert not any(is_wrong(study, i) for i in foreign)
    known = [i for i in range(study.n_images) if study.target[i] < 8]
    wrong = {i for i in known if study.target[i] != study.predictions.prediction[i]}
    assert {i for i in known if is_wrong(study, i)} == wrong
