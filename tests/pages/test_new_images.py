"""The New images page: classes left out, pictures given, and how well each score finds them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from nap_core.inputs.demos import demo_images
from nap_core.study import Study
from nap_core.ui import new_images
from nap_core.ui.new_images import unknown_classes

PAGE = str(Path(__file__).resolve().parents[2] / "pages" / "new_images.py")


def opened(study: str, **state: object) -> AppTest:
    test = AppTest.from_file(PAGE, default_timeout=120)
    for key, value in {"study": study, **state}.items():
        test.session_state[key] = value
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(element.value for kind in (test.markdown, test.info, test.caption) for element in kind)


def way(test: AppTest, name: str) -> AppTest:
    next(choice for choice in test.segmented_control if choice.key.startswith("new-way")).set_value(name)
    return test.run()


def png(picture) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_the_digits_that_the_network_never_saw_are_asked_about_at_once():
    test = opened("digits")
    assert not test.exception
    said = texts(test)
    assert "of 354 images of class 8, 9 look foreign**" in said
    assert "Of images of known kinds it would be about 18." in said
    assert "All layers together tell them with **0.9" in said  # declared foreign: the network has no answer for them
    assert any(button.label.startswith("Select the 3") for button in test.button)
    assert any("of these 6" in button.label for button in test.button)


def test_a_class_of_which_no_file_could_be_read_is_not_asked_about(monkeypatch):
    names = (*Study.demo("digits").class_names, "broken")
    monkeypatch.setattr(Study, "class_names", property(lambda study: names))
    test = opened("digits")
    assert not test.exception
    assert "of 354 images of class 8, 9 look foreign**" in texts(test)
    assert "broken" not in test.multiselect[0].options


def test_other_classes_are_left_out_and_nobody_calls_them_foreign():
    test = opened("digits")
    test.multiselect[0].set_value(["0"]).run()
    assert not test.exception
    assert "of 178 images of class 0 look foreign**" in texts(test)
    assert "AUROC" not in " ".join(m.value for m in test.markdown)
    test.toggle[0].set_value(True).run()
    assert "(AUROC; 95 %" in texts(test)
    test.multiselect[0].set_value([]).run()
    assert not test.exception
    assert "Choose one class or more" in texts(test)


def test_the_images_that_look_foreign_become_the_selection(monkeypatch):
    gone = []
    monkeypatch.setattr("nap_core.ui.foreign_panel.st.switch_page", gone.append)
    test = opened("digits")
    next(button for button in test.button if button.label.startswith("Select the 3")).click().run()
    assert gone == ["pages/selection.py"]
    (images,) = test.session_state["selection"].values()
    assert (Study.demo("digits").target[list(images)] >= 8).all()


def test_pictures_are_given_and_one_is_followed(monkeypatch):
    gone = []
    monkeypatch.setattr("nap_core.ui.foreign_panel.st.switch_page", lambda page, **more: gone.append((page, more)))
    monkeypatch.setattr(new_images, "MOST_HOSTED", 12)
    test = opened("shapes")
    assert "At most 12 are looked at" in texts(test)
    digits = demo_images("digits")
    test.file_uploader[0].set_value([(f"<b>{i}.png", png(digits.picture(i)), "image/png") for i in range(20)]).run()
    assert not test.exception
    said = texts(test)
    assert "12 of 12 images from" in said
    assert "12 were drawn from 20." in said
    assert "stranger than every known image" in said
    next(button for button in test.button if button.label.startswith("Follow it")).click().run()
    assert gone == [("pages/image.py", {"query_params": {"upload": "0"}})]
    assert len(test.session_state["visitor"].uploads) == 1


def test_a_demos_pictures():
    test = way(opened("digits"), new_images.DEMO)
    assert not test.exception
    next(button for button in test.button if button.label.startswith("Look at 300")).click().run()
    assert not test.exception
    assert "300 of 300 images from shapes drawn by code look foreign" in texts(test)


def test_a_file_that_is_no_picture_is_a_sentence():
    test = opened("shapes")
    test.file_uploader[0].set_value([("bad.jpg", b"no", "image/jpeg")]).run()
    assert not test.exception
    assert "bad.jpg" in test.error[0].value


@pytest.mark.parametrize("targets", [(), (0, 1)])
def test_activations_made_elsewhere_have_no_network_for_pictures(tmp_path, targets):
    rows = np.random.default_rng(0).normal(size=(60, 4))
    study = Study.from_activations(
        tmp_path / "s", {"a": rows, "b": rows}, targets=list(np.resize(targets, 60)) if targets else []
    )
    study.cluster()
    test = opened(str(study.folder))
    assert not test.exception
    assert not test.file_uploader
    assert ("Choose one class or more" if targets else "activations from elsewhere") in texts(test)


def test_classes_that_the_network_lacks():
    assert unknown_classes(Study.demo("digits")) == ["8", "9"]
    assert unknown_classes(Study.demo("shapes")) == []
