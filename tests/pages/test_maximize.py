"""The page of synthetic images alone: a pattern, a unit, a class; other ways; a study whose network is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from nap_core.study import Study

PAGE = str(Path(__file__).resolve().parents[2] / "pages" / "maximize.py")


def opened(study: str = "digits", **address: str) -> AppTest:
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


def test_what_is_there_is_shown_at_once_and_the_same_in_other_ways():
    test = make(opened(layer="features", look_pattern="1"))
    more = test.button(key="make-more")
    assert "Pixels" in more.label
    make(test, "fourier")
    assert "**Linear prior**" in texts(test)


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
