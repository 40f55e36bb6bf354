"""The page of synthetic images alone: a pattern, a unit, a class; other ways; a study whose network is not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from nap_core.study import Study, looks
from nap_core.ui.ways_panel import counterpart

PAGE = str(Path(__file__).resolve().parents[2] / "pages" / "maximize.py")


def opened(study: str = "digits", **address: str) -> AppTest:
    address.setdefault("look_view", "made images")
    test = AppTest.from_file(PAGE, default_timeout=120)
    test.session_state["study"] = study
    for name, value in address.items():
        test.query_params[name.replace("_", "-")] = value
    return test.run()


def texts(test: AppTest) -> str:
    kinds = (test.markdown, test.info, test.error, test.warning, test.caption)
    return " ".join(element.value for kind in kinds for element in kind)


def bodies(test: AppTest) -> str:
    return " ".join(element.proto.body for element in test.get("html"))


def make(test: AppTest, way: str = "linear") -> AppTest:
    parametrisation = next(box for box in test.selectbox if box.label == "Parametrisation")
    parametrisation.set_value(way).run()
    next(box for box in test.selectbox if box.label == "Steps").set_value("preview").run()
    return test.button(key="make").click().run()


def test_a_pattern_is_made_and_checked():
    test = make(opened(layer="stage3", look_pattern="0"))
    assert not test.exception
    assert "Reached pattern 0 of stage3" in texts(test)
    assert "Can this be believed?" in texts(test)
    assert bodies(test).count("<figure>") == 3
    again = opened(layer="stage3", look_pattern="0")
    assert [button.label for button in again.button if button.key == "make"] == ["Make these images"]  # the usual way


def test_at_a_glance_real_images_stand_at_once_and_lead_to_making():
    test = opened(layer="stage3", look_pattern="3", look_view="at a glance")
    assert not test.exception
    assert "Its most typical images" in texts(test)
    assert "By its units" in texts(test)
    assert "torch" not in texts(test)
    test.button(key="to-make").click().run()
    assert test.segmented_control(key="look-view").value == "made images"
    test = opened(layer="stage3", look_for="unit", look_unit="2", look_view="at a glance")
    assert "Images that drive it most" in texts(test)
    assert "By patterns" in texts(test)
    test = opened(layer="logits", look_for="class", look_view="at a glance")
    assert "Surest of this class" in texts(test)


def test_ways_and_studies_stand_side_by_side():
    test = make(opened(layer="features", look_pattern="1"))
    test.segmented_control(key="look-view").set_value("compare").run()
    assert not test.exception
    assert "**Prototype · Linear prior** (64 steps, 3 seeds)" in texts(test)
    assert "The same images in another model" in texts(test)
    test.pills[0].set_value(["Pixels"]).run()
    test.button(key="make-more").click().run()
    assert not test.exception
    assert "**Prototype · Pixels**" in texts(test)
    assert "Likeness as pictures" in texts(test)


def test_a_pattern_finds_its_counterpart_elsewhere():
    shapes, clean = Study.demo("shapes"), Study.demo("shapes_clean")
    found, shared, of = counterpart(shapes, "features", shapes.config, 2, clean, "features")
    inside = shapes.patterns("features").label == 2
    there = clean.patterns("features").label
    assert of == inside.sum()
    assert shared == (there[inside] == found).sum() > 0
    again, n, size = counterpart(shapes, "features", shapes.config, 2, shapes, "features")
    assert (again, n, size) == (2, of, of)
    assert counterpart(shapes, "features", shapes.config, 2, Study.demo("digits"), "features") == (-1, 0, 0)


def test_all_patterns_of_a_layer(tmp_path, monkeypatch):
    monkeypatch.setattr(looks, "FEWEST_MEMBERS", 150)
    folder = tmp_path / "digits"
    shutil.copytree(Study.demo("digits").folder, folder)
    for about in (folder / "results").glob("??/*/about.json"):
        if json.loads(about.read_text())["kind"] == "looks":
            shutil.rmtree(about.parent)
    test = opened(str(folder), layer="stage3", look_for="all patterns")
    assert not test.exception
    assert "none has its picture yet" in texts(test)
    test.button(key="make-looks").click().run()
    assert not test.exception
    assert "have their picture (generator)" in texts(test)
    assert not [button for button in test.button if button.key == "make-looks"]
    pattern = looks.looks(Study.open(folder), "stage3").asked[0]
    test = opened(str(folder), layer="stage3", look_pattern=str(pattern), look_view="at a glance")
    assert "made for this pattern" in bodies(test)
    assert "where it counts" in bodies(test)
    assert f"Reached pattern {pattern} of stage3" in texts(test)


def test_one_token_octaves_and_images_apart():
    test = opened(layer="stage3", look_for="unit", look_unit="2")
    for box in test.number_input:
        if box.label == "Octaves":
            box.set_value(2)
        if box.label == "Diversity":
            box.set_value(1.0)
    make(test, "fourier")
    assert not test.exception
    test.segmented_control(key="look-view").set_value("compare").run()
    assert "Everywhere · Fourier · 2 octaves · diversity 1" in texts(test)


def test_a_unit_and_a_class():
    test = make(opened(layer="stage3", look_for="unit", look_unit="2"), "fourier")
    assert "Reached unit 2 of stage3" in texts(test)
    test = opened(layer="logits", look_for="class")
    next(box for box in test.selectbox if box.label == "Class").set_value(3).run()
    make(test, "fourier")
    assert "Reached logit 3" in texts(test)


def test_a_question_between_two_patterns_asks_for_the_other():
    test = opened(layer="stage3")
    test.segmented_control(key="mode-pattern").set_value("contrast").run()
    assert not test.exception
    assert test.number_input(key="look-other").value == 1
    test.segmented_control(key="mode-pattern").set_value("edit").run()
    options = next(box for box in test.selectbox if box.label == "Parametrisation").options
    assert options == ["Fourier", "Pixels"]
    test.number_input(key="look-start").set_value(2).run()
    assert not test.exception


def test_a_silent_unit_is_said():
    test = opened(layer="stage3", look_for="unit", look_unit="5")
    test.segmented_control(key="mode-unit").set_value("neuron").run()
    make(test, "fourier")
    assert "The unit is silent" in texts(test)
    assert "<figure>" not in bodies(test)


def test_a_study_without_a_network_says_so(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 4))
    Study.from_activations(tmp_path / "bare", {"a": rows})
    test = opened(str(tmp_path / "bare"))
    assert not test.exception
    assert "activations from elsewhere" in texts(test)


def test_what_is_behind_a_pattern():
    test = opened(layer="stage2", look_pattern="9", look_view="units")
    assert not test.exception
    assert "On images that it was not found on" in texts(test) or "No condition on a few units" in texts(test)
    assert "with as many random units" in texts(test)
    test = opened(layer="stage2", look_pattern="9", look_view="places")
    assert not test.exception
    assert "adds up to the score" in texts(test)
    assert "**Occlusion**" in texts(test)
    assert "plain vectors" in texts(opened(layer="features", look_pattern="2", look_view="places"))
    test = opened(layer="stage2", look_pattern="9", look_view="firmness")
    assert not test.exception
    assert "members" in texts(test)
    test.number_input(key="look-into").set_value(3).run()
    assert not test.exception
    assert "in the other pattern" in test.dataframe[0].value.columns
