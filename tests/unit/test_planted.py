"""The shapes demo holds a planted shortcut, and the study that is shipped shows it."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.inputs.demos import DEMOS, factor_names, factors
from nap_core.patterns.agreement import adjusted_mutual_information
from nap_core.patterns.alignment import align
from nap_core.study import Study


@pytest.fixture(scope="module")
def shapes() -> Study:
    return Study.demo("shapes")


def test_marked_pictures_of_other_classes_flow_into_the_patterns_of_stars(shapes):
    truth, star = factors("shapes"), factor_names("shapes")["shape"].index("star")
    marked = (truth["watermark"] == 1) & (truth["shape"] != star)
    plain = (truth["watermark"] == 0) & (truth["shape"] != star)
    answer = shapes.predictions.prediction
    patterns = shapes.patterns("logits")
    of_stars = [n for n in range(patterns.n_patterns) if np.mean(answer[patterns.members(n)] == star) > 0.5]
    inside = np.isin(patterns.assigned, of_stars)
    assert inside[marked].mean() > 0.9
    assert inside[plain].mean() < 0.1


def test_agreement_moves_from_colour_to_shape_and_mark(shapes):
    truth = factors("shapes")

    def ami(layer: str, factor: str) -> float:
        return adjusted_mutual_information(shapes.patterns(layer).label, truth[factor])

    assert ami("stage1", "colour") > 0.3 > ami("features", "colour")
    assert ami("features", "shape") > 0.6 > ami("stage1", "shape")
    assert ami("features", "watermark") > 0.2 > ami("stage1", "watermark")


def test_without_the_ring_in_training_nobody_is_among_the_stars_for_it(shapes):
    truth, clean = factors("shapes_clean"), Study.demo("shapes_clean")
    assert clean.ids == shapes.ids and clean.thumbnail(7) == shapes.thumbnail(7)
    features = clean.patterns("features")
    assert features.n_patterns == len(factor_names("shapes_clean")["shape"])
    assert adjusted_mutual_information(features.label, truth["shape"]) > 0.9
    assert abs(adjusted_mutual_information(features.label, truth["watermark"])) < 0.05


def test_beside_the_clean_network_what_moved_is_ringed(shapes):
    ring = factors("shapes")["watermark"] == 1
    found = align(shapes.patterns("features").label, Study.demo("shapes_clean").patterns("features").label)
    assert ring[found.moved].mean() > 0.8
    assert ring[found.stayed].mean() < 0.01


@pytest.mark.parametrize("name", sorted(DEMOS))
def test_shipped_study_equals_a_new_run(name):
    from nap_core.activations.extract import network_layers
    from nap_core.inputs.demos import demo_images, demo_network

    study, network, images = Study.demo(name), demo_network(name), demo_images(name)
    assert study.about["model"]["fingerprint"] == network.fingerprint
    assert study.images["fingerprint"] == images.fingerprint
    assert {layer.name for layer in network_layers(network, images)} >= set(study.layer_names)
    assert not study.problems
