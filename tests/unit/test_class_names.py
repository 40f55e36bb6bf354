"""Names for the numbers of a classifier's outputs, and how people read them."""

from __future__ import annotations

import numpy as np

from nap_core.inputs.class_names import names_by_number, readable
from nap_core.types import NOISE


def test_names_of_wordnet_become_words():
    assert readable(["n03000684_chain_saw", "star", "T-shirt/top"]) == ("chain saw", "star", "T-shirt/top")


def test_two_classes_never_get_one_name():
    names = ["n02012849_crane", "n03126707_crane", "n02123045_tabby_cat"]
    assert readable(names) == (*names[:2], "tabby cat")
    assert len(set(readable(names))) == 3


def _answers(right: float, shift: int = 0, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 4, n)
    other = rng.integers(0, 4, n)
    return (np.where(rng.random(n) < right, target, other) + shift) % 4, target


def test_outputs_without_names_take_those_of_the_images_where_numbered_alike():
    names = ("ant", "bee", "cat", "dog")
    assert names_by_number(*_answers(0.9), names) == names
    assert names_by_number(*_answers(0.4), names) == names


def test_outputs_numbered_otherwise_keep_their_numbers():
    names = ("ant", "bee", "cat", "dog")
    assert names_by_number(*_answers(0.9, shift=1), names) == ()
    assert names_by_number(*_answers(0.0), names) == ()
    prediction, target = _answers(0.9)
    assert names_by_number(prediction + 1, target, names) == ()
    assert names_by_number(prediction, np.full_like(target, NOISE), names) == ()
    assert names_by_number(prediction, target, ()) == ()
