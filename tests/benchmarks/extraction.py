"""What a run costs beyond the bare forward pass, and what its settings gain, on photos at 224 pixels.

All ways of a table take turns in one run; the figure is the median over the rounds of a way's time as a multiple of the
bare forward pass: the same network and batches, already decoded and in memory, nothing read and nothing kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from nap_core.activations import devices, extract, hooks
from nap_core.activations.batches import batches, example_batch
from nap_core.activations.layers import suggest_layers
from nap_core.activations.pooling import pool
from nap_core.configs import RECIPES
from nap_core.inputs.demos import demo_images, demo_network
from nap_core.inputs.image_set import ImageSet
from nap_core.inputs.images import load_images
from nap_core.inputs.models import Network, load_model, network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.patterns.clustering import find_patterns
from nap_core.store import Store
from nap_core.types import Activations
from tests.benchmarks.cases import SHARED

if TYPE_CHECKING:
    from torch import Tensor

    from nap_core.types import LayerInfo

BATCH = 32
PARTS = ("times", "large", "labels", "memory")


def photos(folder: Path, n: int) -> ImageSet:
    """Return `n` real photos, or where there are none, JPEGs of about their size drawn into `folder`."""
    if SHARED.is_dir():
        return load_images(SHARED / "images" / "imagenet_multi").limited(n)
    return drawn(folder, n, (341, 256))


def drawn(folder: Path, n: int, size: tuple[int, int]) -> ImageSet:
    """Write `n` JPEGs of coloured clouds, which take as long to decode as a photo, and load them."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for number in range(n):
        cloud = Image.fromarray(draw.integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8))
        grain = draw.normal(0, 6, (size[1], size[0], 3))
        picture = np.asarray(cloud.resize(size, Image.Resampling.BICUBIC)) + grain
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=90)
    return load_images(folder)


def model(name: str) -> Network:
    """Return MobileNetV2 with trained weights where they are at hand; else the architecture with random ones."""
    import torch
    from torchvision import models

    weights = SHARED / "models" / f"{name}_a_fp16.safetensors"
    if weights.is_file():
        return load_model(weights=weights)
    torch.manual_seed(0)
    return network(models.get_model(name, weights=None).eval(), Preprocessing(256, 224), name=name)


