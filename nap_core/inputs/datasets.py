"""Published data sets by name, read and fetched by torchvision.

Sets that torchvision keeps in memory (MNIST, CIFAR …) become one array; sets of files stay files and are opened one
at a time. The names of torchvision's attributes for both stand in the registry, beside what a person wants to know.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nap_core.errors import InputError, OfflineError, UnknownNameError, listed
from nap_core.inputs.image_set import ImageSet
from nap_core.inputs.images import images_from_arrays, images_from_files
from nap_core.types import Progress

_SECONDS_WITHOUT_A_BYTE = 30.0


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of a data set before it is fetched."""

    title: str  # what is in it
    size: str  # what has to be downloaded, and how many pictures there are
    splits: tuple[str, ...]  # the first is the default
    pictures: str  # torchvision's attribute: an array, a list of files, or a list of (file, class)
    targets: str = ""  # torchvision's attribute: [image] class; "" where `pictures` holds it
    names: str = "classes"  # torchvision's attribute: the classes' names; "" where there are none
    by_train: bool = False  # the split is chosen by train=True or False
    place: str = ""  # below the root, what is there once it was fetched
    megabytes: int = 0  # downloaded for the first split
    version: str = ""  # torchvision's `size`, where a set comes in several


_TEST_FIRST = ("test", "train")
_TVT = ("test", "val", "train")


def _digits(title: str, size: str, place: str, megabytes: int, names: str = "classes") -> Dataset:
    return Dataset(title, size, _TEST_FIRST, "data", "targets", names, by_train=True, place=place, megabytes=megabytes)


DATASETS: dict[str, Dataset] = {
    "MNIST": _digits(
        "handwritten digits, grey, 28 × 28, 10 classes", "12 MB; 10,000 test and 60,000 train", "MNIST/raw", 12
    ),
    "FashionMNIST": _digits(
        "pieces of clothing, grey, 28 × 28, 10 classes", "31 MB; 10,000 test and 60,000 train", "FashionMNIST/raw", 31
    ),
    "KMNIST": _digits(
        "cursive Japanese letters, grey, 28 × 28, 10 classes", "21 MB; 10,000 test and 60,000 train", "KMNIST/raw", 21
    ),
    "USPS": _digits(
        "digits on envelopes, grey, 16 × 16, 10 classes", "9 MB; 2,007 test and 7,291 train", "usps.t.bz2", 2, ""
    ),
    "CIFAR10": _digits(
        "small photos of things, 32 × 32, 10 classes", "170 MB; 10,000 test and 50,000 train",
        "cifar-10-batches-py", 170,
    ),
    "CIFAR100": _digits(
        "small photos of things, 32 × 32, 100 classes", "169 MB; 10,000 test and 50,000 train",
        "cifar-100-python", 169,
    ),
    "SVHN": Dataset(
        "house numbers from the street, 32 × 32, 10 classes", "64 MB test (26,032), 182 MB train (73,257)",
        _TEST_FIRST, "data", "labels", "", place="test_32x32.mat", megabytes=64,
    ),
    "STL10": Dataset(
        "photos of things, 96 × 96, 10 classes", "2.6 GB; 8,000 test and 5,000 train", _TEST_FIRST, "data", "labels",
        place="stl10_binary", megabytes=2640,
    ),
    "Imagenette": Dataset(
        "photos, ten easy classes of ImageNet", "342 MB; 3,925 val and 9,469 train, shorter side 320",
        ("val", "train"), "_samples", place="imagenette2-320", megabytes=342, version="320px",
    ),
    "EuroSAT": Dataset(
        "land use seen by a satellite, 64 × 64, 10 classes", "94 MB; 27,000 pictures, no splits", ("all",), "samples",
        place="eurosat/2750", megabytes=94,
    ),
    "GTSRB": Dataset(
        "German traffic signs, 43 classes", "89 MB test (12,630), 188 MB train (26,640)",
        _TEST_FIRST, "_samples", names="", place="gtsrb/GTSRB", megabytes=89,
    ),
    "DTD": Dataset(
        "textures, 47 classes", "625 MB; 1,880 in each split", _TVT, "_image_files", "_labels",
        place="dtd/dtd", megabytes=625,
    ),
    "Flowers102": Dataset(
        "flowers, 102 classes", "345 MB; 6,149 test, 1,020 val, 1,020 train", _TVT, "_image_files", "_labels",
        place="flowers-102/jpg", megabytes=345,
    ),
    "OxfordIIITPet": Dataset(
        "cats and dogs, 37 breeds", "811 MB; 3,669 test and 3,680 trainval", ("test", "trainval"), "_images", "_labels",
        place="oxford-iiit-pet/images", megabytes=811,
    ),
    "FGVCAircraft": Dataset(
        "aircraft, 100 variants", "2.7 GB; 3,333 in each split", _TVT, "_image_files", "_labels",
        place="fgvc-aircraft-2013b/data", megabytes=2753,
    ),
    "Food101": Dataset(
        "dishes, 101 classes", "5.0 GB; 25,250 test and 75,750 train", _TEST_FIRST, "_image_files", "_labels",
        place="food-101/images", megabytes=4997,
    ),
}  # fmt: skip
"""Name in torchvision → what it is. A new entry is tested by existing."""


