"""Hooks: what they catch, and that nothing of them stays."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nap_core.activations.hooks import capture, evaluating, find_tensor, locked, run_module, split_call
from nap_core.errors import InputError, LayerNotReachedError, UnknownLayerError, UnreadableLayerError
from tests.oracles import truncated_activations

BATCH = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Twice(nn.Module):
    """One ReLU, called twice, a layer that nobody calls, and a layer that answers with a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.unused, self.pair = nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Linear(2, 2), Pair()

    def forward(self, x: Tensor) -> Any:
        x = self.relu(self.conv(x)) - 0.2
        return self.pair(self.relu(x))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return {"weights": None, "n": 3, "parts": (torch.ones(7), [x.mean((2, 3))])}


def inplace_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Flatten(), nn.BatchNorm1d(216), nn.ReLU(True)
    )


def n_hooks(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def caught(
    module: nn.Module, names: list[str], reduce: Any = lambda _name, values: values.clone()
) -> dict[str, Tensor]:
    with capture(module, names, reduce) as found, torch.inference_mode():
        found.n_images = len(BATCH)
        module(BATCH)
        return found.take()


@pytest.mark.parametrize("name", ["0", "1", "2", "3", "4", "5"])
def test_a_layer_is_read_before_the_next_one_overwrites_it(name: str) -> None:
    model = inplace_model()
    assert torch.equal(caught(model, [name])[name], truncated_activations(model, name, BATCH))


def test_every_call_of_a_shared_module_has_its_own_address() -> None:
    torch.manual_seed(0)
    model = Twice()
    found = caught(model, ["relu", "relu#2", "pair"])
    first = torch.relu(model.conv(BATCH)).detach()
    assert torch.equal(found["relu"], first)
    assert torch.equal(found["relu#2"], torch.relu(first - 0.2))
    torch.testing.assert_close(found["pair"], found["relu#2"].mean((2, 3)))
    assert split_call("layer1.0.relu#2") == ("layer1.0.relu", 2)


def test_calls_are_counted_per_pass() -> None:
    model = Twice()
    with capture(model, ["relu#2"], lambda _, values: values.sum()) as found, torch.inference_mode():
        found.n_images = len(BATCH)
        sums = []
        for _ in range(2):
            model(BATCH)
            sums.append(found.take()["relu#2"])
    assert sums[0] == sums[1]


@dataclass
class Answer:
    n: int
    logits: Tensor


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: t,
        lambda t: (None, t),
        lambda t: [torch.ones(9, 2), t],
        lambda t: {"a": {"b": t}},
        lambda t: Answer(1, t),
    ],
)
def test_a_tensor_is_found_inside(wrap: Any) -> None:
    rows = torch.ones(4, 2)
    assert find_tensor(wrap(rows), 4) is rows


@pytest.mark.parametrize("output", [None, "text", 3, torch.ones(4), torch.ones(5, 2), torch.ones(4, 2).long(), ()])
def test_and_refused_where_there_is_none(output: Any) -> None:
    assert find_tensor(output, 4) is None


def test_something_that_holds_itself_ends() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert find_tensor(ring, 4) is None


def test_names_are_checked_before_the_first_hook() -> None:
    model = Twice()
    with pytest.raises(UnknownLayerError, match=r"No layer 'convv'; this model has conv\."):
        caught(model, ["relu", "convv"])
    with pytest.raises(UnknownLayerError, match="relu#one"):
        caught(model, ["relu#one"])
    assert n_hooks(model) == 0


def test_a_layer_that_is_never_reached_is_named() -> None:
    with pytest.raises(LayerNotReachedError, match="never ran unused, relu#3"):
        caught(Twice(), ["conv", "unused", "relu#3"])


def test_a_layer_without_rows_is_named() -> None:
    class Flat(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten()

    with pytest.raises(UnreadableLayerError, match=r"'0' \(Tensor\) holds no floating-point tensor"):
        caught(nn.Sequential(Flat()), ["0"])


@pytest.mark.parametrize("error", [None, ValueError("broken"), KeyboardInterrupt()])
def test_no_trace_stays(error: BaseException | None) -> None:
    model = inplace_model().train()
    model[1].eval()
    modes = [part.training for part in model.modules()]

    def reduce(_: str, values: Tensor) -> Tensor:
        assert not any(part.training for part in model.modules())
        if error:
            raise error
        return values

    if error:
        with pytest.raises(type(error)):
            caught(model, ["2"], reduce)
    else:
        caught(model, ["2"], reduce)
    assert n_hooks(model) == 0
    assert [part.training for part in model.modules()] == modes


def test_batch_statistics_are_left_alone() -> None:
    model = inplace_model().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    caught(model, ["5"])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_a_layer_says_does_not_depend_on_the_others() -> None:
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fold, self.a, self.b = nn.Flatten(2), block, nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(self.fold(x)[:, :, :16]))

    model = Model()
    alone, together = caught(model, ["b"]), caught(model, ["a.linear1", "b.norm2", "b"])
    assert torch.equal(alone["b"], together["b"])


def test_one_pass_at_a_time() -> None:
    model, order = nn.Sequential(nn.Identity()), []

    def hold(name: str) -> None:
        with locked(model), locked(model):
            order.append(name)
            time.sleep(0.05)
            order.append(name)

    threads = [threading.Thread(target=hold, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


def test_evaluating_restores_every_part() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    model[1][0].eval()
    with evaluating(model):
        assert not model.training
    assert model.training
    assert model[0].training
    assert not model[1][0].training


def test_a_wrong_input_ends_in_a_sentence() -> None:
    with pytest.raises(InputError, match="does not take an input of 1×8×8"):
        run_module(inplace_model(), BATCH[:, :1])


def test_a_model_of_two_inputs_ends_in_a_sentence() -> None:
    with pytest.raises(InputError, match=r"cannot be called with a batch of images alone: .*missing 1 required"):
        run_module(nn.Bilinear(2, 2, 1), BATCH)
