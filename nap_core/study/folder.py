"""What a study looks like on disk: ``study.json``, ``images.json``, thumbnails, results; and how a demo is shipped."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import StudyError
from nap_core.keys import digest
from nap_core.store import Store, cache_folder, write_json
from nap_core.types import Progress

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet

FORMAT = 1
THUMBNAIL = 128  # pixels, longer side
NETWORK_FILES = "network.json"  # model and weights on this machine; stays here when the study goes elsewhere
SMALL_PICTURES = "small pictures"
CLUSTER_TREE = "cluster tree"
_NOT_SHIPPED = (SMALL_PICTURES, CLUSTER_TREE, "synthetic", "generator", "picture facts", "linear prior")
"""Kinds of stored results that are large and soon made again, so that no demo carries them."""
_PICTURES = ("images.json", "thumbnails.json", "thumbnails.npy", "thumbnail_ends.npy")


def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    names = ("torch", "torchvision", "hdbscan", "umap-learn", "numpy", "scikit-learn")
    return {name: importlib.metadata.version(name) for name in names}


def _kept_file(images: ImageSet, image: int) -> list[Any]:
    file = images.file(image)
    return [str(file.absolute()), file.stat().st_size] if file and file.exists() else []


def image_facts(images: ImageSet) -> dict[str, Any]:
    """Return what a study keeps of an image set beside the thumbnails."""
    return {
        "source": images.source,
        "fingerprint": images.fingerprint,
        "ids": list(images.ids),
        "target": [int(t) for t in images.target],
        "class_names": list(images.class_names),
        "skipped": [[skipped.name, skipped.reason] for skipped in images.skipped],
        "files": [_kept_file(images, image) for image in range(len(images))],
    }


def write_study(folder: Path, title: str, config: ClusterConfig, about: dict[str, Any], images: dict[str, Any]) -> None:
    """Write ``study.json`` and ``images.json``.

    Raises
    ------
    StudyError
        If `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder} is a file; give a folder for the study.")
    folder.mkdir(parents=True, exist_ok=True)
    head = {
        "format": FORMAT,
        "title": title,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "n_images": len(images["ids"]),
        "images": {"source": images["source"], "fingerprint": images["fingerprint"]},
        "config": asdict(config),
        "versions": versions(),
    }
    write_json(folder / "images.json", images)
    write_json(folder / "study.json", head | about)


def write_thumbnails(folder: Path, images: ImageSet, progress: Progress | None) -> None:
    """Make the thumbnails once: all JPEGs in one array, and where each ends."""
    from concurrent.futures import ThreadPoolExecutor

    from nap_core.inputs.images import thumbnail

    stamp = folder / "thumbnails.json"
    if stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == images.fingerprint:
        return
    made = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
        for image in workers.map(
            lambda i: thumbnail(images.picture(i, at_least=THUMBNAIL), THUMBNAIL), range(len(images))
        ):
            made.append(image)
            if progress and (len(made) % 64 == 0 or len(made) == len(images)):
                progress(len(made), len(images))
    np.save(folder / "thumbnails.npy", np.frombuffer(b"".join(made), np.uint8))
    np.save(folder / "thumbnail_ends.npy", np.cumsum([len(jpeg) for jpeg in made]))
    write_json(stamp, images.fingerprint)


def _unpack(packed: Any, store: Store) -> None:
    entries: dict[str, dict[str, NDArray[Any]]] = {}
    abouts = json.loads(str(packed["abouts"]))
    for name in packed.files:
        if "/" in name:
            key, array = name.split("/")
            entries.setdefault(key, {})[array] = packed[name]
    for key, about in abouts.items():
        store.put(key, entries.get(key, {}), **{n: value for n, value in about.items() if n != "arrays"})


def pack_results(results: Path, to: Path) -> None:
    """Write the stored results of a study into one compressed ``results.npz``, as the demos are shipped."""
    abouts: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for about in sorted(results.glob("??/*/about.json")):
        key, told = about.parent.name, json.loads(about.read_text(encoding="utf-8"))
        if told["kind"] in _NOT_SHIPPED:
            continue
        abouts[key] = told
        arrays |= {f"{key}/{name}": np.load(about.parent / f"{name}.npy") for name in abouts[key]["arrays"]}
    np.savez_compressed(to / "results.npz", abouts=np.array(json.dumps(abouts)), **arrays)  # type: ignore[arg-type]


def unpacked_demo(name: str) -> Path:
    """Return the folder of a demo's shipped study, unpacked into the cache on first use; needs no torch.

    Raises
    ------
    UnknownNameError
        If there is no such demo.
    """
    from nap_core.inputs.demos import NETWORKS, demo_images, demo_study_folder

    shipped = demo_study_folder(name)
    stamp = digest("demo", study=(shipped / "study.json").read_text(encoding="utf-8"))[:12]
    folder = cache_folder() / "demos" / f"{name}-{stamp}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(shipped / "study.json", folder)
        store = Store(folder / "results")
        with np.load(shipped / "results.npz", allow_pickle=False) as packed:
            _unpack(packed, store)
        if NETWORKS[name] != name:  # the pictures are those of another demo, and made with it
            for file in _PICTURES:
                shutil.copy(unpacked_demo(NETWORKS[name]) / file, folder)
        else:
            images = demo_images(name)
            write_json(folder / "images.json", image_facts(images))
            write_thumbnails(folder, images, None)
        (folder / "ready").touch()
    return folder
