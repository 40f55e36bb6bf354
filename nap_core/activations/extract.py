"""One streamed pass over the images for all layers, into the store.

Pictures are decoded a few batches ahead of the network. Rows are written into drafts and committed every few batches;
a run that is stopped or killed continues behind the last commit, with the batch size it began with, and ends in the
same bytes. Memory does not grow with the number of images: the tables are files, and three batches are on their way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.batches import batches, example_batch
from nap_core.activations.devices import (
    computing,
    moved,
    pick_device,
    placed,
    takes_channels_last,
)
from nap_core.activations.hooks import (
    Capture,
    capture,
    check_names,
    locked,
    not_reached,
    run_module,
)
from nap_core.activations.layers import list_layers
from nap_core.activations.pooling import effective_pooling, n_features, pool, unit_of_feature
from nap_core.activations.reading import PREDICTIONS, Reading, read
from nap_core.activations.tables import Tables
from nap_core.activations.workers import read_on_workers
from nap_core.errors import ConfigError, UnreadableLayerError
from nap_core.keys import digest
from nap_core.store import Store
from nap_core.types import Activations, LayerInfo, Predictions, Progress

if TYPE_CHECKING:
    import torch
    from distributed import Client
    from torch import Tensor

    from nap_core.inputs.image_set import ImageSet
    from nap_core.inputs.models import Network

VERSION = 1  # raised when the meaning of a stored activation changes
LARGEST_TABLE = 4 * 2**30  # bytes of one layer's table
_BATCH_SECONDS, _ENOUGH_SECONDS, _MOST_REHEARSED = 0.25, 1.0, 1024  # of a rehearsal


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will cost."""

    seconds: float
    stored_bytes: int


def activations_key(network: Network, images: ImageSet, layer: str, pooling: str, precision: str = "float32") -> str:
    """Return the key of one layer's activations (or of the predictions, as layer `PREDICTIONS`).

    It holds the pooling that was asked for; `Activations.pooling` is the one that the layer's kind led to.
    """
    return activations_key_of(network, images.fingerprint, layer, pooling, precision)


def activations_key_of(network: Network, images: str, layer: str, pooling: str, precision: str = "float32") -> str:
    """Return what `activations_key` does, for images of which only the fingerprint is known."""
    coarser = {} if precision == "float32" else {"precision": precision}
    return digest(
        "activations",
        model=network.fingerprint,
        preprocessing=network.preprocessing.key,
        images=images,
        layer=layer,
        pooling=pooling,
        version=VERSION,
        **coarser,
    )


def network_layers(network: Network, images: ImageSet) -> tuple[LayerInfo, ...]:
    """Return the layers that one image passes, in execution order.

    Raises
    ------
    InputError
        If the network does not take the image as its preprocessing makes it.
    """
    device = pick_device("cpu")
    with locked(network.module), placed(network.module, device):
        return list_layers(network.module, moved(example_batch(network, images), network.module, device))


def forecast(
    network: Network,
    images: ImageSet,
    layers: Sequence[LayerInfo],
    pooling: str = "mean",
    device: str = "auto",
    batch_size: int = 32,
    precision: str = "float32",
) -> Forecast:
    """Return seconds and bytes for a run, from a rehearsal with the hooks on and the shapes of the chosen layers.

    Three single images warm the model up and tell how many make a batch of a quarter of a second. Then images from all
    over the set are decoded, run and pooled as a run does it, until a second has passed behind the first batch: from
    there on decoding and network work side by side, as in the run.
    """
    module, place, names = network.module, pick_device(device, precision), {layer.name: layer for layer in layers}

    def reduced(name: str, tensor: Tensor) -> Tensor:
        return pool(tensor, names[name].kind, pooling)

    with locked(module):
        last = takes_channels_last(module, example_batch(network, images))
        with placed(module, place, last), capture(module, tuple(names), reduced) as caught, computing(place, precision):
            single = min(_rehearsed(network, images, 1, 1, caught, place, last) for _ in range(3))
            size = int(min(batch_size, max(2.0, _BATCH_SECONDS / single)))
            seconds = _rehearsed(network, images, size, _MOST_REHEARSED, caught, place, last)
    features = sum(n_features(layer.output_shape, layer.kind, pooling) for layer in layers)
    return Forecast(seconds * len(images), 4 * features * len(images))


def _rehearsed(
    network: Network, images: ImageSet, size: int, most: int, caught: Capture, device: torch.device, last: bool
) -> float:
    """Return seconds per image, from batches of `size` of at most `most` images, of which nothing is kept."""
    import torch

    some = images.subset(np.random.default_rng(0).permutation(len(images))[:most])
    began = first = time.perf_counter()
    n_before, n_done = 0, 0
    with closing(batches(network, some, 0, size, device, last)) as stream, torch.inference_mode():
        for _, batch in stream:
            n_done += len(batch)
            _run_and_forget(network, batch, caught)
            if not n_before:
                n_before, first = n_done, time.perf_counter()
            elif time.perf_counter() - first > _ENOUGH_SECONDS:
                break
    now = time.perf_counter()
    return (now - first) / (n_done - n_before) if n_done > n_before else (now - began) / n_done


def _run_and_forget(network: Network, batch: Tensor, caught: Capture) -> None:
    import torch

    batch = torch.cat([batch, batch]) if len(batch) == 1 else batch
    caught.n_images = len(batch)
    run_module(network.module, batch)
    for rows in caught.take().values():
        rows.cpu()  # waits for the device


