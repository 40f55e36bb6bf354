"""The class of every image: from its folder, from a CSV, or from an array of numbers or names."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import ArrayLike

from nap_core.errors import InputError, listed
from nap_core.types import NOISE, Int

_ID_COLUMNS = ("id", "image", "file", "filename", "path", "name")
_TARGET_COLUMNS = ("target", "label", "class", "category")
_MOST = 1_000_000  # a greater "class number" is something else

Classes = tuple[Int, tuple[str, ...]]
"""[image] class number or NOISE, and the classes' names, empty where they are known by number only."""


def by_folder(ids: Sequence[str], looked_at: Sequence[str] = ()) -> Classes:
    """Take the folder on the first level on which paths differ as the class, if more than half of the images have one.

    Parameters
    ----------
    ids
        [image] paths with forward slashes.
    looked_at
        Paths of files that could not be read as well: their folders keep their class numbers.
    """
    paths = [PurePosixPath(name).parts for name in ids]
    level = _first_difference(paths)
    name = [path[level] if len(path) > level + 1 else None for path in paths]
    known = [one for one in name if one is not None]
    if 2 * len(known) <= len(ids):
        return np.full(len(ids), NOISE, np.int32), ()
    others = [PurePosixPath(one).parts for one in looked_at]
    shared = paths[0][:level]
    empty = {path[level] for path in others if len(path) > level + 1 and path[:level] == shared}
    names = tuple(sorted({*known, *empty}))  # plain order, as torchvision's ImageFolder numbers its classes
    number = {one: i for i, one in enumerate(names)}
    return np.array([NOISE if one is None else number[one] for one in name], np.int32), names


def _first_difference(paths: Sequence[tuple[str, ...]]) -> int:
    level = 0
    while all(len(path) > level + 1 for path in paths) and len({path[level] for path in paths}) == 1:
        level += 1
    return level


def by_value(target: ArrayLike | None, n_images: int) -> Classes:
    """Take class numbers as they are, and number class names in their sorted order.

    Parameters
    ----------
    target
        [image] whole numbers (negative ones are unknown) or strings; None if nothing is known.

    Raises
    ------
    InputError
        If there is not one value per image, or values are neither numbers nor names.
    """
    if target is None:
        return np.full(n_images, NOISE, np.int32), ()
    value = np.asarray(target)
    if value.shape != (n_images,):
        raise InputError(f"{n_images} pictures have targets of shape {list(value.shape)}; give one target per picture.")
    if value.dtype.kind in "US":
        texts = [text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in value.tolist()]
        return _from_texts(texts)
    whole = value.dtype.kind in "iub" or (value.dtype.kind == "f" and bool(np.all(value == np.rint(value))))
    if not whole or value.max(initial=0) > _MOST:
        raise InputError(
            f"Targets are {value.dtype} values up to {value.max()}; give whole numbers 0 … {_MOST:,} or names."
        )
    return np.maximum(value.astype(np.int64), NOISE).astype(np.int32), ()


def _from_texts(texts: Sequence[str]) -> Classes:
    known = [text for text in texts if text]
    if all(text.removeprefix("-").isdecimal() and int(text) <= _MOST for text in known):
        return np.array([max(int(text), NOISE) if text else NOISE for text in texts], np.int32), ()
    names = tuple(sorted(set(known)))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number.get(text, NOISE) for text in texts], np.int32), names


def by_table(table: Path, ids: Sequence[str]) -> Classes:
    """Read a CSV with one row per image; images that are not in it have no class.

    An image is found by its id, and else by its file name, with or without its ending, where only one image has it.

    Raises
    ------
    InputError
        If the file is no CSV with the columns ``id`` and ``target``, or names none of the images.
    """
    target = _rows(table)
    by_name = _unambiguous({one: PurePosixPath(one).name for one in ids})
    by_stem = _unambiguous({one: PurePosixPath(one).stem for one in ids})
    found = {one: target[one] for one in ids if one in target}
    for name, text in target.items():
        image = by_name.get(name) or by_stem.get(name)
        if image is not None:
            found.setdefault(image, text)
    if not found:
        raise InputError(
            f"'{table.name}' names {listed(target, 4) or 'nothing'}, and no image is called so; "
            f"the images are {listed(ids, 4)}. Use these ids in its first column."
        )
    return _from_texts([found.get(one, "") for one in ids])


def _unambiguous(short: dict[str, str]) -> dict[str, str]:
    count = Counter(short.values())
    return {name: one for one, name in short.items() if count[name] == 1}


def _rows(table: Path) -> dict[str, str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            separator = next((one for one in ",;\t" if one in first), ",")  # spreadsheets differ by country
            rows = [row for row in csv.reader(file, delimiter=separator) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"The table of classes '{table.name}' cannot be read ({error}). Save it as CSV, UTF-8."
        ) from error
    head = [name.strip().lower() for name in rows[0]] if rows else []
    id_column = next((head.index(name) for name in _ID_COLUMNS if name in head), None)
    target_column = next((head.index(name) for name in _TARGET_COLUMNS if name in head), None)
    if id_column is None or target_column is None:
        raise InputError(
            f"The table of classes '{table.name}' has the columns {listed(head) or 'none'}; "
            "it needs 'id' and 'target' in its first line."
        )
    last = max(id_column, target_column)
    return {
        row[id_column].strip().replace("\\", "/"): row[target_column].strip() for row in rows[1:] if len(row) > last
    }