def load_dataset(
    name: str,
    root: Path | str,
    *,
    split: str | None = None,
    download: bool = False,
    progress: Progress | None = None,
) -> ImageSet:
    """Load a split of a published data set; ids are like ``FashionMNIST/test/00042``, in torchvision's order.

    Parameters
    ----------
    name
        A key of `DATASETS`.
    root
        The folder that torchvision is given: it holds, or will hold, the data set's own folder.
    split
        One of ``DATASETS[name].splits``; None for the first of them.
    download
        Fetch what is not there; see ``DATASETS[name].size``.
    progress
        Called as ``progress(done, total)`` for every file, where the set is made of files.

    Raises
    ------
    UnknownNameError
        If there is no such data set or split.
    InputError
        If it is not below `root`, or is damaged there, and `download` is off.
    OfflineError
        If it cannot be fetched.
    """
    if name not in DATASETS:
        raise UnknownNameError(f"No data set '{name}'; there are {listed(DATASETS, 30)}.")
    about = DATASETS[name]
    split = about.splits[0] if split is None else split
    if split not in about.splits:
        raise UnknownNameError(f"{name} has no split '{split}'; it has {listed(about.splits)}.")
    dataset = _opened(name, about, Path(root), split, download)
    return _image_set(dataset, about, f"{name}/{split}", f"{name}, {split} split", progress)


def _opened(name: str, about: Dataset, root: Path, split: str, download: bool) -> Any:
    import torchvision.datasets

    chosen: dict[str, Any] = {"train": split == "train"} if about.by_train else {"split": split}
    if about.splits == ("all",):
        chosen = {}
    if about.version:
        chosen["size"] = about.version
    make = getattr(torchvision.datasets, name)
    try:
        return make(str(root), **chosen)  # what is there needs no network, and no second unpacking
    except ImportError as error:
        raise InputError(
            f"{name} needs a package that is not installed ({error}). Install it, and try again."
        ) from error
    except (RuntimeError, OSError, ValueError, EOFError) as error:
        if not download:
            raise InputError(
                f"{name} is not complete below '{root}' ({_short(error)}). "
                f"Allow the download ({about.size}), or put it where torchvision keeps it."
            ) from error
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _impatient():
            return make(str(root), download=True, **chosen)
    except (RuntimeError, OSError, ValueError, EOFError) as error:
        raise OfflineError(
            f"{name} ({about.size}) could not be downloaded ({_short(error)}). Connect to the network and try again, "
            f"or fetch it elsewhere with torchvision and copy it to '{root}'."
        ) from error


@contextmanager
def _impatient() -> Iterator[None]:
    """Let a connection that stays silent fail; torchvision would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS_WITHOUT_A_BYTE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _short(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _image_set(dataset: Any, about: Dataset, prefix: str, source: str, progress: Progress | None) -> ImageSet:
    held = getattr(dataset, about.pictures)
    n = len(held)
    ids = [f"{prefix}/{i:05d}" for i in range(n)]
    names = [_name(name) for name in getattr(dataset, about.names)] if about.names else []
    if about.pictures == "data":
        target = np.asarray(getattr(dataset, about.targets)).astype(np.int64)
        return images_from_arrays(np.asarray(held), target, names, ids, source)
    if about.targets:
        files, target = [Path(file) for file in held], np.asarray(getattr(dataset, about.targets))
    else:
        files, target = [Path(file) for file, _ in held], np.array([number for _, number in held])
    return images_from_files(files, ids, target, names, source, progress)


def _name(name: Any) -> str:
    return str(name[0] if isinstance(name, tuple) else name)  # Imagenette gives ("tench", "Tinca tinca")