def extract(
    network: Network,
    images: ImageSet,
    layers: Sequence[str],
    *,
    store: Store,
    pooling: str = "mean",
    precision: str = "float32",
    device: str = "auto",
    batch_size: int = 32,
    client: Client | None = None,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Run `images` through `network` once and store what every layer says, pooled.

    Layers already in the store are not run again; a run that was stopped resumes. Values that are not finite are
    stored as they are; their number is ``n_not_finite`` in the entry's `about`. With a Dask `client`, its workers run
    the images, in shards; they must see the image files under the same paths.

    Returns
    -------
    dict
        Layer → store key; `PREDICTIONS` → key of the model's answers, unless its output is not ``[image, class]``.

    Raises
    ------
    UnknownLayerError, UnreadableLayerError, LayerNotReachedError
        If a layer cannot be read.
    InputError
        If the network does not take the images.
    ConfigError
        If a table would be larger than 4 GiB, or there is no such device, or it does not compute in `precision`.
    StorageFullError
        If the disk is full; finished batches are kept.
    WorkerError
        If workers died again and again; finished shards are kept.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size} is less than 1; give at least 1.")
    check_names(network.module, layers)
    keys = {name: activations_key(network, images, name, pooling, precision) for name in (PREDICTIONS, *layers)}
    with locked(network.module):
        missing = {name: key for name, key in keys.items() if store.get(key) is None}
        if missing:
            if client is None:
                pick_device(device, precision)  # before anything is begun
            infos = _readable(network, images, [name for name in missing if name != PREDICTIONS])
            _check_size(infos, pooling, len(images))
            tables = Tables(store, missing, len(images), batch_size, optional=PREDICTIONS)
            last = takes_channels_last(network.module, example_batch(network, images))
            reading = Reading(network, infos, pooling, tables.batch_size, last, precision, PREDICTIONS in missing)
            if client is None:
                _read_here(reading, images, tables, pick_device(device, precision), progress)
            else:
                read_on_workers(client, reading, images, tables, device, progress)
            _finish(store, missing, network, images, infos, pooling, tables)
        elif progress:
            progress(len(images), len(images))
    return {name: keys[name] for name in (*layers, PREDICTIONS) if _has_content(store, keys[name])}


def _has_content(store: Store, key: str) -> bool:
    entry = store.get(key)
    return entry is not None and bool(entry.arrays)


def _readable(network: Network, images: ImageSet, layers: Sequence[str]) -> dict[str, LayerInfo]:
    known = {info.name: info for info in network_layers(network, images)}
    missing = [name for name in layers if name not in known]
    if missing:
        raise not_reached(missing)
    for name in layers:
        if known[name].kind == "unreadable":
            raise UnreadableLayerError(
                f"Layer '{name}' cannot be read: {known[name].reason}. Choose a layer inside or after it."
            )
    return {name: known[name] for name in layers}


def _check_size(infos: dict[str, LayerInfo], pooling: str, n_images: int) -> None:
    for name, info in infos.items():
        features = n_features(info.output_shape, info.kind, pooling)
        if 4 * features * n_images > LARGEST_TABLE:
            raise ConfigError(
                f"Layer '{name}' with pooling '{pooling}' has {features:,} numbers per image, "
                f"{4 * features * n_images / 2**30:.1f} GiB for {n_images:,} images; at most "
                f"{LARGEST_TABLE / 2**30:.0f} GiB are possible. Choose another pooling, a later layer, or fewer images."
            )


def _read_here(
    reading: Reading, images: ImageSet, tables: Tables, device: torch.device, progress: Progress | None
) -> None:
    """Fill the tables behind the last commit, batch by batch."""
    began = time.perf_counter() - tables.seconds
    with closing(read(reading, images, tables.n_done, device)) as stream:
        for first, n, rows in stream:
            for name, found in rows.items():
                tables.write(name, first, **found)
            tables.seconds = time.perf_counter() - began
            tables.commit_when_due(first + n, tables.seconds)
            if progress:
                progress(first + n, len(images))


def _finish(
    store: Store,
    keys: dict[str, str],
    network: Network,
    images: ImageSet,
    infos: dict[str, LayerInfo],
    pooling: str,
    tables: Tables,
) -> None:
    """Turn the drafts into entries, the predictions first."""
    about = {"model": network.name, "images": images.source, "n_images": len(images)}
    about["seconds"] = round(tables.seconds, 3)
    for name, key in keys.items():
        written = tables.tables(name)
        if name in infos:
            values = written["values"]
            tables.add(name, "unit", unit_of_feature(infos[name].output_shape, infos[name].kind, pooling))
            store.finish(key, ["values", "unit"], **about, **_facts(infos[name], pooling, values))
        elif written:
            store.finish(key, list(written), kind=PREDICTIONS, class_names=list(network.class_names), **about)
        else:  # the model answers with something other than classes; said once, so that it is not asked again
            store.put(key, {}, kind=PREDICTIONS, **about)


def _facts(info: LayerInfo, pooling: str, values: NDArray[np.float32]) -> dict[str, Any]:
    pieces = np.array_split(values, max(1, len(values) // 1024))
    return {
        "kind": "activations",
        "layer": info.name,
        "pooling": effective_pooling(info.kind, pooling, len(info.output_shape) + 1),
        "pooling_asked": pooling,
        "layer_kind": info.kind,
        "output_shape": list(info.output_shape),
        "n_not_finite": int(sum(np.size(piece) - np.isfinite(piece).sum() for piece in pieces)),
    }


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
