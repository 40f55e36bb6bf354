"""One pass for all layers, into the store: what is stored, and that stopping it changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from nap_core.activations import extract as extract_module
from nap_core.activations.devices import pick_device
from nap_core.activations.extract import (
    PREDICTIONS,
    activations_key,
    extract,
    forecast,
    load_activations,
    load_predictions,
    network_layers,
)
from nap_core.errors import (
    ConfigError,
    InputError,
    LayerNotReachedError,
    TooFewImagesError,
    UnknownLayerError,
    UnreadableLayerError,
)
from nap_core.keys import digest
from nap_core.store import Store
from nap_core.types import NOISE
from tests.oracles import pooled, truncated_activations

LAYERS = ("0", "1", "2", "4", "6")


class Preprocessing:
    key = "values 0 … 1"

    def __call__(self, picture: Image.Image) -> Tensor:
        return torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)


@dataclass(frozen=True, eq=False)
class Network:
    module: nn.Module
    preprocessing: Any = field(default_factory=Preprocessing)
    name: str = "toy"
    class_names: tuple[str, ...] = ("a", "b", "c")
    fingerprint: str = "model"


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of noise, drawn when they are asked for."""

    n: int
    side: int = 12
    source: str = "drawn"

    @property
    def fingerprint(self) -> str:
        return digest("drawn", n=self.n, side=self.side)

    def __len__(self) -> int:
        return self.n

    def subset(self, images: np.ndarray) -> Pictures:
        return Pictures(len(images), self.side)

    def picture(self, image: int) -> Image.Image:
        draw = np.random.default_rng(image)
        return Image.fromarray(draw.integers(0, 256, (self.side, self.side, 3), np.uint8))


def toy() -> nn.Sequential:
    torch.manual_seed(0)
    convolution = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True)]
    return nn.Sequential(*convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.ReLU(), nn.Linear(6, 3))


def stored(store: Store, keys: dict[str, str]) -> dict[str, bytes]:
    """Layer → the bytes of its arrays."""
    return {
        name: b"".join(store.get(key).arrays[a].tobytes() for a in sorted(store.get(key).arrays))
        for name, key in keys.items()
    }


