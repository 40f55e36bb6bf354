"""What layers say to images, batch by batch: one forward pass, pooled rows out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.batches import batches
from nap_core.activations.devices import computing, placed
from nap_core.activations.hooks import Capture, capture, find_tensor, locked, run_module
from nap_core.activations.pooling import pool
from nap_core.errors import UnreadableLayerError
from nap_core.types import NOISE, LayerInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nap_core.inputs.image_set import ImageSet
    from nap_core.inputs.models import Network

PREDICTIONS = "predictions"

Rows = dict[str, dict[str, NDArray[np.float32] | NDArray[np.int32]]]
"""Layer → ``{"values": [image, feature]}``; `PREDICTIONS` → ``{"prediction": [image], "confidence": [image]}``."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Which layers of which network are read, and how."""

    network: Network
    infos: dict[str, LayerInfo]  # as they are for one image
    pooling: str
    batch_size: int
    channels_last: bool  # whether the network is run so, see `takes_channels_last`
    precision: str  # one of `PRECISIONS`
    with_answers: bool  # whether `PREDICTIONS` are read as well, where the model answers with classes


def read(reading: Reading, images: ImageSet, start: int, device: torch.device) -> Generator[tuple[int, int, Rows]]:
    """Yield first image, number of images and rows of every batch from image `start` on.

    Raises
    ------
    UnreadableLayerError
        If a layer's output has another shape for some images.
    InputError
        If the network does not take the images.
    """

    def reduced(name: str, tensor: Tensor) -> Tensor:
        came, expected = tuple(tensor.shape[1:]), reading.infos[name].output_shape
        if came != expected:
            raise UnreadableLayerError(
                f"Layer '{name}' gives a tensor of shape {came} for some images and {expected} for others; "
                "choose a layer inside or after it."
            )
        return pool(tensor, reading.infos[name].kind, reading.pooling)

    module = reading.network.module
    stream = batches(reading.network, images, start, reading.batch_size, device, reading.channels_last)
    with (
        locked(module),
        closing(stream),
        placed(module, device, reading.channels_last),
        capture(module, tuple(reading.infos), reduced) as caught,
    ):
        for first, batch in stream:
            yield first, len(batch), _rows(reading, caught, batch)


def _rows(reading: Reading, caught: Capture, batch: Tensor) -> Rows:
    """Run one batch; a single image runs twice, as in `list_layers`, so that its rows can be told."""
    import torch

    n = len(batch)
    batch = torch.cat([batch, batch]) if n == 1 else batch
    caught.n_images = len(batch)
    with torch.inference_mode(), computing(batch.device, reading.precision):
        logits = find_tensor(run_module(reading.network.module, batch), len(batch))
        found: Rows = {name: {"values": rows[:n].cpu().numpy()} for name, rows in caught.take().items()}
        if reading.with_answers and logits is not None and logits.ndim == 2 and logits.shape[1] > 1:
            prediction, confidence = _answers(logits[:n].float().cpu())
            found[PREDICTIONS] = {"prediction": prediction, "confidence": confidence}
    return found


def _answers(logits: Tensor) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return class and softmax probability for logits ``[image, class]``; `NOISE` and 0 where they are not finite."""
    best = logits.softmax(1).max(1)
    confidence = best.values.numpy()
    is_finite = np.isfinite(confidence)
    prediction = np.where(is_finite, best.indices.numpy(), NOISE).astype(np.int32)
    return prediction, np.where(is_finite, confidence, 0).astype(np.float32)
