"""Reading layers on the workers of a Dask cluster, in shards of whole batches.

The rows come back to this process, which writes them where a run on one machine would: the same batches in the same
tables. A worker that is lost costs its shard, which Dask gives to another one; a stopped run resumes behind the last
shard up to which everything is there.

References
----------
Rocklin: Dask: parallel computation with blocked algorithms and task scheduling. SciPy 2015.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nap_core.activations.devices import pick_device
from nap_core.activations.reading import Reading, Rows, read
from nap_core.activations.tables import Tables
from nap_core.errors import MissingPackageError, WorkerError
from nap_core.types import Progress

if TYPE_CHECKING:
    from distributed import Client, Future

    from nap_core.inputs.image_set import ImageSet

LOCAL = "local"
IMAGES_PER_SHARD = 256
SHARDS_PER_THREAD = 2  # sent ahead, so that no worker waits for this process
_PATIENCE = 20  # seconds for the scheduler to answer


@contextmanager
def workers(address: str) -> Iterator[Client]:
    """Connect to the scheduler at `address`; ``local`` starts a worker process for each core of this machine.

    Raises
    ------
    MissingPackageError
        If dask is not installed.
    WorkerError
        If nobody answers at `address`, or no worker is there.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise MissingPackageError(
            "Running on a scheduler needs Dask, which is optional: pip install 'dask[distributed]'."
        ) from error
    if address == LOCAL:
        with (
            LocalCluster(threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError, TimeoutError) as error:
        raise WorkerError(
            f"No Dask scheduler answers at '{address}' ({error}); start one with `dask scheduler`, give its address as "
            f"tcp://host:8786, or give '{LOCAL}'."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise WorkerError(
                f"The scheduler at '{address}' has no workers; start some with `dask worker {address}`."
            ) from error
        yield client


def check_shared(client: Client, folder: Path) -> None:
    """Raise `WorkerError` where a worker does not see `folder` under its path."""
    seen = client.run(os.path.isdir, str(folder.resolve()))
    blind = sorted(worker for worker, is_there in seen.items() if not is_there)
    if blind:
        raise WorkerError(
            f"{len(blind)} of {len(seen)} workers do not see {folder.resolve()} (the first is {blind[0]}); put study "
            "and images into a folder that all machines share."
        )


def read_on_workers(
    client: Client, reading: Reading, images: ImageSet, tables: Tables, device: str, progress: Progress | None
) -> None:
    """Fill the tables behind the last commit, shard by shard, in whatever order they are finished.

    Raises
    ------
    WorkerError
        If Dask gives a shard up because workers died with it again and again.
    """
    import cloudpickle
    from distributed import KilledWorker, as_completed

    began = time.perf_counter() - tables.seconds
    starts = iter(shard_starts(tables.n_done, len(images), reading.batch_size))
    # As bytes: a module that is being read has hooks on it, and must not be copied to another worker just then.
    kept = client.scatter(cloudpickle.dumps(reading), broadcast=True)

    def submitted(start: int) -> Future:
        part = images.subset(np.arange(start, min(start + shard_size(reading.batch_size), len(images))))
        return client.submit(_shard, kept, part, start, device, pure=False)

    ahead = SHARDS_PER_THREAD * max(1, sum(client.nthreads().values()))
    finished, n_done = {}, tables.n_done
    running = as_completed([submitted(start) for start in islice(starts, ahead)])
    try:
        for future in running:
            first, n, rows = future.result()
            for name, found in rows.items():
                tables.write(name, first, **found)
            finished[first] = n
            running.update([submitted(start) for start in islice(starts, 1)])
            while n_done in finished:
                n_done += finished.pop(n_done)
            tables.seconds = time.perf_counter() - began
            tables.commit_when_due(n_done, tables.seconds)
            if progress:
                progress(n_done + sum(finished.values()), len(images))
    except KilledWorker as error:
        raise WorkerError(
            f"Workers died {error.allowed_failures + 1} times on the same images, perhaps for want of memory; start "
            "them with more, or give a smaller --batch-size. The same command goes on behind the finished shards."
        ) from error
    finally:
        client.cancel(list(running.futures))


def shard_size(batch_size: int) -> int:
    """Return how many images a shard has: whole batches, so that they are those of a run on one machine."""
    return max(1, IMAGES_PER_SHARD // batch_size) * batch_size


def shard_starts(first: int, n_images: int, batch_size: int) -> range:
    """Return the first image of every shard from image `first` on."""
    return range(first, n_images, shard_size(batch_size))


def _shard(kept: bytes, images: ImageSet, start: int, device: str) -> tuple[int, int, Rows]:
    """Return first image, number and rows of a shard; runs on a worker."""
    import cloudpickle

    reading: Reading = cloudpickle.loads(kept)
    pieces: dict[str, dict[str, list[np.ndarray]]] = {}
    for _, _, rows in read(reading, images, 0, pick_device(device, reading.precision)):
        for name, found in rows.items():
            for table, values in found.items():
                pieces.setdefault(name, {}).setdefault(table, []).append(values)
    joined = {name: {t: np.concatenate(parts) for t, parts in found.items()} for name, found in pieces.items()}
    return start, len(images), joined
