"""Pictures on their way to the network: decoded a few batches ahead, side by side where the network reads them."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.devices import moved
from nap_core.errors import InputError, TooFewImagesError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nap_core.inputs.image_set import ImageSet
    from nap_core.inputs.models import Network

AHEAD = 2  # batches that are decoded while the network works on another one


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
    batch = _Batch(n, channels_last=False, pinned=False)
    for place in range(n):
        batch.read(place, network, images, place * len(images) // n)
    return batch.tensor()


def batches(
    network: Network, images: ImageSet, start: int, size: int, device: torch.device, channels_last: bool = False
) -> Generator[tuple[int, Tensor]]:
    """Yield ``(first image, batch on device)`` from image `start` on; close the generator to stop decoding.

    Memory holds at most three batches, however many images there are. On the processor their memory is used again, so
    a batch is what it was only until the next one is asked for. To a CUDA device each is on its way while the network
    works on the one before.
    """
    with closing(_decoded(network, images, start, size, device, channels_last)) as stream:
        if device.type == "cuda":
            yield from _uploaded(stream, network.module, device)
        else:
            yield from ((first, moved(batch, network.module, device)) for first, batch in stream)


def _uploaded(
    stream: Iterable[tuple[int, Tensor]], module: nn.Module, device: torch.device
) -> Generator[tuple[int, Tensor]]:
    """Yield batches when the next one is on its way, on a stream of its own."""
    import torch

    beside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    waiting = None
    for first, batch in stream:
        with torch.cuda.stream(beside):
            coming = first, moved(batch, module, device), beside.record_event()
        if waiting is not None:
            yield _arrived(*waiting)
        waiting = coming
    if waiting is not None:
        yield _arrived(*waiting)


def _arrived(first: int, batch: Tensor, event: torch.cuda.Event) -> tuple[int, Tensor]:
    """Let the network's own stream wait for a batch, and keep the batch's memory until that stream is through."""
    import torch

    network_stream = torch.cuda.current_stream(batch.device)
    network_stream.wait_event(event)
    batch.record_stream(network_stream)
    return first, batch


def _decoded(
    network: Network, images: ImageSet, start: int, size: int, device: torch.device, channels_last: bool
) -> Generator[tuple[int, Tensor]]:
    """Yield batches where they were decoded."""
    starts = range(start, len(images), size)
    # New memory for every batch, between what the network asks for and gives back, leaves holes that the allocator
    # keeps: more than 100 MB after 500 photos, and growing. CUDA's pinned memory has an allocator of its own.
    through: list[Tensor] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as workers:

        def submitted(first: int) -> tuple[_Batch, list[Future[None]]]:
            n, spare = min(size, len(images) - first), through.pop() if through else None
            batch = _Batch(n, channels_last=channels_last, pinned=device.type == "cuda", spare=spare)
            return batch, [workers.submit(batch.read, place, network, images, first + place) for place in range(n)]

        ahead = [submitted(first) for first in starts[:AHEAD]]
        try:
            for position, first in enumerate(starts):
                batch, jobs = ahead.pop(0)
                for job in jobs:
                    job.result()
                ahead.extend(submitted(later) for later in starts[position + AHEAD : position + AHEAD + 1])
                yield first, batch.tensor()
                if device.type == "cpu":
                    through.append(batch.tensor())
        finally:
            workers.shutdown(cancel_futures=True)


class _Batch:
    """Pictures that several threads write side by side into one tensor; the first one says how large they are.

    Parameters
    ----------
    spare
        ``[image, channel, h, w]`` of the same layout that nobody needs any more: written over if it is large enough.
    """

    def __init__(self, n: int, *, channels_last: bool, pinned: bool, spare: Tensor | None = None) -> None:
        self.n, self.channels_last, self.pinned, self.spare = n, channels_last, pinned, spare
        self._tensor: Tensor | None = None
        self._rows: NDArray[Any] = np.empty(0)
        self._lock = threading.Lock()

    def read(self, place: int, network: Network, images: ImageSet, image: int) -> None:
        """Decode and prepare an image of the set into row `place`."""
        at_least = getattr(network.preprocessing, "at_least", None)
        picture = images.picture(image) if at_least is None else images.picture(image, at_least)
        values = network.preprocessing(picture).float()
        with self._lock:
            if self._tensor is None:
                self._make(values)
        if values.shape != self._rows.shape[1:]:
            sizes = sorted({"×".join(map(str, shape)) for shape in (values.shape, self._rows.shape[1:])})
            raise InputError(
                f"The preprocessing gives inputs of different sizes ({', '.join(sizes)}), which cannot run together; "
                "give it a fixed size (resize and crop)."
            )
        self._rows[place] = values.numpy()

    def _make(self, like: Tensor) -> None:
        import torch

        spare = self.spare
        if spare is not None and len(spare) >= self.n and spare.shape[1:] == like.shape:
            self._tensor = spare[: self.n]
        else:
            layout = torch.channels_last if self.channels_last else torch.contiguous_format
            shape = (self.n, *like.shape)
            self._tensor = torch.empty(shape, dtype=like.dtype, pin_memory=self.pinned, memory_format=layout)
        self._rows = self._tensor.numpy()

    def tensor(self) -> Tensor:
        """Return ``[image, channel, h, w]``; every row must have been read."""
        assert self._tensor is not None
        return self._tensor