class Counted(nn.Module):
    """Counts the passes, and fails at one of them if told to."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.net, self.n = module, 0

    def forward(self, x: Tensor) -> Any:
        self.n += 1
        return self.net(x)


def stop_at(image: int) -> Any:
    def progress(done: int, total: int) -> None:
        if done >= image:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("n", [1, 8, 21])
def test_every_layer_says_what_the_truncated_model_says(tmp_path: Path, n: int) -> None:
    images, network, store = Pictures(n), Network(toy()), Store(tmp_path)
    keys = extract(network, images, LAYERS, store=store, batch_size=4, device="cpu")
    assert list(keys) == [*LAYERS, PREDICTIONS]
    batch = torch.stack([network.preprocessing(images.picture(i)) for i in range(n)])
    for name in LAYERS:
        found = load_activations(store, keys[name])
        truth = truncated_activations(network.module, name, batch)
        assert found is not None
        np.testing.assert_allclose(found.values, pooled(truth, "mean"), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(found.unit, np.arange(truth.shape[1]))
        assert found.layer == name
    logits = network.module.eval()(batch).detach()
    answers = load_predictions(store, keys[PREDICTIONS])
    assert answers is not None
    np.testing.assert_array_equal(answers.prediction, logits.argmax(1))
    np.testing.assert_allclose(answers.confidence, logits.softmax(1).amax(1), rtol=1e-5)
    assert answers.class_names == ("a", "b", "c")


def test_an_entry_says_what_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = extract(Network(toy()), Pictures(5), ["1"], store=store, pooling="cls", device="cpu")
    about = store.get(keys["1"]).about
    assert {name: about[name] for name in ("kind", "layer", "pooling", "pooling_asked", "model", "images")} == {
        "kind": "activations",
        "layer": "1",
        "pooling": "mean",
        "pooling_asked": "cls",
        "model": "toy",
        "images": "drawn",
    }
    assert (about["n_images"], about["n_not_finite"], about["layer_kind"]) == (5, 0, "conv")
    assert about["seconds"] > 0
    assert not list((tmp_path / "drafts").iterdir())


def test_a_key_changes_with_everything_that_matters() -> None:
    network, images = Network(toy()), Pictures(3)
    other = Network(toy(), Preprocessing(), fingerprint="another")
    keys = {
        activations_key(network, images, "1", "mean"),
        activations_key(network, images, "2", "mean"),
        activations_key(network, images, "1", "max"),
        activations_key(other, images, "1", "mean"),
        activations_key(network, Pictures(4), "1", "mean"),
    }
    assert len(keys) == 5


def test_batch_size_does_not_matter(tmp_path: Path) -> None:
    found = []
    for size in (1, 7, 64):
        store = Store(tmp_path / str(size))
        keys = extract(Network(toy()), Pictures(20), ["2"], store=store, pooling="mean_std", batch_size=size)
        found.append(load_activations(store, keys["2"]).values)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-4, atol=1e-6)


def test_only_missing_layers_are_run(tmp_path: Path) -> None:
    model, store, images = Counted(toy()), Store(tmp_path), Pictures(8)
    calls: list[tuple[int, int]] = []
    first = extract(Network(model), images, ["net.0"], store=store, batch_size=4)
    before = model.n
    both = extract(Network(model), images, ["net.0", "net.1"], store=store, batch_size=4)
    assert model.n == before + 4  # a look at the layers, one at the layout, and two batches
    again = extract(Network(model), images, ["net.1", "net.0"], store=store, progress=lambda *done: calls.append(done))
    assert model.n == before + 4
    assert calls == [(8, 8)]
    assert first["net.0"] == both["net.0"] == again["net.0"]


def test_progress_is_told_after_every_batch(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    extract(
        Network(toy()), Pictures(10), ["0"], store=Store(tmp_path), batch_size=4, progress=lambda *d: calls.append(d)
    )
    assert calls == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize("other_size", [8, 3])
def test_an_interrupted_run_ends_in_the_same_bytes(tmp_path: Path, other_size: int) -> None:
    images, whole = Pictures(301, 8), Store(tmp_path / "whole")
    expected = stored(whole, extract(Network(toy()), images, LAYERS, store=whole, pooling="mean_std", batch_size=8))
    model, store = Counted(toy()).train(), Store(tmp_path / "stopped")
    names = [f"net.{name}" for name in LAYERS]
    network = Network(model)
    with pytest.raises(KeyboardInterrupt):
        extract(network, images, names, store=store, pooling="mean_std", batch_size=8, progress=stop_at(200))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
    assert all(part.training for part in model.modules())
    model.n, calls = 0, []
    keys = extract(
        network,
        images,
        names,
        store=store,
        pooling="mean_std",
        batch_size=other_size,
        progress=lambda *d: calls.append(d),
    )
    assert calls[0] == (136, 301)  # behind the commit at 128, in the batches it began with
    assert model.n == 2 + len(calls)
    assert {name.removeprefix("net."): content for name, content in stored(store, keys).items()} == expected


def test_another_selection_after_an_interruption_begins_anew(tmp_path: Path) -> None:
    images, whole, store = Pictures(200, 8), Store(tmp_path / "whole"), Store(tmp_path / "stopped")
    expected = stored(whole, extract(Network(toy()), images, ["0", "6"], store=whole, batch_size=5))
    with pytest.raises(KeyboardInterrupt):
        extract(Network(toy()), images, ["0"], store=store, batch_size=8, progress=stop_at(160))
    with pytest.raises(KeyboardInterrupt):  # before the first commit: nothing of the older run may be taken for done
        extract(Network(toy()), images, ["0", "6"], store=store, batch_size=5, progress=stop_at(50))
    assert stored(store, extract(Network(toy()), images, ["0", "6"], store=store, batch_size=5)) == expected


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_damaged_draft_is_begun_anew(tmp_path: Path, damage: str) -> None:
    images, whole, store = Pictures(200, 8), Store(tmp_path / "whole"), Store(tmp_path / "stopped")
    expected = stored(whole, extract(Network(toy()), images, ["0", "6"], store=whole))
    with pytest.raises(KeyboardInterrupt):
        extract(Network(toy()), images, ["0", "6"], store=store, progress=stop_at(160))
    table = next((tmp_path / "stopped" / "drafts").glob("*/values.npy"))
    table.unlink() if damage == "missing" else table.write_bytes(table.read_bytes()[:300])
    assert stored(store, extract(Network(toy()), images, ["0", "6"], store=store)) == expected


def test_killed_between_the_last_commit_and_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, whole, store = Pictures(50, 8), Store(tmp_path / "whole"), Store(tmp_path / "stopped")
    expected = stored(whole, extract(Network(toy()), images, ["0", "6"], store=whole, batch_size=8))
    finish, names = Store.finish, []

    def once(self: Store, key: str, arrays: list[str], **about: Any) -> Any:
        names.append(about.get("layer", PREDICTIONS))
        if len(names) == 3:
            raise KeyboardInterrupt
        return finish(self, key, arrays, **about)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Store, "finish", once)
        extract(Network(toy()), images, ["0", "6"], store=store, batch_size=8)
    assert names == [PREDICTIONS, "0", "6"]
    assert stored(store, extract(Network(toy()), images, ["0", "6"], store=store)) == expected


KILLED = """
import os, signal, sys
from nap_core.activations.extract import extract
from nap_core.store import Store
from tests.unit.test_extract import LAYERS, Network, Pictures, toy

