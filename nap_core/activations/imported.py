"""Activations made elsewhere, by any framework: one ``.npz`` with an array ``[image, feature]`` per layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import InputError, listed

NAMED = ("ids", "targets")


@dataclass(frozen=True, slots=True)
class Imported:
    """What the file held; arrays of more than two axes are flattened behind the image axis."""

    layers: dict[str, NDArray[np.float32]]
    ids: tuple[str, ...]
    targets: tuple[int, ...]


def read_activations(path: Path | str) -> Imported:
    """Read an ``.npz``: every array but `ids` and `targets` is a layer. Pickled objects are never opened.

    Raises
    ------
    InputError
        If the file is no such archive, holds no layer, or its arrays disagree on the number of images.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; give an .npz with one array [image, feature] per layer.") from None
    except (OSError, ValueError, BadZipFile, AttributeError, EOFError) as error:
        raise InputError(
            f"{path.name} is not an .npz of plain arrays ({error}); "
            "write it with numpy.savez(file, layer1=…, layer2=…)."
        ) from error
    layers = {name: _rows(name, array) for name, array in arrays.items() if name not in NAMED}
    lengths = {name: len(array) for name, array in arrays.items()}
    if not layers:
        raise InputError(f"{path.name} holds {listed(arrays) or 'nothing'}; one array [image, feature] per layer.")
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise InputError(f"The arrays of {path.name} disagree on the number of images ({told}); make them agree.")
    ids = tuple(str(name) for name in arrays.get("ids", ()))
    if len(set(ids)) < len(ids):
        raise InputError(f"The ids in {path.name} are not unique; give every image a name of its own.")
    return Imported(layers, ids, tuple(int(t) for t in arrays.get("targets", ())))


def checked_length(values: Mapping[str, NDArray[Any]], ids: Sequence[str], targets: Sequence[int]) -> int:
    """Return the number of images of arrays ``[image, feature]`` given from Python.

    Raises
    ------
    InputError
        If there is no layer, an array has no feature axis, lengths disagree, or ids repeat.
    """
    if not values:
        raise InputError("There is no layer; give one array [image, feature] per layer.")
    for name, array in values.items():
        if np.ndim(array) < 2:
            raise InputError(f"Array '{name}' has shape {np.shape(array)}; a layer is numbers [image, feature].")
    lengths = {name: len(array) for name, array in values.items()}
    lengths |= {name: len(given) for name, given in (("ids", ids), ("targets", targets)) if len(given)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise InputError(f"The arrays disagree on the number of images ({told}); make them agree.")
    if len(set(ids)) < len(ids):
        raise InputError("The ids are not unique; give every image a name of its own.")
    return next(iter(lengths.values()))


def _rows(name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if array.ndim < 2 or array.dtype.kind not in "fiub":
        raise InputError(
            f"Array '{name}' has shape {array.shape} and type {array.dtype}; a layer is numbers [image, feature]."
        )
    return array.reshape(len(array), -1).astype(np.float32)
