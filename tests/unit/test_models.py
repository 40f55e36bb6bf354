"""Networks by name, from weights, from a file's function, and from Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models, transforms

from nap_core.errors import ConfigError, InputError, UnknownNameError, UnsafeFileError, WeightsError
from nap_core.inputs import zoo
from nap_core.inputs.models import Network, load_model, network
from nap_core.inputs.preprocessing import Preprocessing

SMALL = ["squeezenet1_1", "mnasnet0_5", "shufflenet_v2_x0_5", "mobilenet_v3_small", "googlenet", "regnet_y_400mf"]


def made(name: str, n_classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    options = {"init_weights": False} if name == "googlenet" else {}
    return models.get_model(name, weights=None, num_classes=n_classes, **options).eval()


def saved(module: nn.Module, file: Path) -> Path:
    save_file({key: value.clone() for key, value in module.state_dict().items()}, file)
    return file


@pytest.fixture(autouse=True)
def no_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAP_TRUST_LOCAL_FILES", raising=False)


@pytest.mark.parametrize("name", SMALL)
def test_recognised_and_loaded_exactly(name: str, tmp_path: Path) -> None:
    module = made(name)
    if name == "googlenet":
        module.transform_input = True
    found = load_model(weights=saved(module, tmp_path / "w.safetensors"))
    assert (found.name, found.class_names) == (name, ())
    assert not found.module.training
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(found.module(image), module(image))
    assert not any(value.is_meta for value in (*found.module.parameters(), *found.module.buffers()))


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    found = load_model(weights=saved(made("squeezenet1_1").half(), tmp_path / "w.safetensors"))
    assert {value.dtype for value in found.module.parameters()} == {torch.float32}


def test_a_vision_transformer_for_larger_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {k: torch.zeros(s) for k, s in zoo.shapes_of(zoo.build("vit_b_32", n_classes=3, input_size=384)).items()}
    save_file(state, tmp_path / "w.safetensors")
    found = load_model(weights=tmp_path / "w.safetensors")
    assert found.module.image_size == 384


def test_a_head_behind_dropout_is_taken(tmp_path: Path) -> None:
    module = made("regnet_y_400mf")
    module.fc = nn.Sequential(nn.Dropout(), nn.Linear(440, 5))
    with pytest.warns(UserWarning, match=r"fc\.1\.weight"):
        found = load_model(weights=saved(module, tmp_path / "w.safetensors"))
    image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(found.module(image), module.eval()(image))


def test_wrong_weights_name_the_first_difference(tmp_path: Path) -> None:
    file = saved(made("squeezenet1_1"), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"do not fit squeezenet1_0: .*features\.0\.weight.*They fit squeezenet1_1"):
        load_model("squeezenet1_0", file)
    state = load_file(file)
    del state["features.3.squeeze.bias"]
    save_file(state, file)
    with pytest.raises(WeightsError, match=r"1 missing \(features\.3\.squeeze\.bias\)"):
        load_model("squeezenet1_1", file)


def test_class_names(tmp_path: Path) -> None:
    file, names = saved(made("squeezenet1_1"), tmp_path / "w.safetensors"), ("a", "b", "c", "d")
    assert load_model(weights=file, class_names=names).class_names == names
    texts = ["a\nb\nc\nd\n", '["a","b","c","d"]', '[["n1","a"],["n2","b"],["n3","c"],["n4","d"]]']
    texts += [
        '{"0":"a","1":"b","2":"c","3":"d"}',
        '{"d":3,"c":2,"b":1,"a":0}',
        '{"0":["n","a"],"1":"b","2":"c","3":"d"}',
    ]
    for text in texts:
        (tmp_path / "names").write_text(text)
        assert load_model(weights=file, class_names=tmp_path / "names").class_names == names
    for text in ("a\nb\n", '["a"', "[1, 2, 3, 4]", '{"7":"a"}'):
        (tmp_path / "names").write_text(text)
        with pytest.raises(InputError):
            load_model(weights=file, class_names=tmp_path / "names")
    with pytest.raises(InputError, match="cannot be read"):
        load_model(weights=file, class_names=tmp_path / "none.txt")


def test_names(tmp_path: Path) -> None:
    assert load_model("digits").name == "digits"
    with pytest.raises(UnknownNameError, match="did you mean resnet50"):
        load_model("resnet5")
    with pytest.raises(UnknownNameError, match="weights file"):
        load_model()
    with pytest.raises(ConfigError, match="its own weights"):
        load_model("digits", tmp_path / "w.pth")


def test_published_weights_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "w.pth"
    torch.save(made("squeezenet1_1", 1000).state_dict(), file)
    monkeypatch.setattr(zoo, "download", lambda name, weights: file)
    found = load_model("squeezenet1_1", "IMAGENET1K_V1")
    assert found.class_names[:2] == ("tench", "goldfish")
    assert found.preprocessing == zoo.MODELS["squeezenet1_1"].published().preprocessing
    assert found.source == "torchvision's published weights IMAGENET1K_V1"


WRAPPER = """
from torch import nn
class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
    def forward(self, x):
        return self.conv(x).mean((2, 3))
def build():
    return Tiny()
def broken():
    raise RuntimeError("no")
def number():
    return 7
