"""Pictures on their way to the network: decoded a few batches ahead, moved to the device."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from nap_core.errors import ConfigError, InputError, TooFewImagesError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nap_core.inputs.image_set import ImageSet
    from nap_core.inputs.models import Network

AHEAD = 2  # batches that are decoded while the network works on another one


def pick_device(name: str = "auto") -> torch.device:
    """Return the device `name`; "auto" takes CUDA, then Apple's MPS, then the processor.

    Raises
    ------
    ConfigError
        If this machine has no such device.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_there in there.items() if is_there)
    if not there.get(name, False):
        raise ConfigError(f"No device '{name}' here; choose auto or {' or '.join(k for k in there if there[k])}.")
    return torch.device(name)


@contextmanager
def placed(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Keep `module` on `device` for the block, and convolutions there at full precision; then put it back.

    CUDA's shortcut for convolutions (TF32) keeps ten bits of each number; without it the device does not matter.
    """
    import torch

    first = next(chain(module.parameters(), module.buffers()), None)
    before = device if first is None else first.device
    with ExitStack() as stack:
        if device.type == "cuda":
            exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            stack.enter_context(exact)
        stack.callback(module.to, before)
        module.to(device)
        yield


def example_batch(network: Network, images: ImageSet, n: int = 1) -> Tensor:
    """Return `n` images, taken evenly from the whole set, as the network takes them: ``[n, channel, h, w]``.

    Raises
    ------
    TooFewImagesError
        If there is no image at all.
    InputError
        If the preprocessing does not give all of them one size.
    """
    if not len(images):
        raise TooFewImagesError("There is no image to run; choose images that can be read.")
    n = min(n, len(images))
    return _stacked([_one(network, images, i * len(images) // n) for i in range(n)])


def batches(
    network: Network, images: ImageSet, start: int, size: int, device: torch.device
) -> Generator[tuple[int, Tensor]]:
    """Yield ``(first image, batch on device)`` from image `start` on; close the generator to stop decoding.

    Memory holds at most three batches, however many images there are.
    """
    starts = range(start, len(images), size)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as workers:

        def submitted(first: int) -> list[Future[Tensor]]:
            stop = min(first + size, len(images))
            return [workers.submit(_one, network, images, image) for image in range(first, stop)]

        ahead = [submitted(first) for first in starts[:AHEAD]]
        try:
            for position, first in enumerate(starts):
                batch = _stacked([job.result() for job in ahead.pop(0)])
                ahead.extend(submitted(later) for later in starts[position + AHEAD : position + AHEAD + 1])
                yield first, moved(batch, network.module, device)
        finally:
            workers.shutdown(cancel_futures=True)


def _one(network: Network, images: ImageSet, image: int) -> Tensor:
    tensor: Tensor = network.preprocessing(images.picture(image))
    return tensor


def _stacked(tensors: list[Tensor]) -> Tensor:
    import torch

    shapes = sorted({"×".join(map(str, tensor.shape)) for tensor in tensors})
    if len(shapes) > 1:
        raise InputError(
            f"The preprocessing gives inputs of different sizes ({', '.join(shapes[:3])}), which cannot run together; "
            "give it a fixed size (resize and crop)."
        )
    return torch.stack(tensors)


def moved(batch: Tensor, module: nn.Module, device: torch.device) -> Tensor:
    """Return `batch` on `device` in the number format of the module's parameters."""
    import torch

    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), batch.dtype)
    if device.type != "cuda":
        return batch.to(device, dtype)
    layout = torch.channels_last if batch.ndim == 4 else torch.preserve_format
    return batch.pin_memory().to(device, dtype, non_blocking=True).contiguous(memory_format=layout)
