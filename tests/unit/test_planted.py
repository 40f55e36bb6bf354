"""The shapes demo holds a planted shortcut, and the study that is shipped shows it."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.inputs.demos import DEMOS, factor_names, factors
from nap_core.patterns.agreement import adjusted_mutual_information
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


@pytest.mark.parametrize("name", sorted(DEMOS))
def test_shipped_study_equals_a_new_run(name):
    from nap_core.activations.extract import network_layers
    from nap_core.inputs.demos import demo_images, demo_network

    study, network, images = Study.demo(name), demo_network(name), demo_images(name)
    assert study.about["model"]["fingerprint"] == network.fingerprint
    assert study.images["fingerprint"] == images.fingerprint
    assert {layer.name for layer in network_layers(network, images)} >= set(study.layer_names)
    assert not study.problems
