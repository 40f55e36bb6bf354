"""The Compare page as AppTest runs it: two models, one study, nothing in common, one interaction, pins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from nap_core.configs import RECIPES
from nap_core.inputs.demos import factors
from nap_core.patterns.alignment import align
from nap_core.study import Study
from nap_core.study.comparison import compare

PAGE = Path(__file__).resolve().parents[2] / "pages" / "compare.py"


def opened(**address: str) -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    for name, value in address.items():
        test.query_params[name] = value
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(element.value for kind in (test.markdown, test.caption, test.info) for element in kind)


def button(test: AppTest, label: str):
    return next(found for found in test.button if found.label == label)


def test_two_models_are_compared_and_what_moved_is_ringed():
    test = opened()
    assert not test.exception
    left, right = (Study.demo(name).patterns("features").label for name in ("shapes", "shapes_clean"))
    found = align(left, right)
    ring = factors("shapes")["watermark"] == 1
    assert f"**{found.stayed.sum():,} of 2,000** images are in the same pattern" in texts(test)
    assert f"**{ring[found.moved].sum()} of the {found.moved.sum()}** that moved" in texts(test)
    assert test.dataframe[0].value["layer"].tolist() == list(Study.demo("shapes").layer_names)


def test_the_selection_alone_is_compared():
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    folder = str(Study.demo("shapes").folder)
    ring = np.flatnonzero(factors("shapes")["watermark"] == 1)
    test.session_state["selection"] = {folder: tuple(ring.tolist())}
    test.run()
    next(found for found in test.toggle if found.label == f"Only the {len(ring):,} selected images").set_value(True)
    test.run()
    assert not test.exception
    left, right = (Study.demo(name).patterns("features").label for name in ("shapes", "shapes_clean"))
    assert f"{align(left, right).moved[ring].sum():,} images: " in texts(test)


def test_one_study_is_compared_layer_with_layer():
    test = opened(study="digits")
    assert not test.exception
    assert "`features`" in texts(test)
    assert "`logits`" in texts(test)
    assert not test.dataframe


def test_the_latest_study_of_the_same_pictures_stands_on_the_right(tmp_path):
    rows = np.random.default_rng(0).normal(size=(2, 60, 8)).astype(np.float32)
    rows[:, :30] += 6
    for name, values in zip(("before", "now"), rows, strict=True):
        Study.from_activations(tmp_path / name, {"fc": values}, title=f"trained {name}").cluster()
    Study.from_activations(tmp_path / "other", {"fc": rows[0, :40]}, title="other pictures").cluster()
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    test.session_state["recent-studies"] = {str(tmp_path / name): True for name in ("before", "other", "now")}
    test.session_state["study"] = str(tmp_path / "now")
    test.run()
    assert not test.exception
    assert test.selectbox(key=f"right-of-{tmp_path / 'now'}").value == str(tmp_path / "before")


def test_the_address_names_both_sides():
    test = opened(study="shapes", layer="stage4", right="shapes", right_layer="logits", right_recipe="published")
    assert not test.exception
    told = texts(test)
    assert "`stage4`, covering" in told
    assert "`logits`, published" in told
    assert test.query_params["right"] == "shapes"


def test_the_same_on_both_sides_is_said():
    test = opened(study="shapes", layer="stage4", right="shapes", right_layer="stage4")
    assert not test.exception
    assert "in the same way" in test.info[0].value


def test_studies_without_a_common_image_are_a_sentence():
    test = opened(study="shapes", right="digits")
    assert not test.exception
    assert "no image in common" in test.error[0].value


def test_a_study_that_is_not_there_is_a_sentence(tmp_path):
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    test.session_state["study"] = str(tmp_path / "gone")
    test.run()
    assert not test.exception
    assert "There is no study in" in test.error[0].value


def test_a_row_opens_down_to_its_images():
    test = opened()
    first = compare(
        *(x for n in ("shapes", "shapes_clean") for x in (Study.demo(n), Study.demo(n).patterns("features")))
    )
    row = first.rows[0]
    test = button(test, "Images").click().run()
    assert not test.exception
    assert test.query_params["row"] == f"{row[0]},{row[1]}"
    n = len(first.alignment.members(*row)[1])
    assert f"{n:,} images went" in texts(test)
    button(test, "Close").click().run()
    assert "row" not in test.query_params


def test_patterns_are_pinned_and_put_away():
    test = opened()
    assert "Nothing is pinned" in texts(test)
    button(test, "Pin").click().run()
    button(test, "Pin").click().run()
    assert not test.exception
    assert sum(found.label == "Unpin" for found in test.button) == 2
    shared = test.dataframe[-1].value
    assert np.diag(shared.iloc[:, 1:]).min() > 0
    button(test, "Remove").click().run()
    button(test, "Remove").click().run()
    assert "Nothing is pinned" in texts(test)


def test_a_pattern_opened_on_its_own_page_is_pinned():
    test = AppTest.from_file(str(PAGE.with_name("patterns.py")), default_timeout=120)
    test.query_params["layer"], test.query_params["pattern"] = "stage4", "2"
    button(test.run(), "Pin").click().run()
    assert not test.exception
    assert button(test, "Unpin")
    pins = test.session_state["pinned-patterns"]
    assert [(pin.layer, pin.pattern) for pin in pins] == [("stage4", 2)]
    other = AppTest.from_file(str(PAGE), default_timeout=120)
    other.session_state["pinned-patterns"] = pins
    other.query_params["study"], other.query_params["right"] = "shapes", "digits"
    other.run()
    assert "no image in common" in other.error[0].value
    assert "`stage4`" in texts(other)


def test_studies_with_other_images_are_matched_by_name(tmp_path):
    rows = np.random.default_rng(0).normal(size=(40, 3)) * 0.01 + np.eye(3)[np.arange(40) % 3]
    plain = RECIPES["published"]
    made = [
        Study.from_activations(
            tmp_path / str(k), {"a": rows[k:]}, ids=[f"image {i}" for i in range(k, 40)], config=plain
        )
        for k in (0, 4)
    ]
    found = compare(made[0], made[0].patterns("a"), made[1], made[1].patterns("a"))
    assert found.left_image.tolist() == list(range(4, 40))
    assert found.right_image.tolist() == list(range(36))
    assert not found.alignment.moved.any()
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    test.session_state["study"] = str(made[0].folder)
    test.session_state["recent-studies"] = {str(study.folder): True for study in made}
    test.query_params["right"] = "4"
    test.run()
    assert not test.exception
    assert "36 images matched by name; 4 are only on the left" in texts(test)


def test_a_side_without_patterns_names_the_next_step(tmp_path):
    groups = np.eye(3)[np.arange(30) % 3] + np.random.default_rng(0).normal(size=(30, 3)) * 0.01
    layers = {"groups": groups, "line": 2.0 ** np.arange(30)[:, None]}
    study = Study.from_activations(tmp_path / "study", layers, config=RECIPES["published"])
    assert study.patterns("groups").n_patterns == 3
    assert study.patterns("line").n_patterns == 0
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    test.session_state["study"] = str(study.folder)
    test.run()
    assert not test.exception
    assert "`line` on the right has no patterns" in test.info[0].value
