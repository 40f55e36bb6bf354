"""One streamed pass over the images for all layers, into the store.

Pictures are decoded a few batches ahead of the network. Rows are written into drafts and committed every few batches;
a run that is stopped or killed continues behind the last commit, with the batch size it began with, and ends in the
same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nap_core.activations.hooks import capture, check_names, find_tensor
from nap_core.activations.layers import list_layers
from nap_core.activations.pooling import effective_pooling, n_features, pool
from nap_core.errors import ConfigError, UnreadableLayerError
from nap_core.keys import digest
from nap_core.store import Draft, Store
from nap_core.types import Activations, LayerInfo, Predictions, Progress

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

VERSION = 1  # raised when the meaning of a stored activation changes
BATCHES_PER_COMMIT = 4
PREDICTIONS = "predictions"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will cost."""

    seconds: float
    stored_bytes: int


def activations_key(network: Network, images: ImageSet, layer: str, pooling: str) -> str:
    """Return the key of one layer's activations (or of the predictions, as layer `PREDICTIONS`)."""
    return digest(
        "activations",
        model=network.fingerprint,
        preprocessing=network.preprocessing.key,
        images=images.fingerprint,
        layer=layer,
        pooling=pooling,
        version=VERSION,
    )


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
        raise ConfigError(f"No device '{name}' here; there is {', '.join(k for k in there if there[k])}.")
    return torch.device(name)


def example_batch(network: Network, images: ImageSet, n: int = 1) -> Tensor:
    """Return the first `n` images as the network takes them: ``[n, channel, h, w]``."""
    import torch

    return torch.stack([network.preprocessing(images.picture(i)) for i in range(min(n, len(images)))])


def network_layers(network: Network, images: ImageSet) -> tuple[LayerInfo, ...]:
    """Return the layers that one image passes, in execution order."""
    return list_layers(network.module.cpu(), example_batch(network, images))


def forecast(network: Network, images: ImageSet, layers: Sequence[LayerInfo], pooling: str = "mean") -> Forecast:
    """Return seconds and bytes for a run, from a timed batch of eight images and the shapes of the chosen layers."""
    import torch

    with torch.inference_mode():
        network.module.eval()(example_batch(network, images))  # the first pass also pays for warming up
        start = time.perf_counter()
        batch = example_batch(network, images, 8)
        network.module(batch)
        seconds = (time.perf_counter() - start) / len(batch)
    features = sum(n_features(layer.output_shape, layer.kind, pooling) for layer in layers)
    return Forecast(seconds * len(images), 4 * features * len(images))


def _batches(
    network: Network, images: ImageSet, start: int, size: int, device: torch.device
) -> Iterator[tuple[int, Tensor]]:
    """Yield ``(first image, batch on device)`` from `start` on, decoding two batches ahead."""
    import torch

    def one(image: int) -> Tensor:
        tensor: Tensor = network.preprocessing(images.picture(image))
        return tensor

    starts = range(start, len(images), size)
    with ThreadPoolExecutor(2) as workers:

        def submitted(first: int) -> list[Future[Tensor]]:
            return [workers.submit(one, image) for image in range(first, min(first + size, len(images)))]

        ahead = [submitted(first) for first in starts[:2]]
        try:
            for position, first in enumerate(starts):
                batch = torch.stack([job.result() for job in ahead.pop(0)])
                ahead.extend(submitted(s) for s in starts[position + 2 : position + 3])
                if device.type == "cuda":
                    batch = batch.pin_memory()
                yield first, batch.to(device, non_blocking=True)
        finally:
            workers.shutdown(cancel_futures=True)


def _readable(network: Network, images: ImageSet, layers: Sequence[str]) -> dict[str, LayerInfo]:
    check_names(network.module, layers)
    known = {info.name: info for info in network_layers(network, images)}
    for name in layers:
        if name in known and known[name].kind == "unreadable":
            raise UnreadableLayerError(
                f"Layer '{name}' cannot be read: {known[name].reason}. Choose a layer inside or after it."
            )
    # A layer that the pass never reached is named by the capture itself.
    return {name: known.get(name, LayerInfo(name, "", (1,), 0, "vector")) for name in layers}


class _Tables:
    """The drafts of one run: one table per layer, and the two of the predictions."""

    def __init__(self, store: Store, keys: dict[str, str], n_images: int, batch_size: int) -> None:
        self.drafts = {name: store.draft(key) for name, key in keys.items()}
        # A model without classes has no predictions to resume.
        states = [state for name, draft in self.drafts.items() if (state := draft.state) or name != PREDICTIONS]
        whole = all(states) and len({state.get("batch_size") for state in states}) == 1
        self.n_done = min((int(state["n_done"]) for state in states), default=0) if whole else 0
        self.batch_size = int(states[0]["batch_size"]) if self.n_done else batch_size
        if self.n_done >= n_images:  # killed between the last commit and the end: the last batch is run again
            self.n_done = (n_images - 1) // self.batch_size * self.batch_size
        self.seconds = float(states[0].get("seconds", 0.0)) if self.n_done else 0.0
        self.n_images = n_images
        self.maps: dict[tuple[str, str], np.ndarray[Any, Any]] = {}

    def write(self, name: str, table: str, first: int, rows: np.ndarray[Any, Any]) -> None:
        key = (name, table)
        if key not in self.maps:
            self.maps[key] = self.drafts[name].table(table, (self.n_images, *rows.shape[1:]), rows.dtype)
        self.maps[key][first : first + len(rows)] = rows

    def commit(self, n_done: int, seconds: float) -> None:
        for table in self.maps.values():
            table.flush()  # type: ignore[attr-defined]
        # Predictions first: layers that are committed without them would look like a model without classes.
        for name in sorted({name for name, _ in self.maps}, key=lambda name: name != PREDICTIONS):
            draft: Draft = self.drafts[name]
            draft.commit(n_done, batch_size=self.batch_size, seconds=seconds)