class Bench:
    """One network on one set of photos, and the ways to run it."""

    def __init__(self, found: Network, images: ImageSet) -> None:
        self.network, self.images, self.place = found, images, devices.pick_device("cpu")
        known = extract.network_layers(found, images)
        self.layers: list[LayerInfo] = [layer for layer in known if layer.name in suggest_layers(known)]
        self.last = devices.takes_channels_last(found.module, example_batch(found, images))
        with closing(batches(found, images, 0, BATCH, self.place, self.last)) as stream:  # which are written over
            self.batches: list[Tensor] = [batch.clone() for _, batch in stream]

    def bare(self, precision: str = "float32") -> None:
        """The forward pass alone."""
        import torch

        module = self.network.module
        with hooks.evaluating(module), devices.placed(module, self.place, self.last), torch.inference_mode():
            for batch in self.batches:
                with devices.computing(self.place, precision):
                    module(batch)

    def run(self, precision: str = "float32") -> None:
        """What a run does for all chosen layers: decode, resize, forward, pool, store."""
        names = [layer.name for layer in self.layers]
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            how = {"precision": precision, "device": "cpu", "batch_size": BATCH}
            extract.extract(self.network, self.images, names, store=store, **how)

    def channels_first(self) -> None:
        """A run with the layout that tensors have by themselves."""
        with mock.patch.object(extract, "takes_channels_last", lambda *_: False):
            self.run()

    def one_thread(self) -> None:
        """A run whose forward pass leaves the other cores to decoding."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(max(1, before - 1))
        self.run()
        torch.set_num_threads(before)

    def naive(self) -> None:
        """A pass per layer over pictures decoded one after the other, whole outputs kept and pooled at the end."""
        import torch

        for layer in self.layers:
            kept: list[Tensor] = []
            module = self.network.module.get_submodule(layer.name)
            hook = module.register_forward_hook(lambda _m, _i, output, kept=kept: kept.append(output.clone()))
            with hooks.evaluating(self.network.module), torch.inference_mode():
                for first in range(0, len(self.images), BATCH):
                    some = range(first, min(first + BATCH, len(self.images)))
                    self.network.module(torch.stack([self.network.preprocessing(self.images.picture(i)) for i in some]))
                pool(torch.cat(kept), layer.kind, "mean")
            hook.remove()


def turns(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Return seconds [round] of every way, which take turns; each runs once before the watch is started."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def table(ways: dict[str, Callable[[], None]], rounds: int, n_images: int) -> Iterator[str]:
    """Rows: way, multiple of the first way, milliseconds per image."""
    seconds = turns(ways, rounds)
    bare = np.array(next(iter(seconds.values())))
    for name, found in seconds.items():
        yield f"{name:44}{np.median(np.array(found) / bare):7.2f}{np.median(found) / n_images * 1e3:9.2f}"


def large_photos(folder: Path, rounds: int) -> None:
    """Print what decoding at a fraction of the size gains on photos of 12 megapixels, and what it changes."""
    images, found = drawn(folder, 32, (4032, 3024)), model("mobilenet_v2")
    for number, way in enumerate(replace(found.preprocessing, reduced=reduced) for reduced in (False, True)):
        bench = Bench(replace(found, preprocessing=way), images)
        seconds = turns({"a run": bench.run}, rounds)["a run"]
        print(f"{('whole', 'reduced')[number]:44}{np.median(seconds) / len(images) * 1e3:9.1f} ms/image", flush=True)


def values_of(found: Network, images: ImageSet, **how: str) -> list[Activations]:
    """Return the activations of the suggested layers."""
    known = extract.network_layers(found, images)
    with tempfile.TemporaryDirectory() as folder:
        store, names = Store(folder), [layer.name for layer in known if layer.name in suggest_layers(known)]
        keys = extract.extract(found, images, names, store=store, device="cpu", **how)
        loaded = [extract.load_activations(store, keys[name]) for name in names]
        return [replace(one, values=np.array(one.values)) for one in loaded if one is not None]


def labels(found: Network, images: ImageSet) -> Iterator[str]:
    """Rows: how alike the patterns are when the network computes in bfloat16, and when only its last digits differ."""
    exact, coarse = values_of(found, images), values_of(found, images, precision="bfloat16")
    with mock.patch.object(extract, "takes_channels_last", lambda *_: False):
        other = values_of(found, images)
    yield from agreement(found.name, exact, coarse, other)


def agreement(name: str, exact: list[Activations], *others: list[Activations]) -> Iterator[str]:
    """Rows: layer, largest error of the first of the other ways, then the patterns' ARI to the exact ones."""
    from sklearn.metrics import adjusted_rand_score

    for one, *ways in zip(exact, *others, strict=True):
        error = np.abs(ways[0].values - one.values).max() / np.abs(one.values).max()
        row = f"{name:14}{one.layer:18}{error:9.4f}"
        for recipe, config in RECIPES.items():
            label = find_patterns(one, config).label
            scores = [adjusted_rand_score(label, find_patterns(way, config).label) for way in ways]
            row += f"   {recipe}" + "".join(f"{score:9.3f}" for score in scores)
        yield row


def enlarged(folder: Path, n: int) -> ImageSet:
    """Write `n` photos six times as large, as a camera gives them, and load them."""
    from PIL import Image

    images = photos(folder, n)
    there = folder / "enlarged"
    there.mkdir()
    for number in range(len(images)):
        picture = images.picture(number)
        size = (6 * picture.width, 6 * picture.height)
        picture.resize(size, Image.Resampling.BICUBIC).save(there / f"{number:05d}.jpg", quality=92)
    return load_images(there)


