"""The small networks of the demos, and how they were trained.

All are a row of stages, each one convolution, batch normalisation, ReLU and (from the second on) a halving of the
picture, then the largest value of each unit, `features`, a small dense layer, and `logits`. The names are what a reader
sees as layers. Training is seeded and runs on one CPU thread, so that it can be done again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nap_core.inputs import shapes
from nap_core.types import Progress

TRAINED_DIGITS = 8
"""The digits network knows 0 … 7; 8 and 9 are foreign to it."""


class StagedNetwork(nn.Module):
    """Stages, features, logits.

    Parameters
    ----------
    channels
        Of the input.
    stage_units
        Units of each stage, first to last.
    n_features
        Units of the dense layer.
    n_classes
        Number of logits.
    """

    def __init__(self, channels: int, stage_units: Sequence[int], n_features: int, n_classes: int) -> None:
        super().__init__()
        self.n_stages = len(stage_units)
        for number, (before, units) in enumerate(zip([channels, *stage_units], stage_units, strict=False), start=1):
            self.add_module(f"stage{number}", _stage(before, units, halve=number > 1))
        self.features = nn.Sequential(nn.Linear(stage_units[-1], n_features), nn.ReLU())
        self.logits = nn.Linear(n_features, n_classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return logits [image, class] of pictures [image, channel, height, width]."""
        values = pictures
        for number in range(1, self.n_stages + 1):
            values = self.get_submodule(f"stage{number}")(values)
        logits: torch.Tensor = self.logits(self.features(values.amax(dim=(2, 3))))
        return logits


def _stage(before: int, units: int, *, halve: bool) -> nn.Sequential:
    convolution = nn.Conv2d(before, units, 3, padding=1, bias=False)
    steps: list[nn.Module] = [convolution, nn.BatchNorm2d(units), nn.ReLU()]
    return nn.Sequential(nn.MaxPool2d(2), *steps) if halve else nn.Sequential(*steps)


def shapes_network() -> StagedNetwork:
    """Return the untrained network for 64 × 64 colour pictures of six shapes."""
    return StagedNetwork(3, (16, 24, 40, 56), 48, len(shapes.SHAPES))


def digits_network() -> StagedNetwork:
    """Return the untrained network for 8 × 8 grey pictures of the digits 0 … 7."""
    return StagedNetwork(1, (16, 32, 48), 32, TRAINED_DIGITS)


def normalised(pictures: NDArray[np.uint8], mean: float, std: float) -> torch.Tensor:
    """Return pictures [image, height, width(, channel)] as float32 [image, channel, height, width]."""
    values = torch.from_numpy(pictures.astype(np.float32))
    values = values[:, None] if values.ndim == 3 else values.permute(0, 3, 1, 2)
    return ((values / 255 - mean) / std).contiguous()


def train(
    network: nn.Module,
    pictures: torch.Tensor,
    target: NDArray[np.int32],
    *,
    n_steps: int,
    label_smoothing: float = 0.0,
    progress: Progress | None = None,
) -> None:
    """Train `network` in place: AdamW, the learning rate rising and falling to nothing once.

    Parameters
    ----------
    network
        Its starting weights are part of the result; seed torch before it is made.
    pictures
        [image, channel, height, width], normalised; a step sees 64 of them, drawn at random.
    target
        [image] class.
    n_steps
        Number of steps.
    label_smoothing
        In [0, 1): gathers the pictures of a class more tightly in the last layers.
    progress
        Called after every step.
    """
    number = torch.from_numpy(target.astype(np.int64))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.01, total_steps=n_steps)
    criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
    network.train()
    for step in range(n_steps):
        image = torch.from_numpy(np.random.default_rng(step).integers(len(pictures), size=64))
        optimiser.zero_grad()
        loss: torch.Tensor = criterion(network(pictures[image]), number[image])
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, n_steps)
    network.eval()