"""


def test_a_function_of_a_file_needs_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.py"
    file.write_text(WRAPPER)
    with pytest.raises(UnsafeFileError, match="NAP_TRUST_LOCAL_FILES=1"):
        load_model(f"{file}:build")
    monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", "1")
    with pytest.raises(UnsafeFileError, match="never run"):
        load_model(f"{file}:build", uploaded=True)
    with pytest.warns(UserWarning, match="its code runs now"):
        found = load_model(f"{file}:build", preprocessing=Preprocessing(None, None, (0,), (1,), 1))
    assert found.name == "build"
    with pytest.warns(UserWarning):
        before, after = found.fingerprint, file.write_text(WRAPPER.replace("mean(", "sum("))
        changed = load_model(f"{file}:build")
    changed.module.load_state_dict(found.module.state_dict())
    assert after and changed.fingerprint != before
    for name, error in (("broken", WeightsError), ("number", WeightsError), ("none", UnknownNameError)):
        with pytest.warns(UserWarning), pytest.raises(error):
            load_model(f"{file}:{name}")
    with pytest.raises(UnknownNameError):
        load_model(f"{tmp_path}/none.py:build")


def test_whole_modules_and_programs_need_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = made("squeezenet1_1")
    torch.save(module, tmp_path / "whole.pth")
    torch.jit.save(torch.jit.script(module), tmp_path / "program.pt")
    for trust in ("0", "1"):
        monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", trust)
        for file in tmp_path.iterdir():
            with pytest.raises(UnsafeFileError):
                load_model(weights=file, uploaded=True)
    for file in tmp_path.iterdir():
        with pytest.warns(UserWarning, match="its code runs now"):
            assert load_model(weights=file).name == "squeezenet1_1"


class Evil:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_an_upload_runs_nothing_whatever_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", "1")
    torch.save({"x": Evil(tmp_path / "ran")}, tmp_path / "evil.pth")
    for name in (None, "resnet18"):
        with pytest.raises(UnsafeFileError, match="mkdir"):
            load_model(name, tmp_path / "evil.pth", uploaded=True)
    assert not (tmp_path / "ran").exists()


def tiny(scale: float = 1.0) -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    module.scale = scale  # type: ignore[assignment]
    return module


def test_the_fingerprint_changes_with_every_value_and_setting() -> None:
    plain = Preprocessing(None, None)
    base = network(tiny(), plain).fingerprint
    assert network(tiny(), plain).fingerprint == base
    assert network(tiny().to(memory_format=torch.channels_last), plain).fingerprint == base  # type: ignore[call-overload]
    assert network(tiny().train(), plain).fingerprint == network(tiny().eval(), plain).fingerprint
    others = [tiny(), tiny(), tiny(2.0), tiny(), tiny()]
    with torch.no_grad():
        others[0][0].bias[2] += 1e-6  # type: ignore[index]
        others[1][1].running_var[0] = 2  # type: ignore[index]
    others[3][2] = nn.GELU()  # type: ignore[index]
    others[4][0].stride = (2, 2)  # type: ignore[index]
    found = {network(other, plain).fingerprint for other in others}
    assert len(found | {base}) == 6


def test_any_module_from_python() -> None:
    image = Image.fromarray(np.zeros((40, 50, 3), np.uint8))
    preset = network(tiny(), models.ResNet18_Weights.DEFAULT.transforms())
    assert preset.preprocessing == Preprocessing(256, 224)
    composed = network(tiny(), transforms.Compose([transforms.Resize(8), transforms.ToTensor()]), name="mine")
    assert isinstance(composed, Network)
    assert composed.name == "mine"
    assert composed.preprocessing(image).shape == (3, 8, 10)
    assert "Resize(size=8" in composed.preprocessing.key
    with pytest.raises(ConfigError, match="key"):
        network(tiny(), lambda picture: picture)
    with pytest.raises(ConfigError, match="callable"):
        network(tiny(), 224)


def test_real_mobilenet(shared_data: Path) -> None:
    found = load_model(weights=shared_data / "models" / "mobilenet_v2_a_fp16.safetensors")
    assert found.name == "mobilenet_v2"
    assert found.class_names[0] == "tench"
    assert len(found.class_names) == 1000
    listed = load_model(
        weights=shared_data / "models" / "mobilenet_v2_a_fp16.safetensors",
        class_names=shared_data / "models" / "imagenet_classes.json",
    )
    assert listed.class_names[0].startswith("tench")
    assert listed.fingerprint == found.fingerprint


def test_real_foreign_weights(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared_data / "models"
    with pytest.raises(WeightsError, match="no architecture known here"):
        load_model(weights=folder / "cifar_resnet20.safetensors")
    file = tmp_path / "mine.py"
    file.write_text(
        f"import sys; sys.path.insert(0, {str(folder)!r})\nfrom model_defs import CIFAR10, build as made\n"
        "from nap_core.inputs.models import network\n"
        "from nap_core.inputs.preprocessing import Preprocessing\ndef build():\n"
        "    return network(made('cifar_resnet20'), Preprocessing(32, 32), class_names=CIFAR10)\n"
    )
    monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", "1")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.warns(UserWarning, match="its code runs now"):
        found = load_model(f"{file}:build", folder / "cifar_resnet20.safetensors")
    right = []
    for path in sorted((shared_data / "images" / "cifar10_train_lossless").rglob("*.png"))[::50]:
        with Image.open(path) as picture, torch.inference_mode():
            answer = int(found.module(found.preprocessing(picture)[None]).argmax())
        right.append(found.class_names[answer] == path.parent.name)
    assert np.mean(right) >= 0.9
