"""The list of layers, the role of their axes, and the suggestion."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nap_core.activations.layers import list_layers, suggest_layers
from nap_core.types import LayerInfo

EXAMPLE = torch.zeros(1, 3, 32, 32)


def by_name(module: nn.Module, example: Tensor = EXAMPLE) -> dict[str, LayerInfo]:
    return {layer.name: layer for layer in list_layers(module, example)}


class Odd(nn.Module):
    """Parts in another order than they run in; one is never run, one gives no tensor, one runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.unused, self.relu = nn.Linear(4, 2), nn.Linear(4, 2), nn.ReLU()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.shape = Shape()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.across = nn.MultiheadAttention(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.relu(self.body(x)) - 1)
        self.shape(x)
        tokens, _ = self.attention(*[x.flatten(2).transpose(1, 2)[:, :9]] * 3)
        self.across(*[tokens.transpose(0, 1)] * 3)
        return self.head(tokens.mean(1))


class Shape(nn.Module):
    def forward(self, x: Tensor) -> tuple[int, ...]:
        return tuple(x.shape)


def test_calls_are_listed_in_execution_order() -> None:
    model = Odd().train()
    layers = list_layers(model, EXAMPLE)
    names = ["body.0", "body.1", "body", "relu", "relu#2", "shape", "attention", "across", "head"]
    assert [layer.name for layer in layers] == names
    assert all(part.training for part in model.modules())


def test_what_is_said_of_a_layer() -> None:
    layers = by_name(Odd())
    assert layers["body.0"] == LayerInfo("body.0", "Conv2d", (4, 30, 30), 112, "conv")
    assert layers["head"] == LayerInfo("head", "Linear", (2,), 10, "vector")
    assert layers["attention"].kind == "token"
    assert layers["attention"].output_shape == (9, 4)
    assert (layers["body.0"].n_units, layers["attention"].n_units, layers["head"].n_units) == (4, 4, 2)


def test_layers_that_cannot_be_read_say_why() -> None:
    layers = by_name(Odd())
    reasons = {
        "shape": "its output (tuple) holds no floating-point tensor with one row per image",
        "across": "its rows are tokens, not images (batch_first=False)",
    }
    assert {name: layer.reason for name, layer in layers.items() if layer.kind == "unreadable"} == reasons
    assert layers["shape"].n_units == 0


def test_units_of_one_dimensional_convolutions() -> None:
    block = nn.Sequential(nn.Conv1d(3, 5, 3), nn.ReLU(), nn.MaxPool1d(2))
    layers = by_name(nn.Sequential(block, nn.Dropout()), torch.zeros(1, 3, 20))
    assert [layer.kind for layer in layers.values()] == ["conv"] * 5
    tokens = by_name(nn.Sequential(nn.Linear(20, 8), nn.ReLU()), torch.zeros(1, 3, 20))
    assert {layer.kind for layer in tokens.values()} == {"token"}


def test_units_last_between_permutations() -> None:
    from torchvision.ops import Permute

    inner = [Permute([0, 2, 3, 1]), nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), Permute([0, 3, 1, 2])]
    model = nn.Sequential(nn.Conv2d(3, 8, 3), *inner, nn.ReLU())
    kinds = [layer.kind for layer in list_layers(model, EXAMPLE)]
    assert kinds == ["conv", "token", "token", "token", "token", "conv", "conv"]


def test_volumes_are_maps() -> None:
    layers = by_name(nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU()), torch.zeros(1, 1, 6, 6, 6))
    assert [(layer.kind, layer.n_units) for layer in layers.values()] == [("conv", 2), ("conv", 2)]


def cnn(n_stages: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for stage in range(n_stages):
        width = 4 * 2**stage
        parts += [nn.Conv2d(width // 2 if stage else 3, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 3)]
    return nn.Sequential(*parts, *head)


def test_suggested_for_a_plain_network() -> None:
    assert suggest_layers(list_layers(cnn(3), EXAMPLE)) == ("2", "5", "8", "11", "13")


def test_suggested_for_a_shallow_network() -> None:
    assert suggest_layers(list_layers(cnn(1), EXAMPLE)) == ("0", "5", "7")


@pytest.mark.parametrize("model", [nn.Sequential(), nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))])
def test_suggested_for_hardly_any_network(model: nn.Module) -> None:
    layers = list_layers(model, EXAMPLE)
    assert suggest_layers(layers) == tuple(layer.name for layer in layers[-1:])


FAMILIES: dict[str, tuple[str, ...]] = {
    "resnet18": ("layer1", "layer2", "layer3", "layer4", "fc"),
    "mobilenet_v2": ("features.1", "features.3", "features.6", "features.13", "features.18", "classifier"),
    "alexnet": ("features.2", "features.5", "features.12", "classifier.4", "classifier"),
    "vgg11": (*(f"features.{i}" for i in (2, 5, 10, 15, 20)), "classifier.3", "classifier"),
    "densenet121": (*(f"features.denseblock{i}" for i in (1, 2, 3, 4)), "classifier"),
    "efficientnet_b0": ("features.1", "features.2", "features.3", "features.5", "features.8", "classifier"),
    "convnext_tiny": ("features.1", "features.3", "features.5", "features.7", "classifier"),
    "swin_t": ("features.1", "features.3", "features.5", "features.7", "head"),
    "vit_b_32": (*(f"encoder.layers.encoder_layer_{i}" for i in (1, 3, 5, 7, 9, 11)), "heads"),
}


def logits_of(family: str) -> tuple[LayerInfo, ...]:
    import torchvision

    with torch.device("meta"):
        model = getattr(torchvision.models, family)(weights=None)
    return list_layers(model, torch.zeros(1, 3, 224, 224, device="meta"))


@pytest.mark.parametrize("family", FAMILIES)
def test_suggested_stages_of_the_families(family: str) -> None:
    assert suggest_layers(logits_of(family)) == FAMILIES[family]


@pytest.mark.parametrize(
    ("family", "kinds"),
    [("swin_t", {"token"}), ("convnext_tiny", {"conv"}), ("maxvit_t", {"conv"}), ("vit_b_32", {"token"})],
)
def test_the_roles_of_the_axes_in_the_families(family: str, kinds: set[str]) -> None:
    layers = logits_of(family)
    chosen: Any = set(suggest_layers(layers))
    assert {layer.kind for layer in layers if layer.name in chosen and layer.kind != "vector"} == kinds