def kill(done, total):
    if done >= 200:
        os.kill(os.getpid(), signal.SIGKILL)

extract(Network(toy()), Pictures(300, 8), LAYERS, store=Store(sys.argv[1]), batch_size=16, progress=kill)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
def test_a_killed_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    ended = subprocess.run(arguments, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    images, whole, store = Pictures(300, 8), Store(tmp_path / "whole"), Store(tmp_path / "killed")
    calls: list[tuple[int, int]] = []
    keys = extract(Network(toy()), images, LAYERS, store=store, batch_size=5, progress=lambda *d: calls.append(d))
    assert calls[0] == (144, 300)
    expected = stored(whole, extract(Network(toy()), images, LAYERS, store=whole, batch_size=16))
    assert stored(store, keys) == expected


class Answers(nn.Module):
    """A network whose answer is made by a function of three logits."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make, self.pool, self.unused = make, nn.AdaptiveAvgPool2d(1), nn.Linear(2, 2)
        self.shape = Sizes()

    def forward(self, x: Tensor) -> Any:
        self.shape(x)
        return self.make(self.pool(x).flatten(1))


class Sizes(nn.Module):
    def forward(self, x: Tensor) -> int:
        return len(x)


@pytest.mark.parametrize(
    ("make", "has_answers"),
    [
        (lambda x: x, True),
        (lambda x: (x, None), True),
        (lambda x: {"out": x}, True),
        (lambda x: x[:, :1], False),
        (lambda x: x[:, :, None], False),
        (lambda x: x.sum(), False),
    ],
)
def test_predictions_where_the_answer_is_classes(tmp_path: Path, make: Any, has_answers: bool) -> None:
    store, model = Store(tmp_path), Counted(Answers(make))
    keys = extract(Network(model), Pictures(9), ["net.pool"], store=store, batch_size=4)
    assert (PREDICTIONS in keys) == has_answers
    n = model.n
    assert extract(Network(model), Pictures(9), ["net.pool"], store=store) == keys
    assert model.n == n


def test_a_model_without_classes_resumes_too(tmp_path: Path) -> None:
    store, model, calls = Store(tmp_path), Answers(lambda x: x[:, :1]), []
    with pytest.raises(KeyboardInterrupt):
        extract(Network(model), Pictures(200, 8), ["pool"], store=store, progress=stop_at(150))
    extract(Network(model), Pictures(200, 8), ["pool"], store=store, progress=lambda *d: calls.append(d))
    assert calls[0] == (160, 200)


def test_values_that_are_not_finite_are_stored_and_counted(tmp_path: Path) -> None:
    def make(x: Tensor) -> Tensor:
        return torch.where(x > 0.5, torch.nan, x)

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return make(x)

    store = Store(tmp_path)
    network = Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Broken()))
    keys = extract(network, Pictures(30), ["2"], store=store, batch_size=8)
    values, answers = load_activations(store, keys["2"]).values, load_predictions(store, keys[PREDICTIONS])
    assert 0 < np.isnan(values).sum() == store.get(keys["2"]).about["n_not_finite"]
    is_broken = np.isnan(values).any(1)
    assert set(answers.prediction[is_broken]) == {NOISE}
    assert (answers.confidence[is_broken] == 0).all()
    assert (answers.prediction[~is_broken] >= 0).all()


def test_no_pooling_keeps_every_place(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = extract(Network(toy()), Pictures(3), ["2"], store=store, pooling="none", device="cpu")
    found = load_activations(store, keys["2"])
    assert found.values.shape == (3, 600)
    np.testing.assert_array_equal(found.unit, np.repeat(np.arange(6), 100))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"layers": ["pol"]}, UnknownLayerError, r"No layer 'pol'; this model has pool\."),
        ({"layers": ["unused"]}, LayerNotReachedError, "never ran unused"),
        ({"layers": ["pool#2"]}, LayerNotReachedError, "never ran pool#2"),
        ({"layers": ["shape"]}, UnreadableLayerError, "Layer 'shape' cannot be read: its output"),
        ({"batch_size": 0}, ConfigError, "batch_size=0 is less than 1"),
        ({"device": "abacus"}, ConfigError, "No device 'abacus' here; choose auto or"),
        ({"images": Pictures(0)}, TooFewImagesError, "There is no image to run"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    network, store = Network(Answers(lambda x: x)), Store(tmp_path)
    given: dict[str, Any] = {"images": Pictures(3), "layers": ["pool"], **options}
    with pytest.raises(error, match=sentence):
        extract(network, given.pop("images"), given.pop("layers"), store=store, **given)
    assert not (tmp_path / "drafts").exists()


def test_pictures_of_many_sizes_need_a_preprocessing(tmp_path: Path) -> None:
    class Growing(Pictures):
        def picture(self, image: int) -> Image.Image:
            return super().picture(image).resize((8 + image, 8))

    with pytest.raises(InputError, match=r"different sizes \(3×8×\d+, 3×8×\d+\), which cannot run together"):
        extract(Network(Answers(lambda x: x)), Growing(4), ["pool"], store=Store(tmp_path))


def test_a_model_for_other_pictures_is_said(tmp_path: Path) -> None:
    network = Network(nn.Sequential(nn.Conv2d(1, 2, 3)))
    with pytest.raises(InputError, match="does not take an input of 3×12×12"):
        extract(network, Pictures(2), ["0"], store=Store(tmp_path))


def test_a_table_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_module, "LARGEST_TABLE", 10_000)
    with pytest.raises(ConfigError, match="'2' with pooling 'none' has 600 numbers per image"):
        extract(Network(toy()), Pictures(5), ["2"], store=Store(tmp_path), pooling="none")
    extract(Network(toy()), Pictures(5), ["2"], store=Store(tmp_path), pooling="mean")


def test_forecast_counts_bytes_and_leaves_the_model_alone() -> None:
    network = Network(toy().train())
    layers = network_layers(network, Pictures(20))
    chosen = [layer for layer in layers if layer.name in ("2", "6")]
    told = forecast(network, Pictures(20), chosen, "mean_std", device="cpu")
    assert told.stored_bytes == 20 * 4 * (12 + 3)
    assert told.seconds > 0
    assert network.module.training


def test_half_precision_models_take_their_own_format(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = extract(Network(toy().to(torch.bfloat16)), Pictures(5), ["2"], store=store, device="cpu")
    assert load_activations(store, keys["2"]).values.dtype == np.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_device_does_not_matter(tmp_path: Path) -> None:
    found = {}
    for device in ("cpu", "cuda"):
        network, store = Network(toy()), Store(tmp_path / device)
        keys = extract(network, Pictures(50, 32), LAYERS, store=store, device=device, pooling="mean_std")
        found[device] = [load_activations(store, keys[name]).values for name in LAYERS]
        assert next(network.module.parameters()).device.type == "cpu"
    for ours, theirs in zip(found["cpu"], found["cuda"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_device_is_chosen() -> None:
    assert pick_device("cpu").type == "cpu"
    assert pick_device().type in ("cpu", "cuda", "mps")
