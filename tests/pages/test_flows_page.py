"""The Flows page alone: a click as an address, filters, what is folded, classes and layers below the chart."""

from __future__ import annotations

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.types import NOISE
from nap_core.ui.flow_layers import path_words
from tests.pages.test_pages import PAGES, texts


@pytest.fixture
def shapes() -> Study:
    return Study.demo("shapes")


def flows(state: dict[str, object] | None = None, **address: str | list[str]) -> AppTest:
    test = AppTest.from_file(str(PAGES / "flows.py"), default_timeout=120)
    for name, value in address.items():
        test.query_params[name] = value
    for name, value in (state or {}).items():
        test.session_state[name] = value
    test.run()
    assert not test.exception
    return test


def button(test: AppTest, label: str):
    return next(found for found in test.button if label in found.label)


def test_a_clicked_ribbon_is_in_the_address_and_answered_with_exactly_its_images(shapes):
    flow = shapes.flow("stage4", "features")
    large, to = (int(number) for number in np.argwhere(flow.count[:-1, :-1] == flow.count[:-1, :-1].max())[0])
    members = flow.members(large, to)
    said = texts(flows(part=f"stage4:{large}>features:{to}"))
    assert f"From pattern {large} of `stage4` to pattern {to} of `features`" in said
    assert f"**{len(members):,} images**" in said
    assert "times as many as chance would bring" in said


def test_the_first_view_leaves_out_layers_whose_bars_would_hold_few_images(shapes):
    test = flows()
    assert test.multiselect(key="flow-layers").value == ["stage1", "stage2", "features", "logits"]
    n = shapes.patterns("stage3").n_patterns
    assert any(f"Not drawn at first: `stage3` ({n} patterns) and `stage4`" in said.value for said in test.caption)
    assert "folded" not in texts(test)
    button(test, "Draw all 6 layers").click().run()
    assert "2,000 images** through 6 layers" in texts(test)
    assert "folded into “n more”" in texts(test)
    assert not any("Not drawn at first" in said.value for said in test.caption)


def test_a_part_asked_for_is_in_the_first_view():
    test = flows(part="stage4:3>features:1")
    assert test.multiselect(key="flow-layers").value == ["stage1", "stage2", "stage4", "features", "logits"]


def test_a_clicked_bar_leads_on_to_its_ribbons_and_to_itself_alone(shapes):
    test = flows(part="features:3")
    size = int(shapes.patterns("features").size[3])
    assert f"**{size:,} images**" in texts(test)
    way = next(found for found in test.button if found.key and found.key.startswith("way-features:3>"))
    way.click().run()
    assert not test.exception
    assert "From pattern 3 of `features` to " in texts(test)
    button(test, "All of pattern 3 of features").click().run()
    button(test, "Follow only these").click().run()
    assert not test.exception
    assert f"**{size:,} of 2,000 images** (in pattern 3 of `features`)" in texts(test)


def test_what_is_folded_unfolds():
    test = flows(part="stage4:more")
    assert re.search(r"\d+ more patterns of `stage4`", texts(test))
    button(test, "Unfold").click().run()
    assert not test.exception
    assert test.session_state["flow-unfolded"] == ["stage4"]
    assert "Click a bar or a ribbon" in texts(test)


def test_a_part_that_the_chart_does_not_have_is_no_click():
    assert "Click a bar or a ribbon" in texts(flows(part="stage4:999"))


def test_only_the_misclassified_only_a_class_only_the_selected(shapes):
    wrong = misclassified(shapes)
    test = flows()
    test.pills(key="flow-only").set_value(["misclassified"]).run()
    assert f"**{int(wrong.sum()):,} of 2,000 images** (misclassified)" in texts(test)
    star = shapes.class_names.index("star")
    test.selectbox(key="flow-class").set_value("star").run()
    both = wrong & (shapes.target == star)
    assert f"**{int(both.sum()):,} of 2,000 images** (misclassified, class star)" in texts(test)
    test = flows({"selection": {str(shapes.folder): (3, 5, 1999)}})
    test.pills(key="flow-only").set_value(["selected"]).run()
    assert "**3 of 2,000 images** (selected)" in texts(test)


def test_an_address_reopens_the_view(shapes):
    label = shapes.patterns("features").label
    shortcut = int(np.bincount(label[misclassified(shapes) & (label >= 0)]).argmax())
    address = {"flow-layers": ["stage4", "features"], "flow-only": ["misclassified"], "part": f"features:{shortcut}"}
    said = texts(flows(**address))
    assert "(misclassified) through 2 layers" in said
    assert f"Pattern {shortcut} of `features`" in said
    assert "of them for star" in said


def test_choices_that_have_no_image_in_common_say_so(shapes):
    right = int(np.flatnonzero(~misclassified(shapes))[0])
    test = flows({"selection": {str(shapes.folder): (right,)}})
    test.pills(key="flow-only").set_value(["misclassified", "selected"]).run()
    assert not test.exception
    assert "No image is misclassified and selected" in texts(test)


def test_layers_in_the_order_in_which_they_are_picked():
    test = flows()
    test.multiselect(key="flow-layers").set_value(["logits", "stage4"]).run()
    assert "through 2 layers" in texts(test)
    button(test, "network's order").click().run()
    assert test.session_state["flow-layers"] == ["stage4", "logits"]
    test.multiselect(key="flow-layers").set_value(["logits"]).run()
    assert "Choose two layers or more" in texts(test)


@pytest.mark.parametrize("demo", ["shapes", "digits"])
def test_classes_and_layers_are_told_below_the_chart(demo):
    test = flows({"study": demo})
    assert "lie spread over" in texts(test)
    assert "group the images most alike" in texts(test)


def test_a_class_is_told_in_words():
    from nap_core.patterns.class_paths import class_paths
    from tests.unit.test_flows import patterns

    target = np.array([0] * 8 + [1] * 8, np.int32)
    first = patterns("a", [0, 1, 2, 3] * 2 + [4] * 8)
    second = patterns("b", [0] * 8 + [1, 2] * 4)
    said = path_words(class_paths([first, second], target), 0, "cat")
    assert "about 4.0 patterns in `a` and over one pattern in `b`" in said
    assert "comes together most between `a` and `b` (4.0 → 1.0)" in said
    assert "pattern 0 with 8 of its 8 images and 100% of that pattern are cat" in said
    other = path_words(class_paths([first, second], target), 1, "dog")
    assert "splits most between `a` and `b` (1.0 → 2.0)" in other
    assert "together in pattern 4 of `a`, which holds 8 of its 8 images, but not in the end" in other
    assert "no pattern of `b` holds more than 4" in other
    apart = path_words(class_paths([second, second], target), 1, "dog")
    assert "nowhere together: no pattern holds more of it than pattern 1 of `b`, 4 of its 8 images" in apart
    lost = path_words(class_paths([patterns("c", [0, 1, 2, 3] * 2 + [NOISE] * 8)] * 2, target), 1, "dog")
    assert "None of its images is in a pattern of any layer" in lost
