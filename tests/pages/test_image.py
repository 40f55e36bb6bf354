"""The Image page alone: the demo, an address, the search, one's own pictures, and why there can be none."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from nap_core.activations.extract import network_layers
from nap_core.configs import RECIPES
from nap_core.inputs.demos import demo_images, demo_network
from nap_core.study import Study

PAGE = str(Path(__file__).resolve().parents[2] / "pages" / "image.py")


def opened(study: str = "shapes", **address: str) -> AppTest:
    test = AppTest.from_file(PAGE, default_timeout=120)
    test.session_state["study"] = study
    for name, value in address.items():
        test.query_params[name] = value
    return test.run()


def texts(test: AppTest) -> str:
    kinds = (test.markdown, test.info, test.error, test.warning, test.caption)
    return " ".join(element.value for kind in kinds for element in kind)


def headings(test: AppTest) -> str:
    return " ".join(element.proto.body for element in test.get("html"))


def png(picture: Image.Image) -> bytes:
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    return packed.getvalue()


@pytest.mark.parametrize("demo", ["shapes", "shapes_clean", "digits"])
def test_an_image_that_leaves_its_class_is_followed_first(demo):
    test = opened(demo)
    assert not test.exception
    assert "misclassified as" in texts(test)
    assert "It leaves its class, “" in texts(test)


def test_an_address_names_the_image():
    test = opened(image="shapes-0003")
    assert not test.exception
    assert "shapes-0003" in headings(test)
    assert "has no image" in texts(opened(image="nothing"))


def test_search_and_walk():
    test = opened(image="shapes-0003")
    test.button(key="Next").click().run()
    assert test.query_params["image"] == "shapes-0004"
    test.text_input(key="find-image").set_value("no such thing").run()
    assert "No image here has “no such thing” in its name or class" in texts(test)
    assert test.button(key="Next").disabled
    test.text_input(key="find-image").set_value("heart").run()
    test.button(key="Next").click().run()
    assert not test.exception
    image = Study.demo("shapes").ids.index(test.query_params["image"])
    assert Study.demo("shapes").target[image] == Study.demo("shapes").class_names.index("heart")


def test_walk_through_the_selection():
    folder = str(Study.demo("shapes").folder)
    test = AppTest.from_file(PAGE, default_timeout=120)
    test.session_state["selection"] = {folder: (3, 70, 1999)}
    test.query_params["image"] = "shapes-0003"
    test.run()
    test.selectbox(key="walk-through").set_value("selected").run()
    test.button(key="Next").click().run()
    assert test.query_params["image"] == "shapes-0070"
    test.button(key="select-it").click().run()
    assert test.session_state["selection"][folder] == (3, 1999)


def test_own_pictures_are_followed_and_the_study_stays_as_it_was():
    study = Study.demo("shapes")
    before = (study.folder / "study.json").read_bytes(), (study.folder / "images.json").read_bytes()
    test = opened(upload="new")
    assert "Here your picture appears" in texts(test)
    own = png(demo_images("shapes").picture(700))
    test.file_uploader[0].set_value([("mine <b>.png", own, "image/png"), ("bad.jpg", b"no", "image/jpeg")]).run()
    assert not test.exception
    assert test.query_params["upload"] == "0"
    assert "mine &lt;b&gt;.png" in headings(test)
    assert "Your picture, seen as “" in texts(test)
    assert "“bad\\.jpg” was left out" in texts(test)
    assert before == ((study.folder / "study.json").read_bytes(), (study.folder / "images.json").read_bytes())


def test_a_file_that_is_no_picture_is_a_sentence():
    test = opened("digits", upload="new")
    test.file_uploader[0].set_value([("bad.jpg", b"no", "image/jpeg")]).run()
    assert not test.exception
    assert "No picture can be read ('bad.jpg'" in test.error[0].value


def test_a_picture_of_another_session_is_not_kept():
    assert "uploaded in another session" in texts(opened(upload="7"))


def test_activations_made_elsewhere_take_no_pictures(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 4))
    study = Study.from_activations(tmp_path / "study", {"a": values, "b": values})
    test = opened(str(study.folder))
    assert not test.exception
    assert "in some pattern in" in texts(test)
    test = opened(str(study.folder), upload="new")
    assert "activations from elsewhere" in texts(test)
    assert not test.file_uploader


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"name": "Net", "source": "weights from mine.pth"}, "Load the same weights on Setup"),
        ({"name": "resnet18", "source": "torchvision's published weights IMAGENET1K_V1"}, "not loaded in this session"),
    ],
)
def test_a_network_that_is_not_loaded(tmp_path, model, said):
    values = np.random.default_rng(0).normal(size=(60, 4))
    study = Study.from_activations(tmp_path / "study", {"a": values})
    about = study.about | {"model": model | {"fingerprint": "none"}}
    (study.folder / "study.json").write_text(json.dumps(about), encoding="utf-8")
    test = opened(str(study.folder), upload="new")
    assert not test.exception
    assert said in texts(test)


def test_unknown_study_is_a_sentence(tmp_path):
    test = opened(str(tmp_path / "gone"))
    assert not test.exception
    assert "There is no study in" in test.error[0].value


def test_a_visitors_own_network_takes_pictures_while_it_is_loaded(tmp_path):
    network = replace(demo_network("digits"), name="mine", source="weights from mine.safetensors")
    images = demo_images("digits").limited(80)
    layers = [layer for layer in network_layers(network, images) if layer.name in ("stage3", "logits")]
    study = Study.create(tmp_path / "study", network, images, layers, config=RECIPES["published"])
    study.extract(network, images, device="cpu")
    study.cluster()
    test = AppTest.from_file(PAGE, default_timeout=120)
    test.session_state["study"] = str(study.folder)
    test.query_params["upload"] = "new"
    assert "Load the same weights on Setup" in texts(test.run())
    test.session_state["visitor"].take_network(network)
    test.run()
    test.file_uploader[0].set_value([("three.png", png(images.picture(3)), "image/png")]).run()
    assert not test.exception
    assert "three.png" in headings(test)