def reduced_labels(folder: Path, n: int) -> Iterator[str]:
    """Rows: how alike the patterns are when large JPEGs are decoded at a fraction of their size."""
    images, found = enlarged(folder, n), model("mobilenet_v2")
    whole, reduced = (
        values_of(replace(found, preprocessing=replace(found.preprocessing, reduced=way)), images)
        for way in (False, True)
    )
    yield from agreement(found.name, whole, reduced)


_PEAK = """
import tempfile, threading, time
from pathlib import Path
import numpy as np
from tests.benchmarks.extraction import Bench, model, photos
def held():
    lines = [line.split() for line in Path("/proc/self/status").read_text().splitlines()]
    return np.array([int(line[1]) / 1000 for line in lines if line[0] in ("RssAnon:", "RssFile:")])
with tempfile.TemporaryDirectory() as folder:
    bench = Bench(model("{name}"), photos(Path(folder), 128))
    bench.images = bench.images.subset(np.arange({n}) % len(bench.images))
    bench.batches.clear()
    before = peak = held()
    def watch():
        global peak
        while True:
            peak = np.maximum(peak, held())
            time.sleep(0.01)
    threading.Thread(target=watch, daemon=True).start()
    bench.{way}()
    print(*(peak - before))
"""


def peak(name: str, n: int, way: str) -> list[float]:
    """Return the megabytes that a process of its own takes at most: its own memory, and pages of files.

    Pages of files (the tables that are written) the system takes back whenever it needs room.
    """
    code = _PEAK.format(name=name, n=n, way=way)
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    return [float(part) for part in printed.split()]


def memory(names: list[str], sizes: list[int]) -> None:
    """Print how many megabytes a run, and the naive way, take beside what the process held before."""
    for name in names:
        print(f"{name:20}{'a run':>12}{'(files)':>12}{'naive, a pass per layer':>28}", flush=True)
        for n in sizes:
            row = f"{n:7,} images, MB" + "".join(f"{megabytes:12.0f}" for megabytes in peak(name, n, "run"))
            few = f"{peak(name, n, 'naive')[0]:28.0f}" if n < 2048 else ""  # more would take some ten minutes
            print(row + few, flush=True)


def times(chosen: argparse.Namespace, images: ImageSet) -> None:
    for name in chosen.models:
        bench = Bench(model(name), images)
        print(f"{name}, {len(bench.layers)} layers, {len(images)} photos; {'':8}times bare  ms/image", flush=True)
        ways = {
            "bare forward pass": bench.bare,
            "a run": bench.run,
            "a run, channels first": bench.channels_first,
            "a run, one thread fewer": bench.one_thread,
            "bare forward pass, bfloat16": partial(bench.bare, "bfloat16"),
            "a run, bfloat16": partial(bench.run, "bfloat16"),
        }
        if chosen.naive:
            ways["naive, a pass per layer"] = bench.naive
        for row in table(ways, chosen.rounds, len(images)):
            print(row, flush=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks extraction", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--models", nargs="+", default=["mobilenet_v2", "resnet18"])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 512, 2048, 6000], help="images, for the memory")
    parser.add_argument("--naive", action="store_true", help="also a pass per layer, which takes minutes")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder, "photos"), Path(folder, "large")
        here.mkdir(), there.mkdir()
        if "times" in chosen.parts:
            times(chosen, photos(here, chosen.images))
        if "large" in chosen.parts:
            large_photos(there, chosen.rounds)
            few = Path(folder, "few")
            few.mkdir()
            print(f"{'':32}largest error, then ARI of the patterns of reduced and whole photos")
            for row in reduced_labels(few, min(chosen.images, 256)):
                print(row, flush=True)
        if "labels" in chosen.parts:
            print(f"{'':32}largest error, then ARI of the patterns to the exact ones: bfloat16, last digits")
            digits = demo_network("digits"), demo_images("digits")
            for found, images in (digits, (model("mobilenet_v2"), photos(here, 1206))):
                for row in labels(found, images):
                    print(row, flush=True)
        if "memory" in chosen.parts:
            memory(chosen.models, chosen.sizes)
