"""Where and how a network computes: the layout changes no more than last digits, the number format changes the key."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nap_core.activations import batches, devices, extract
from nap_core.activations.devices import pick_device, placed, precisions, takes_channels_last
from nap_core.activations.extract import activations_key, load_activations
from nap_core.errors import ConfigError, UnknownNameError
from nap_core.store import Store
from tests.unit.test_extract import LAYERS, Network, Pictures, toy

CPU = torch.device("cpu")
EXAMPLE = torch.zeros(2, 3, 12, 12)
has_bfloat16 = pytest.mark.skipif("bfloat16" not in precisions(CPU), reason="no bfloat16 on this processor")


class Viewing(nn.Module):
    """Takes the places of a map as they lie in memory, which only works with channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(400, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).view(len(x), -1))


def values(folder: Path, network: Network, layers: tuple[str, ...], **how: object) -> list[np.ndarray]:
    store = Store(folder)
    keys = extract.extract(network, Pictures(9), layers, store=store, device="cpu", batch_size=4, **how)
    return [np.array(load_activations(store, keys[name]).values) for name in layers]


@pytest.mark.parametrize("pooling", ["mean_std", "none"])
def test_the_layout_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pooling: str) -> None:
    fast = values(tmp_path / "fast", Network(toy()), LAYERS, pooling=pooling)
    monkeypatch.setattr(extract, "takes_channels_last", lambda *_: False)
    for ours, plain in zip(fast, values(tmp_path / "plain", Network(toy()), LAYERS, pooling=pooling), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-5)


def test_a_network_that_views_its_outputs_runs_with_channels_first(tmp_path: Path) -> None:
    assert takes_channels_last(toy(), EXAMPLE)
    assert not takes_channels_last(Viewing(), EXAMPLE)
    assert not takes_channels_last(nn.Sequential(nn.Flatten(), nn.Linear(432, 3)), EXAMPLE)
    assert values(tmp_path, Network(Viewing()), ("conv",))[0].shape == (9, 4)


def test_the_module_is_left_as_it_was() -> None:
    module = toy().train()
    weights, strides = module[0].weight.detach().clone(), module[0].weight.stride()
    running = module[1].running_mean.clone()
    assert takes_channels_last(module, EXAMPLE)
    with placed(module, CPU, channels_last=True):
        assert module[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert module.training
    assert module[0].weight.stride() == strides
    torch.testing.assert_close(module[0].weight, weights, rtol=0, atol=0)
    torch.testing.assert_close(module[1].running_mean, running, rtol=0, atol=0)


def test_the_number_format_is_in_the_key() -> None:
    network, images = Network(toy()), Pictures(3)
    keys = {activations_key(network, images, "2", "mean", precision) for precision in ("float32", "bfloat16")}
    assert len(keys) == 2
    assert activations_key(network, images, "2", "mean") in keys


class Beside:
    """Stands for a CUDA stream where there is none, and writes down what it is asked."""

    def __init__(self, *_: object) -> None:
        self.waited_for: list[int] = []
        self.n_recorded = 0

    def record_event(self) -> int:
        self.n_recorded += 1
        return self.n_recorded

    def wait_event(self, event: int) -> None:
        self.waited_for.append(event)


@pytest.mark.parametrize("n", [1, 4, 9])
def test_every_batch_is_on_its_way_before_the_one_ahead_is_run(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    beside, ahead = Beside(), Beside()
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: beside)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: ahead)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    plain = list(batches.batches(Network(toy()), Pictures(n), 0, 4, CPU))
    found = []
    for position, pair in enumerate(batches._uploaded(iter(plain), toy(), CPU)):
        assert beside.n_recorded == min(position + 2, len(plain))
        assert ahead.waited_for == list(range(1, position + 2))
        found.append(pair)
    assert [first for first, _ in found] == [first for first, _ in plain]
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(found, plain, strict=True))


@has_bfloat16
def test_bfloat16_is_near_and_not_the_same(tmp_path: Path) -> None:
    exact = values(tmp_path, Network(toy()), LAYERS)
    coarse = values(tmp_path, Network(toy()), LAYERS, precision="bfloat16")
    for one, other in zip(exact, coarse, strict=True):
        assert other.dtype == np.float32
        assert 0 < np.abs(one - other).max() < 0.02 * np.abs(one).max()


def test_a_device_without_the_number_format_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "precisions", lambda _: ("float32",))
    with pytest.raises(ConfigError, match="no arithmetic in bfloat16"):
        values(tmp_path, Network(toy()), LAYERS, precision="bfloat16")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with pytest.raises(UnknownNameError, match="float32, bfloat16"):
        pick_device("cpu", "float8")
