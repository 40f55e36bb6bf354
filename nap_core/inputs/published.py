"""A published network on a published set of photos: what it takes before it begins, and the fetching of it.

Weights and pictures are fetched by torchvision, in a process of its own, which can be ended at any moment, keeps the
memory that torchvision needs for unpacking, and whose impatience with a silent network concerns nobody else. How far it
is, is read off the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nap_core.errors import InputError, NapError, OfflineError, StorageFullError
from nap_core.inputs import zoo
from nap_core.inputs.datasets import DATASETS, load_dataset
from nap_core.inputs.image_set import ImageSet
from nap_core.inputs.models import Network, load_model
from nap_core.inputs.zoo import MODELS
from nap_core.types import Progress

PAIRS: dict[str, tuple[str, str]] = {
    "MobileNetV2 on Imagenette": ("mobilenet_v2", "Imagenette"),
    "ResNet-18 on CIFAR-10": ("resnet18", "CIFAR10"),
    "ResNet-50 on pets": ("resnet50", "OxfordIIITPet"),
    "Swin-T on Imagenette": ("swin_t", "Imagenette"),
    "ViT-B/16 on flowers": ("vit_b_16", "Flowers102"),
}
"""Words for people → architecture and data set: pairs worth a first look, the smallest download first."""

UNPACKED = 3  # an archive and what is in it take at most this many times the archive, beside `_SPARE`
_SPARE = 100_000_000
BITS_PER_SECOND = 50e6
_SECONDS_PER_IMAGE, _OPERATIONS_PER_SECOND = 0.03, 40.0  # of one processor core: decoding, and 10⁹ operations
_SILENCE = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """What a published network on a published data set will take."""

    model: str
    weights: str
    dataset: str
    root: Path  # where data sets are kept
    n_images: int
    weights_bytes: int  # to download; 0 where they are here
    dataset_bytes: int  # to download; 0 where it is here
    disk_bytes: int  # needed at most while it is fetched
    free_bytes: int
    download_seconds: float  # at `BITS_PER_SECOND`
    run_seconds: float  # network only, on this machine's processor

    @property
    def download_bytes(self) -> int:
        """All that is to download."""
        return self.weights_bytes + self.dataset_bytes


def plan(model: str, dataset: str, root: Path, *, n_images: int = 1000, weights: str | None = None) -> Plan:
    """Return what a study would take, from what is published and what is on this machine already.

    Parameters
    ----------
    model, dataset
        Of `MODELS` and `DATASETS`; their first split.
    root
        The folder that torchvision is given for data sets.
    n_images
        At most so many are run.

    Raises
    ------
    UnknownNameError
        If torchvision publishes no such weights.
    """
    chosen, about = MODELS[model].published(weights), DATASETS[dataset]
    weights_bytes = 0 if zoo.weights_file(chosen).exists() else chosen.size
    dataset_bytes = 0 if (root / about.place).exists() else about.megabytes * 10**6
    total = weights_bytes + dataset_bytes
    per_image = _SECONDS_PER_IMAGE + chosen.operations / _OPERATIONS_PER_SECOND
    return Plan(
        model=model,
        weights=chosen.name,
        dataset=dataset,
        root=root,
        n_images=n_images,
        weights_bytes=weights_bytes,
        dataset_bytes=dataset_bytes,
        disk_bytes=weights_bytes + UNPACKED * dataset_bytes + _SPARE,
        free_bytes=shutil.disk_usage(_existing(root)).free,
        download_seconds=8 * total / BITS_PER_SECOND,
        run_seconds=n_images * per_image / (os.cpu_count() or 1),
    )


def _existing(folder: Path) -> Path:
    return folder if folder.exists() or folder == folder.parent else _existing(folder.parent)


def check_room(folder: Path, needed: int) -> None:
    """Raise `StorageFullError` where the disk of `folder` is too small for what is to be fetched."""
    free = shutil.disk_usage(_existing(folder)).free
    if needed > free:
        raise StorageFullError(
            f"Up to {needed / 1e9:.1f} GB are needed on the disk that holds {folder} while the download is unpacked, "
            f"and {free / 1e9:.1f} GB are free. Free some space, set NAP_CACHE to a folder on another disk, or choose "
            "a smaller data set."
        )


def fetched_network(model: str, weights: str | None = None, progress: Progress | None = None) -> Network:
    """Return a network with published weights, downloaded where they are not here whole.

    Parameters
    ----------
    progress
        Called with bytes while they are downloaded.

    Raises
    ------
    OfflineError
        If they cannot be downloaded.
    StorageFullError
        If the disk is too small for them.
    """
    chosen = MODELS[model].published(weights)
    file = zoo.weights_file(chosen)
    if not file.exists():
        check_room(file.parent, chosen.size)
        _fetch(["weights", model, chosen.name], file.parent, chosen.size, progress)
    return load_model(model, chosen.name)


def fetched_images(
    dataset: str, root: Path, progress: Progress | None = None, reading: Progress | None = None
) -> ImageSet:
    """Return the first split of a data set, downloaded where it is not below `root`.

    Parameters
    ----------
    progress, reading
        Called with bytes while it is downloaded and unpacked, with files while they are read.

    Raises
    ------
    OfflineError
        If it cannot be downloaded.
    StorageFullError
        If the disk is too small for it.
    """
    try:
        return load_dataset(dataset, root, progress=reading)
    except InputError:
        size = DATASETS[dataset].megabytes * 10**6
        check_room(root, UNPACKED * size + _SPARE)
        _fetch(["dataset", dataset, str(root)], root, size, progress)
        return load_dataset(dataset, root, progress=reading)


def _fetch(arguments: Sequence[str], folder: Path, expected: int, progress: Progress | None) -> None:
    """Run `main` in a process of its own; it ends with this function, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _size(folder)
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "nap_core.inputs.published", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.DEVNULL,
        )
        try:
            while process.poll() is None:
                if progress:
                    progress(min(_size(folder) - before, expected), expected)
                time.sleep(0.5)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace").strip()
            raise OfflineError(text or f"{' '.join(arguments[:2])} could not be downloaded: the process was ended.")


def _size(folder: Path) -> int:
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += Path(path, name).stat().st_size
            except FileNotFoundError:
                continue  # a partial file got its name meanwhile
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Download published weights or a data set; say why it failed on the standard output."""
    import socket

    parser = argparse.ArgumentParser(prog="python -m nap_core.inputs.published")
    kinds = parser.add_subparsers(dest="kind", required=True)
    weights = kinds.add_parser("weights")
    weights.add_argument("model", choices=tuple(MODELS))
    weights.add_argument("weights")
    dataset = kinds.add_parser("dataset")
    dataset.add_argument("dataset", choices=tuple(DATASETS))
    dataset.add_argument("root", type=Path)
    chosen = parser.parse_args(arguments)
    socket.setdefaulttimeout(_SILENCE)
    try:
        if chosen.kind == "weights":
            zoo.download(chosen.model, chosen.weights)
        else:
            load_dataset(chosen.dataset, chosen.root, download=True)
    except NapError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
