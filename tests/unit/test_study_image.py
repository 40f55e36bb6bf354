"""One image through a study: the records agree with the patterns, neighbours with brute force, nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.configs import RECIPES
from nap_core.errors import NotFiniteError
from nap_core.patterns.company import company
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.study.image import (
    class_departures,
    image_path,
    neighbours,
    newcomer_path,
    newcomers,
    same_departure,
    shared_layers,
    telling_image,
)
from nap_core.types import NOISE


@pytest.fixture(scope="module")
def digits() -> Study:
    return Study.demo("digits")


@pytest.fixture(scope="module")
def shapes() -> Study:
    return Study.demo("shapes")


def test_a_path_says_what_the_patterns_say(digits):
    for image in (0, 17, 1796):
        steps = image_path(digits, image)
        assert [step.layer for step in steps] == list(digits.layer_names)
        for step in steps:
            patterns = digits.patterns(step.layer)
            assert (step.label, step.assigned) == (patterns.label[image], patterns.assigned[image])
            members = patterns.label == step.assigned
            assert step.size == members.sum()
            assert patterns.label[step.medoid] == step.assigned
            share = np.mean(digits.target[members] == digits.target[image])
            assert step.own_share == pytest.approx(share)
            assert step.commonest_share == pytest.approx(np.bincount(digits.target[members]).max() / step.size)


def test_neighbours_by_brute_force(digits):
    values = digits.activations("features").values.astype(np.float64)
    values -= values.mean(0)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    far = np.linalg.norm(values - values[7], axis=1)
    far[7] = np.inf
    near, distance = neighbours(digits, "features", 7, 5)
    np.testing.assert_allclose(far[near], np.sort(far)[:5], rtol=1e-4)
    np.testing.assert_allclose(distance, far[near], rtol=1e-3, atol=1e-6)
    assert 7 not in near


def test_shapes_that_leave_their_class_carry_the_planted_mark(shapes):
    from nap_core.inputs.demos import factor_names, factors

    known = factors("shapes")
    left, last = class_departures(shapes)
    assert (left > last).sum() == (left >= 0).sum()
    gone = int(np.flatnonzero(left >= 0)[0])
    assert image_path(shapes, gone)[int(left[gone])].company != shapes.target[gone]
    other = known["shape"] != factor_names("shapes")["shape"].index("star")
    elsewhere = company(shapes.patterns("features"), shapes.target) != shapes.target
    assert elsewhere[other & (known["watermark"] == 1)].mean() > 0.7
    assert elsewhere[other & (known["watermark"] == 0)].mean() < 0.1


@pytest.mark.parametrize("recipe", ["covering", "published"])
def test_a_study_is_put_back_to_its_own_place(digits, recipe):
    config, images = RECIPES[recipe], np.arange(0, 1797, 40)
    before = {layer: digits.patterns(layer, config).label.copy() for layer in digits.layer_names}
    rows = {layer: digits.activations(layer).values[images] for layer in digits.layer_names}
    placed = newcomers(digits, rows, config)
    for there in placed:
        np.testing.assert_array_equal(there.label, before[there.layer][images])
        np.testing.assert_array_equal(digits.patterns(there.layer, config).label, before[there.layer])
    own = int(digits.target[images[3]])
    steps, wanted = newcomer_path(digits, placed, 3, own, config), image_path(digits, int(images[3]), config)
    assert [step.company for step in steps] == [step.company for step in wanted]
    inside = [i for i, step in enumerate(wanted) if step.label != NOISE]
    assert [steps[i].commonest for i in inside] == [wanted[i].commonest for i in inside]


def test_images_left_out_join_the_pattern_that_they_were_in(digits):
    """Leaving one image out changes little: at least eight of ten members would join their own pattern."""
    from nap_core.geometry.neighbors import nearest
    from nap_core.patterns.assign import votes
    from nap_core.patterns.clustering import compared
    from nap_core.patterns.newcomer import N_VOTES

    for layer in digits.layer_names:
        label = digits.patterns(layer).label
        near, distance = nearest(compared(digits.activations(layer), digits.config), N_VOTES)
        voted, _ = votes(label[near], distance)
        assert (voted == label)[label != NOISE].mean() > 0.8


def test_values_that_are_not_finite_are_a_sentence(digits):
    rows = {layer: digits.activations(layer).values[:1].copy() for layer in digits.layer_names}
    rows["features"][0, 0] = np.nan
    with pytest.raises(NotFiniteError, match="Layer 'features' gives NaN"):
        newcomers(digits, rows)


def test_activations_without_classes_have_a_path(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 3)) + np.repeat([[0], [50]], 20, 0)
    study = Study.from_activations(tmp_path, {"a": values})
    step = image_path(study, 0)[0]
    assert (step.commonest, step.company) == (NOISE, NOISE)
    assert np.isnan(step.own_share)
    assert class_departures(study)[0].tolist() == [-1] * 40


def test_images_of_the_same_departure_end_in_the_same_company(shapes):
    left, _ = class_departures(shapes)
    image = int(np.flatnonzero(left >= 0)[0])
    alike = same_departure(shapes, image)
    assert image in alike
    there = {image_path(shapes, int(one))[left[image]].company for one in alike}
    assert len(there) == 1
    assert set(left[alike]) == {left[image]}
    assert set(shapes.target[alike]) == {shapes.target[image]}
    assert len(same_departure(shapes, int(np.flatnonzero(left < 0)[0]))) == 0


@pytest.mark.parametrize("name", ["shapes", "digits"])
def test_the_image_shown_first_is_misclassified_and_leaves_its_class(name):
    study = Study.demo(name)
    image = telling_image(study)
    assert misclassified(study)[image]
    assert class_departures(study)[0][image] >= 0


def test_without_classes_the_first_image_is_shown_first(tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 4))
    study = Study.from_activations(tmp_path, {"a": values, "b": values})
    assert telling_image(study) == 0


def test_shared_layers_by_counting(digits):
    steps = image_path(digits, 17)
    shared = shared_layers(digits, steps)
    assert shared[17] == sum(step.label != NOISE for step in steps)
    for other in (0, 5, 1700):
        there = image_path(digits, other)
        assert shared[other] == sum(a.label == b.label != NOISE for a, b in zip(steps, there, strict=True))
