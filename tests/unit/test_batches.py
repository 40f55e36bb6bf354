"""Pictures on their way to the network: whole batches, decoded ahead, in memory that does not grow."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nap_core.activations.batches import AHEAD, batches
from nap_core.activations.devices import pick_device
from tests.unit.test_extract import Network, Pictures, Preprocessing, toy

CPU = pick_device("cpu")
HAS_PROC = Path("/proc/self/status").is_file()


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("n", [1, 5, 8, 30])
def test_every_batch_holds_its_own_images(n: int, channels_last: bool) -> None:
    images, found = Pictures(n), []
    for first, batch in batches(Network(toy()), images, 0, 4, CPU, channels_last):
        assert first == len(found)
        assert not channels_last or batch.is_contiguous(memory_format=torch.channels_last)
        found.extend(batch.clone())
    expected = [Preprocessing()(images.picture(image)) for image in range(n)]
    assert torch.equal(torch.stack(found), torch.stack(expected))


def test_the_memory_of_a_batch_is_used_again() -> None:
    n_addresses = len({batch.data_ptr() for _, batch in batches(Network(toy()), Pictures(64), 0, 4, CPU)})
    assert n_addresses <= AHEAD + 1


class Growing(Pictures):
    """The pictures of every batch of four are larger than those of the one before."""

    def picture(self, image: int) -> Image.Image:
        side = 12 + image // 4
        return Image.fromarray(np.full((side, side, 3), image, np.uint8))


def test_batches_may_differ_in_size() -> None:
    for first, batch in batches(Network(toy()), Growing(32), 0, 4, CPU):
        assert batch.shape == (4, 3, 12 + first // 4, 12 + first // 4)
        assert torch.equal(batch[:, 0, 0, 0] * 255, torch.arange(first, first + 4.0))


def test_memory_of_decoding_does_not_grow_with_the_images() -> None:
    network, peaks = Network(toy()), []
    for n in (40, 400):
        tracemalloc.start()
        alive = 0
        for _, batch in batches(network, Pictures(n, 64), 0, 4, CPU):
            alive = max(alive, tracemalloc.get_traced_memory()[0])
            assert len(batch) == 4
        tracemalloc.stop()
        peaks.append(alive)
    assert peaks[1] < peaks[0] * 1.5 + 600_000  # a batch has 200 kB, and three may be on their way


WATCHED = """
import sys
from pathlib import Path
import torch
from PIL import Image
from torch import nn
from nap_core.activations.extract import extract
from nap_core.store import Store
from tests.unit.test_extract import Network, Pictures

class Plain(Pictures):
    def picture(self, image):
        return Image.new("RGB", (self.side, self.side), image % 256)

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon"))

torch.set_num_threads(1)
convolutions = [nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 24, 3, 2), nn.ReLU()]
network = Network(nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 5)))
how = {"store": Store(sys.argv[1]), "batch_size": 32, "device": "cpu"}
extract(network, Plain(1024, 96), ["0", "2", "4"], progress=lambda *_: print(anonymous()), **how)
"""


@pytest.mark.skipif(not HAS_PROC, reason="this system does not say how much memory a process holds")
def test_memory_of_a_run_does_not_grow_with_the_images(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    arguments, there = [sys.executable, "-c", WATCHED, str(tmp_path)], {**os.environ, "PYTHONPATH": str(root)}
    held = np.array(subprocess.check_output(arguments, cwd=root, env=there, text=True).split(), float)  # [batch] MB
    assert len(held) == 32
    assert held[8:].max() - held[:8].max() < 12  # a batch has 3.5 MB; new memory for every batch grew by 30 to 45


def test_decoding_stops_with_the_run() -> None:
    opened: list[int] = []

    class Watched(Pictures):
        def picture(self, image: int) -> Image.Image:
            opened.append(image)
            return super().picture(image)

    stream = batches(Network(toy()), Watched(1000), 0, 4, CPU)
    assert next(stream)[0] == 0
    stream.close()
    assert len(opened) <= 12
