"""Columns of any CSV beside the images: numbers or names, matched to the images by their id."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import InputError, listed

_ID_COLUMNS = ("id", "image", "file", "filename", "path", "name")
_MOST_BYTES = 200_000_000

Columns = dict[str, NDArray[Any]]
"""Column → [image] float64 with NaN where unknown, or names with "" where unknown."""


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(
                f"{path.name} has more than {_MOST_BYTES // 1_000_000} MB; give only the columns you need."
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The table {path} cannot be read ({error}); give a CSV file in UTF-8.") from error
    lines = text.splitlines()
    try:
        dialect: Any = csv.Sniffer().sniff("\n".join(lines[:20]), ",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [row for row in csv.reader(lines, dialect) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"{path.name} is no table ({error}); give a CSV file with a line of column names.") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise InputError(
            f"{path.name} needs a line of column names, the image's id and a further column, and rows below."
        )
    return [name.strip() for name in rows[0]], rows[1:]


def _column(cells: Sequence[str | None]) -> NDArray[Any]:
    """Return numbers where every known cell is one, else names."""
    known = [cell for cell in cells if cell]
    try:
        numbers = [float(cell) if cell else float("nan") for cell in cells]
    except ValueError:
        return np.array([cell or "" for cell in cells], str)
    return np.array(numbers, np.float64) if known else np.array([""] * len(cells), str)


def read_metadata(path: Path | str, ids: Sequence[str], *, id_column: str | None = None) -> Columns:
    """Read the columns of a CSV for the images of a study.

    Parameters
    ----------
    path
        A CSV with a line of column names; separated by commas, semicolons or tabs.
    ids
        [image] names of the images. A row belongs to the image of the same id, else of the same file name.
    id_column
        Which column holds the id; else one called id, image, file, filename, path or name, else the first.

    Raises
    ------
    InputError
        If the file is no such table, or no row belongs to an image.
    """
    path = Path(path)
    header, rows = _rows(path)
    if id_column is not None and id_column not in header:
        raise InputError(f"{path.name} has no column '{id_column}'; it has {listed(header)}.")
    chosen = id_column or next((name for name in header if name.lower() in _ID_COLUMNS), header[0])
    at = header.index(chosen)
    row_of = {row[at].strip(): row for row in rows if len(row) > at}
    by_name = {PurePosixPath(key).name: row for key, row in row_of.items()}
    found = [row_of.get(name) or by_name.get(PurePosixPath(name).name) for name in ids]
    if not any(found):
        raise InputError(
            f"No row of {path.name} belongs to an image: its column '{chosen}' holds {listed(list(row_of)[:3])}, the "
            f"images are called {listed(list(ids)[:3])}. Write the images' names into that column."
        )
    return {
        name: _column([row[i].strip() if row and len(row) > i else None for row in found])
        for i, name in enumerate(header)
        if i != at and name
    }
