"""New images through a study's network: its own come back to their place, other networks are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nap_core.errors import InputError, StudyError
from nap_core.inputs.demos import demo_images, demo_network
from nap_core.inputs.images import images_from_bytes
from nap_core.study import Study
from nap_core.study.image import newcomers
from nap_core.study.new_images import run_new_images
from nap_core.study.own_network import is_network_of, network_again, source_of_network


def png(picture: Image.Image) -> bytes:
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture(scope="module")
def shapes() -> Study:
    return Study.demo("shapes")


def test_a_studys_own_pictures_uploaded_come_back_to_their_own_place(shapes):
    images, chosen = demo_images("shapes"), (3, 700, 1999)
    uploads = images_from_bytes([png(images.picture(i)) for i in chosen], [f"{i}.png" for i in chosen])
    found = run_new_images(shapes, demo_network("shapes"), uploads, device="cpu")
    assert found.ids == ("3.png", "700.png", "1999.png")
    np.testing.assert_array_equal(found.predictions.prediction, shapes.predictions.prediction[list(chosen)])
    for layer, placed in zip(shapes.layer_names, newcomers(shapes, found.rows), strict=True):
        np.testing.assert_allclose(found.rows[layer], shapes.activations(layer).values[list(chosen)], atol=1e-4)
        assert placed.near[:, 0].tolist() == list(chosen)
        assert placed.label.tolist() == shapes.patterns(layer).label[list(chosen)].tolist()


def test_only_the_studys_own_network_is_taken(shapes):
    assert is_network_of(shapes, demo_network("shapes"))
    other = demo_network("shapes_clean")
    assert not is_network_of(shapes, other)
    images = images_from_bytes([png(Image.new("RGB", (64, 64)))], ["black.png"])
    with pytest.raises(StudyError, match="made with another model"):
        run_new_images(shapes, other, images)


def test_another_preprocessing_is_another_model(shapes):
    from dataclasses import replace

    from nap_core.inputs.preprocessing import Preprocessing

    network = demo_network("shapes")
    changed = replace(network, preprocessing=Preprocessing(64, 64, (0.4,) * 3, (0.25,) * 3, 3))
    assert not is_network_of(shapes, changed)


def test_activations_made_elsewhere_have_no_network(tmp_path):
    study = Study.from_activations(tmp_path, {"a": np.random.default_rng(0).normal(size=(20, 3))})
    assert not is_network_of(study, demo_network("digits"))
    assert source_of_network(study) == ""
    with pytest.raises(StudyError, match="not published"):
        network_again(study)


@pytest.mark.parametrize("name", ["shapes", "shapes_clean", "digits"])
def test_a_demos_network_is_at_hand(name):
    study = Study.demo(name)
    assert source_of_network(study) == "demo"
    assert is_network_of(study, network_again(study))


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("resnet18", "torchvision's published weights IMAGENET1K_V1", "published"),
        ("resnet18", "weights from mine.safetensors", ""),
        ("Net", "a module given from Python", ""),
    ],
)
def test_published_weights_can_be_had_again(tmp_path, name, source, found):
    study = Study.from_activations(tmp_path, {"a": np.random.default_rng(0).normal(size=(20, 3))})
    study.about["model"] = {"name": name, "source": source, "fingerprint": "none"}
    assert source_of_network(study) == found


def test_bad_files_are_told_by_name():
    good = png(Image.new("L", (9, 5), 77))
    found = images_from_bytes([b"no picture", good, good[:40]], ["a.jpg", "b.png", "c.png"])
    assert found.ids == ("b.png",)
    assert found.picture(0).size == (9, 5)
    assert [one.name for one in found.skipped] == ["a.jpg", "c.png"]
    with pytest.raises(InputError, match=r"No picture can be read \('a.jpg': not a picture"):
        images_from_bytes([b"no picture"], ["a.jpg"])
    with pytest.raises(InputError, match="no file was given"):
        images_from_bytes([], [])
