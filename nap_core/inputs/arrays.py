"""Pictures that come as one array: ``.npz`` and ``.npy`` of NumPy, and the IDX files of MNIST and its relatives.

References
----------
The IDX format is described at the end of Y. LeCun's page on MNIST: four bytes of which the third is the type (8:
unsigned byte) and the fourth the number of axes, then one big-endian 32-bit length per axis, then the values.
"""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from nap_core.errors import InputError, UnsafeFileError, listed

MAX_BYTES = 4 * 2**30
"""Arrays that would take more memory are refused from their header."""

_IDX_BYTES = b"\x00\x00\x08"
_BROKEN = (OSError, EOFError, ValueError, KeyError, struct.error, zlib.error, zipfile.BadZipFile, MemoryError)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Pictures of one size, and what the file says of them."""

    picture: NDArray[np.uint8]  # [image, h, w] grey or [image, h, w, 3] RGB
    target: NDArray[Any] | None = None  # [image] class numbers or names
    class_names: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = None


def kind_of_array(path: Path) -> str | None:
    """Return "npz", "npy", "idx" or "idx labels" by content, gzip looked through; None for anything else."""
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(b"PK"):
        return "npz" if _is_npz(path) else None
    if head == b"\x93NUMPY":
        return "npy"
    try:
        with _plain(path) as file:
            head = file.read(4)
    except _BROKEN:
        return None
    if head[:3] != _IDX_BYTES:
        return None
    return {1: "idx labels", 3: "idx", 4: "idx"}.get(head[3])


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _BROKEN:
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def read_table(path: Path) -> Table:
    """Read the file that `kind_of_array` recognised.

    Raises
    ------
    InputError
        If it holds no array of pictures, is damaged, or is larger than `MAX_BYTES`.
    UnsafeFileError
        If an array in it is a pickle.
    """
    kind = kind_of_array(path)
    try:
        if kind == "npz":
            return _read_npz(path)
        if kind == "npy":
            return Table(as_pictures(np.load(path, mmap_mode="r", allow_pickle=False), f"'{path.name}'"))
        return _read_idx_pair(path)
    except (InputError, UnsafeFileError):
        raise
    except _BROKEN as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error) or "Python objects" in str(error):
            raise UnsafeFileError(
                f"'{path.name}' holds Python objects, which could run code when opened, so it was not opened. "
                "Save plain number arrays, and names as an array of strings."
            ) from error
        raise InputError(f"'{path.name}' is damaged or not complete ({error}). Make or upload it again.") from error


def _read_npz(path: Path) -> Table:
    with zipfile.ZipFile(path) as archive:
        _refuse_large(sum(entry.file_size for entry in archive.infolist()), path)
    with np.load(path, allow_pickle=False) as arrays:
        name = _picture_name(arrays, path)
        picture = as_pictures(arrays[name], f"'{name}' in '{path.name}'")
        targets = [key for key in ("targets", "target", "labels", "label", "y") if key in arrays]
        return Table(
            picture,
            arrays[targets[0]].reshape(-1) if targets else None,
            tuple(str(text) for text in arrays["class_names"]) if "class_names" in arrays else (),
            tuple(str(text) for text in arrays["ids"]) if "ids" in arrays else None,
        )


def _picture_name(arrays: NpzFile, path: Path) -> str:
    if "images" in arrays:
        return "images"
    shapes = {name: arrays[name].shape for name in arrays.files}
    fitting = [name for name, shape in shapes.items() if len(shape) in (3, 4)]
    if len(fitting) == 1:
        return fitting[0]
    held = listed(f"{name} {list(shape)}" for name, shape in shapes.items()) or "nothing"
    raise InputError(
        f"'{path.name}' holds {held}: {'no' if not fitting else 'more than one'} array could be the pictures. "
        "Save them as 'images' with shape [image, height, width] or [image, height, width, 3]."
    )


def as_pictures(array: NDArray[Any], called: str = "the array") -> NDArray[np.uint8]:
    """Return pictures as uint8, [image, h, w] where they are grey and [image, h, w, 3] elsewhere.

    Parameters
    ----------
    array
        [image, h, w], [image, h, w, 1 or 3], or channels first as in PyTorch, [image, 1 or 3, h, w]; bool, uint8,
        uint16, whole numbers 0 … 255 of any other type, or floats 0 … 1.
    called
        The array's name in errors.

    Raises
    ------
    InputError
        If shape, type or range is another one, or there is no picture in it.
    """
    shape = array.shape
    if len(shape) == 4 and shape[-1] not in (1, 3) and shape[1] in (1, 3):
        array = np.moveaxis(array, 1, -1)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[-1] == 3)) or 0 in shape:
        raise InputError(
            f"{called} has shape {list(shape)}; pictures are [image, height, width] or [image, height, width, 3]. "
            "Reshape it, one row per picture."
        )
    return _bytes(array, called)


def _bytes(array: NDArray[Any], called: str) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.asarray(array)
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{called} is of type {array.dtype}; pictures are numbers. Save it as uint8, 0 … 255.")
    low, high = float(array.min()), float(array.max())
    if array.dtype == np.uint16:
        return (((array.astype(np.uint32)) + 128) // 257).astype(np.uint8)
    whole = array.dtype.kind in "iu"
    if not (low >= 0 and high <= (255 if whole else 1)):  # also refuses NaN
        raise InputError(
            f"{called} ({array.dtype}) runs from {low:g} to {high:g}; whole numbers 0 … 255 or floats 0 … 1 are read. "
            "Scale it to one of these."
        )
    return array.astype(np.uint8) if whole else np.rint(array * 255).astype(np.uint8)


def _read_idx_pair(path: Path) -> Table:
    picture = as_pictures(_read_idx(path), f"'{path.name}'")
    labels = _labels_beside(path)
    stem = path.name.partition("images")[0].strip("-_. ") or path.name.partition(".")[0]
    width = max(5, len(str(len(picture) - 1)))
    ids = tuple(f"{stem}/{row:0{width}d}" for row in range(len(picture)))
    return Table(picture, None if labels is None else _read_idx(labels), (), ids)


def _labels_beside(path: Path) -> Path | None:
    name = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1").removesuffix(".gz")
    for candidate in (path.with_name(name), path.with_name(name + ".gz")):
        if candidate != path and candidate.is_file():
            return candidate
    return None


def _plain(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _read_idx(path: Path) -> NDArray[np.uint8]:
    with _plain(path) as file:
        head = file.read(4)
        if head[:3] != _IDX_BYTES:
            raise InputError(f"'{path.name}' is no IDX file of unsigned bytes. Give the file as it was published.")
        shape = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
        n_bytes = math.prod(shape)
        _refuse_large(n_bytes, path)
        values = file.read(n_bytes)
    if len(values) != n_bytes:
        raise InputError(f"'{path.name}' holds {len(values):,} of {n_bytes:,} values: it was cut off. Fetch it again.")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _refuse_large(n_bytes: int, path: Path) -> None:
    if n_bytes > MAX_BYTES:
        raise InputError(
            f"'{path.name}' would take {n_bytes / 2**30:,.1f} GB of memory; at most {MAX_BYTES / 2**30:.0f} GB "
            "are read. Split it, or save the pictures as files in folders."
        )
