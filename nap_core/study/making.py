"""Making a study's folder: of a network and images that are still to run, or of activations made elsewhere."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.inputs.assumed import assumption
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.keys import digest
from nap_core.patterns.clustering import check_size
from nap_core.store import Store, write_json
from nap_core.study.folder import NETWORK_FILES, image_facts, write_study, write_thumbnails
from nap_core.types import LayerInfo, Progress

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network


def write_network_study(
    folder: Path,
    network: Network,
    images: ImageSet,
    layers: Sequence[LayerInfo],
    *,
    pooling: str,
    precision: str,
    config: ClusterConfig,
    title: str,
    progress: Progress | None,
) -> None:
    """Write down what is to be run: model, images with thumbnails, layers, and the keys of their activations.

    Raises
    ------
    TooFewImagesError
        If no pattern could be found in so few images.
    """
    from nap_core.activations.extract import activations_key
    from nap_core.activations.reading import PREDICTIONS

    check_size(len(images), config)
    if network.is_assumed:
        warnings.warn(assumption(network), stacklevel=4)
    names = [layer.name for layer in layers]
    about = {
        "model": _model_facts(network),
        "class_names": list(network.class_names),
        "pooling": pooling,
        "precision": precision,
        "layers": [asdict(layer) for layer in layers],
        "keys": {name: activations_key(network, images, name, pooling, precision) for name in (*names, PREDICTIONS)},
    }
    write_study(folder, title or f"{network.name} on {_short(images.source)}", config, about, image_facts(images))
    if any(network.files):
        write_json(folder / NETWORK_FILES, dict(zip(("model", "weights"), network.files, strict=True)))
    write_thumbnails(folder, images, progress)


def _short(source: str) -> str:
    """Return the bare name of a zip, folder or file, for a title; anything else as it is told."""
    return re.sub(r"^the (?:zip|folder|array file|file) '(.+)'$", r"\1", source)


def _model_facts(network: Network) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": network.name, "source": network.source, "fingerprint": network.fingerprint}
    if isinstance(network.preprocessing, Preprocessing):
        facts["preprocessing"] = asdict(network.preprocessing)
    return facts


def write_imported_study(
    folder: Path,
    values: Mapping[str, NDArray[Any]],
    *,
    ids: Sequence[str],
    targets: Sequence[int],
    config: ClusterConfig,
    title: str,
) -> None:
    """Write a study of one array ``[image, feature]`` per layer, with the arrays in its store.

    Raises
    ------
    TooFewImagesError
        If no pattern could be found in so few rows.
    """
    from nap_core.activations.imported import checked_length

    n = checked_length(values, ids, targets)
    check_size(n, config)
    store, keys, layers = Store(folder / "results"), {}, []
    for name, array in values.items():
        rows = np.ascontiguousarray(array, dtype=np.float32).reshape(n, -1)
        keys[name] = digest("imported activations", layer=name, values=rows)
        layers.append(asdict(LayerInfo(name, "imported", rows.shape[1:], 0, "vector")))
        n_not_finite = int(rows.size - np.isfinite(rows).sum())
        facts = {"kind": "activations", "layer": name, "pooling": "none", "n_not_finite": n_not_finite, "n_images": n}
        store.compute(keys[name], lambda rows=rows: _imported(rows), **facts)  # type: ignore[misc]
    about = {"model": None, "class_names": [], "pooling": "none", "layers": layers, "keys": keys}
    ids = list(ids) or [f"{i:06d}" for i in range(n)]
    target = [int(t) for t in targets] if len(targets) else [-1] * n
    images = {
        "source": title,
        "fingerprint": digest("imported images", ids=ids, target=target),
        "ids": ids,
        "target": target,
        "class_names": [],
        "skipped": [],
    }
    write_study(folder, title, config, about, images)


def _imported(rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    return {"values": rows, "unit": np.arange(rows.shape[1], dtype=np.int32)}
