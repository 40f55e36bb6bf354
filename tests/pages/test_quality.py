"""The How sure? page: asked, computed, read again; a layer without patterns; badges on the cards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nap_core.configs import RECIPES
from nap_core.patterns.directions import Order
from nap_core.patterns.verdict import LayerVerdict
from nap_core.study import Study
from nap_core.study.image import image_path
from nap_core.study.judgement import judge, layer_unplaced
from nap_core.study.quality import known_quality, quality
from nap_core.types import NOISE
from nap_core.ui.badges import pattern_badges, verdict_badge
from nap_core.ui.cards import sorted_patterns
from nap_core.ui.continuum_panel import order_words
from nap_core.ui.image_path import Followed, _why_in_none
from nap_core.ui.quality_panel import verdict_words
from tests.pages.test_pages import opened, texts

CONFIG = replace(RECIPES["covering"], hierarchy="density", reduction="pca", min_cluster_size=8)


def made(folder: Path, rows: np.ndarray) -> Study:
    group = np.arange(len(rows)) % 4
    return Study.from_activations(folder, {"early": rows, "late": rows}, targets=group.tolist(), config=CONFIG)


@pytest.fixture
def planted(tmp_path: Path) -> Study:
    random = np.random.default_rng(0)
    group = np.arange(160) % 4
    rows = 2 * random.normal(size=(4, 12))[group] + random.normal(size=(160, 12))
    rows[::32] = 8 * random.normal(size=(5, 12))
    return made(tmp_path / "planted", rows)


def test_a_layer_is_judged_when_asked_and_the_answer_stays(planted):
    test = opened("quality.py", study=str(planted.folder))
    assert "Not computed yet" in texts(test)
    assert known_quality(planted, "early") is None
    test.button(key="judge-one").click().run()
    assert not test.exception
    assert "**patterns**" in texts(test) and "By chance there would be" in texts(test)
    assert "in no pattern**" in texts(test)
    again = opened("quality.py", study=str(planted.folder))
    assert "**patterns**" in texts(again)
    assert not [button for button in again.button if button.key == "judge-one"]


def test_a_clustered_sample_is_judged_and_said(planted):
    sampled = replace(CONFIG, cluster_sample=100)
    values = {name: planted.activations(name).values for name in planted.layer_names}
    study = Study.from_activations(planted.folder.parent / "sampled", values, config=sampled)
    test = opened("quality.py", study=str(study.folder))
    assert any("among 100 of 160 images" in caption.value for caption in test.caption)
    test.button(key="judge-one").click().run()
    test.button(key="turn-dial").click().run()
    assert not test.exception
    assert any("The tree that was cut" in line.value for line in test.markdown)


def test_the_dial_suggests_and_changes_nothing_before_it_is_applied(planted):
    test = opened("quality.py", study=str(planted.folder))
    test.button(key="judge-one").click().run()
    test.button(key="turn-dial").click().run()
    assert not test.exception
    assert "**Suggested: " in texts(test)
    assert "clustering" not in test.query_params
    test.segmented_control(key="dial-recipe").set_value("published").run()
    test.button(key="turn-dial").click().run()
    assert not test.exception
    test.button(key="apply-dial").click().run()
    assert not test.exception
    assert str(test.query_params["clustering"]).startswith("published")


def test_noise_is_a_continuum_and_has_directions(tmp_path):
    study = made(tmp_path / "noise", np.random.default_rng(0).normal(size=(200, 8)))
    test = opened("quality.py", study=str(study.folder))
    test.button(key="judge-one").click().run()
    assert not test.exception
    assert "**a continuum**" in texts(test)
    assert "Direction 1, " in texts(test)


def test_nothing_found_still_says_so(tmp_path):
    study = made(tmp_path / "few", np.random.default_rng(0).normal(size=(9, 3)))
    test = opened("quality.py", study=str(study.folder))
    test.button(key="judge-one").click().run()
    assert not test.exception
    assert "**no patterns**" in texts(test)


def test_cards_carry_badges_once_computed_and_say_where_before(planted):
    folder = str(planted.folder)
    before = opened("patterns.py", study=folder)
    assert any("Not computed" in button.label for button in before.button)
    quality(planted, "early")
    after = opened("patterns.py", study=folder)
    assert not after.exception
    assert any(button.label == "How sure is this?" for button in after.button)


def test_badges_say_what_is_known(planted):
    found = quality(planted, "late")
    assert [badge.text for badge in pattern_badges(found, 0)] == ["stable", "apart"]
    doubtful = replace(
        found,
        stability=np.full(4, 0.6),
        is_apart=np.zeros(4, bool),
        neighbor=np.full(4, 2),
        filled=np.array([0.9, 0.2, 0.9, 0.9]),
        error_rate=np.full(4, 0.5),
        lift=np.full(4, 3.0),
    )
    assert pattern_badges(doubtful, 1)[1].text == "gap unsure"
    badges = pattern_badges(doubtful, 0)
    assert [badge.text for badge in badges] == ["doubtful", "no gap to 2", "errors ×3.0"]
    assert [badge.kind for badge in badges] == ["doubtful", "doubtful", "bad"]
    assert pattern_badges(replace(doubtful, stability=np.full(4, np.nan), lift=np.full(4, np.nan)), 0)[0].text != ""


@pytest.mark.parametrize(
    ("n_patterns", "n_islands", "parted", "chance", "said"),
    [
        (6, 6, 0.97, 0.0, "has **patterns**: 97%"),
        (20, 3, 0.3, 0.0, "has **weak patterns**"),
        (20, 1, 0.0, 0.0, "no gap parts them"),
        (20, 3, 0.3, 0.4, "no more than chance"),
        (0, 0, 0.0, 0.0, "has **no patterns**"),
    ],
)
def test_words_of_the_verdict(n_patterns, n_islands, parted, chance, said):
    chances = np.array([n_patterns] * 3), np.full(3, 0.5), np.full(3, chance)
    found = LayerVerdict("layer4", n_patterns, 0.9, n_islands, parted, 0.7, *chances, 0)
    assert said in verdict_words(found)


def test_words_of_an_order():
    assert "nothing that is known" in order_words([])
    told = order_words([Order(0, "brightness", 0.8, True, 0.0), Order(0, "class", 0.4, None, 0.0)])
    assert told == "ordered by **brightness rising (0.80)**, also class (0.40)"


def test_a_layers_verdict_is_a_badge_once_computed(planted):
    assert verdict_badge(planted, "early", planted.config) is None
    judge(planted, "early")
    badge = verdict_badge(planted, "early", planted.config)
    assert (badge.text, badge.kind) == ("patterns", "good")
    assert "in shuffled layers" in badge.help
    test = opened("overview.py", study=str(planted.folder))
    assert not test.exception


def test_cards_are_sorted_by_stability_once_computed(planted):
    folder = str(planted.folder)
    before = opened("patterns.py", study=folder)
    assert "stability" not in before.segmented_control(key="sort").options
    found = quality(planted, "early")
    after = opened("patterns.py", study=folder)
    assert "stability" in after.segmented_control(key="sort").options
    after.segmented_control(key="sort").set_value("stability").run()
    assert not after.exception
    patterns = planted.patterns("early")
    order = sorted_patterns(planted, patterns, "stability", np.array([0.2, 0.9, 0.5, 0.7]))
    assert order == [1, 3, 2, 0]
    assert len(found.stability) == patterns.n_patterns


def test_what_lies_between_patterns_is_told_where_images_of_none_are_opened():
    test = opened("patterns.py", study="shapes")
    test.query_params["pattern"] = "-1"
    test.selectbox[0].set_value("stage4").run()
    assert not test.exception
    n = int((Study.demo("shapes").patterns("stage4").label == NOISE).sum())
    assert f"{n:,} of 2,000 images are in no pattern**: " in texts(test)
    assert "between two patterns" in texts(test)
    test.query_params["unit"] = "3"
    test.run()
    assert not test.exception


def test_an_image_of_no_pattern_is_told_between_which_it_lies():
    study = Study.demo("shapes")
    found = layer_unplaced(study, "stage4")
    image = int(found.image[found.kind == 0][0])
    steps = image_path(study, image)
    followed = Followed("image", image, int(study.target[image]), steps, [], [])
    told = {step.layer: _why_in_none(study, followed, step, study.config) for step in steps}
    at = np.flatnonzero(found.image == image)[0]
    assert told["stage4"].startswith(f"Between patterns {found.first[at]} and {found.second[at]}, ")
    assert told["features"] == ""
