"""The registry of architectures and the fingerprints beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import hub
from torchvision import models

from nap_core.errors import OfflineError, UnknownNameError
from nap_core.inputs import zoo
from nap_core.inputs.zoo import MODELS


def test_every_classifier_of_torchvision_is_known() -> None:
    assert set(MODELS) == set(models.list_models(module=models))
    assert len({model.fingerprint for model in MODELS.values()}) == len(MODELS)
    assert len({model.title for model in MODELS.values()}) == len(MODELS)


def test_every_architecture_is_recognised_with_another_head() -> None:
    for name in MODELS:
        shapes = zoo.shapes_of(zoo.build(name, n_classes=7))
        found = zoo.find(shapes)
        assert found is not None
        assert found.name == name
        assert shapes[f"{found.head}.weight"][0] == 7


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "squeezenet1_1", "inception_v3", "regnet_x_400mf"])
def test_the_json_is_what_the_script_makes(name: str) -> None:
    assert zoo._architecture(name, zoo.describe(name)) == MODELS[name]


def test_published_weights() -> None:
    resnet = MODELS["resnet50"]
    assert resnet.published().name == resnet.published("DEFAULT").name == "IMAGENET1K_V2"
    assert resnet.published("IMAGENET1K_V1").preprocessing.resize == 256
    with pytest.raises(UnknownNameError, match="IMAGENET1K_V1, IMAGENET1K_V2"):
        resnet.published("V3")
    assert MODELS["vit_b_16"].preprocessing(384).crop == 384
    assert len(zoo.imagenet_classes()) == 1000


def test_picture_size_of_a_vision_transformer() -> None:
    assert zoo.image_size(zoo.shapes_of(zoo.build("vit_b_16", input_size=384))) == 384
    assert zoo.image_size(zoo.shapes_of(zoo.build("resnet18"))) is None
    larger = zoo.find(zoo.shapes_of(zoo.build("vit_b_16", input_size=384)))
    assert larger is not None
    assert larger.name == "vit_b_16"


def test_the_nearest_is_the_relative() -> None:
    shapes = {**zoo.shapes_of(zoo.build("resnet34")), "layer4.2.conv1.weight": (512, 256, 3, 3)}
    assert zoo.find(shapes) is None
    near, share = zoo.nearest(shapes)
    assert near.name == "resnet34"
    assert 0.8 < share <= 1


def test_sketches_estimate_the_overlap() -> None:
    a, b = ({f"layer{i}": (i,) for i in span} for span in (range(400), range(200, 600)))
    assert zoo.overlap(zoo.sketch(a), zoo.sketch(b)) == pytest.approx(1 / 3, abs=0.15)
    assert zoo.overlap((), ()) == 0


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(hub, "_hub_dir", None)
    monkeypatch.setattr(hub, "download_url_to_file", refuse)
    return tmp_path / "hub" / "checkpoints"


def test_without_network_a_sentence(no_network: Path) -> None:
    with pytest.raises(OfflineError, match=r"IMAGENET1K_V2 of mobilenet_v2 are not on this machine.*Connect"):
        zoo.download("mobilenet_v2")


def test_half_a_file_is_not_taken_for_a_whole_one(no_network: Path) -> None:
    url = models.ResNet18_Weights.DEFAULT.url
    no_network.mkdir(parents=True, exist_ok=True)
    (no_network / url.rpartition("/")[2]).write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(OfflineError, match="incomplete"):
        zoo.download("resnet18")


def test_the_list_of_models_needs_no_torch() -> None:
    code = "import sys; from nap_core.inputs.zoo import MODELS; assert MODELS and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_architecture() -> None:
    with pytest.raises(UnknownNameError, match="alexnet"):
        zoo.build("resnet17")


def test_old_checkpoints_without_counters_fit() -> None:
    module = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
    state = {key: value for key, value in module.state_dict().items() if not zoo.is_counter(key)}
    assert list(zoo.state_for(module, state)) == list(module.state_dict())