def _logits(output: Any, n_images: int) -> Tensor | None:
    tensor = find_tensor(output, n_images)
    return tensor if tensor is not None and tensor.ndim == 2 and tensor.shape[1] > 1 else None


def extract(
    network: Network,
    images: ImageSet,
    layers: Sequence[str],
    *,
    store: Store,
    pooling: str = "mean",
    device: str = "auto",
    batch_size: int = 32,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Run `images` through `network` once and store what every layer says, pooled.

    Layers already in the store are not run again; a run that was stopped resumes.

    Returns
    -------
    dict
        Layer → store key; `PREDICTIONS` → key of the model's answers, unless its output is not ``[image, class]``.

    Raises
    ------
    UnknownLayerError, UnreadableLayerError, LayerNotReachedError
        If a layer cannot be read.
    StorageFullError
        If the disk is full; finished batches are kept.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size} is less than 1; give at least 1.")
    keys = {name: activations_key(network, images, name, pooling) for name in (*layers, PREDICTIONS)}
    missing = {name: key for name, key in keys.items() if store.get(key) is None}
    check_names(network.module, layers)
    if missing:
        infos = _readable(network, images, [name for name in missing if name != PREDICTIONS])
        _run(network, images, infos, missing, store, pooling, pick_device(device), batch_size, progress)
    elif progress:
        progress(len(images), len(images))
    return {name: key for name, key in keys.items() if _has_content(store, key)}


def _has_content(store: Store, key: str) -> bool:
    entry = store.get(key)
    return entry is not None and bool(entry.arrays)


def _run(
    network: Network,
    images: ImageSet,
    infos: dict[str, LayerInfo],
    keys: dict[str, str],
    store: Store,
    pooling: str,
    device: torch.device,
    batch_size: int,
    progress: Progress | None,
) -> None:
    import torch

    tables = _Tables(store, keys, len(images), batch_size)
    module, began, n = network.module.to(device), time.perf_counter() - tables.seconds, len(images)
    layers = tuple(infos)

    def reduce(name: str, tensor: Tensor) -> Tensor:
        return pool(tensor, infos[name].kind, pooling)

    with capture(module, layers, reduce) as caught, torch.inference_mode():
        for number, (first, batch) in enumerate(_batches(network, images, tables.n_done, tables.batch_size, device)):
            caught.n_images = len(batch)
            logits = _logits(module(batch), len(batch))
            for name, rows in caught.take().items():
                tables.write(name, "values", first, rows.cpu().numpy())
            if PREDICTIONS in keys and logits is not None:
                best = logits.float().softmax(1).max(1)
                tables.write(PREDICTIONS, "confidence", first, best.values.cpu().numpy())
                tables.write(PREDICTIONS, "prediction", first, best.indices.int().cpu().numpy())
            done = first + len(batch)
            if number % BATCHES_PER_COMMIT == BATCHES_PER_COMMIT - 1 or done == n:
                tables.commit(done, time.perf_counter() - began)
            if progress:
                progress(done, n)
    seconds = time.perf_counter() - began
    for name, key in keys.items():
        _finish(store, key, name, tables, infos.get(name), pooling, network, images, seconds)


def _finish(
    store: Store,
    key: str,
    name: str,
    tables: _Tables,
    info: LayerInfo | None,
    pooling: str,
    network: Network,
    images: ImageSet,
    seconds: float,
) -> None:
    about = {"model": network.name, "images": images.source, "n_images": len(images), "seconds": round(seconds, 3)}
    if info is None:
        names = [table for owner, table in tables.maps if owner == name]
        if not names:  # the model answers with something other than classes; said once, so that it is not asked again
            store.put(key, {}, kind=PREDICTIONS, **about)
        else:
            store.finish(key, names, kind=PREDICTIONS, class_names=list(network.class_names), **about)
        return
    values = tables.maps[name, "values"]
    kept = effective_pooling(info.kind, pooling)
    unit = _unit_of_feature(info, kept, values.shape[1])
    np.save(store.draft(key).folder / "unit.npy", unit.astype(np.int32))
    n_not_finite = int(
        values.size - sum(np.isfinite(rows).sum() for rows in np.array_split(values, max(1, len(values) // 1024)))
    )
    store.finish(
        key,
        ["values", "unit"],
        kind="activations",
        layer=name,
        pooling=kept,
        layer_kind=info.kind,
        output_shape=list(info.output_shape),
        n_not_finite=n_not_finite,
        **about,
    )


def _unit_of_feature(info: LayerInfo, pooling: str, n: int) -> np.ndarray[Any, Any]:
    units = np.arange(max(1, info.n_units))
    if info.kind == "vector":
        return np.arange(n)
    return np.repeat(units, n // len(units)) if pooling == "none" else np.tile(units, n // len(units))


def load_activations(store: Store, key: str) -> Activations | None:
    """Return the activations stored under `key`, memory-mapped, or None where there are none."""
    entry = store.get(key)
    if entry is None:
        return None
    return Activations(entry.about["layer"], entry.about["pooling"], entry.arrays["values"], entry.arrays["unit"])


def load_predictions(store: Store, key: str) -> Predictions | None:
    """Return the model's answers stored under `key`, or None where there are none."""
    entry = store.get(key)
    if entry is None or not entry.arrays:
        return None
    return Predictions(entry.arrays["prediction"], entry.arrays["confidence"], tuple(entry.about["class_names"]))
