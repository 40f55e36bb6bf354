"""The files below a folder, in an order that people expect and that every run repeats."""

from __future__ import annotations

import os
import re
from pathlib import Path


def files_below(root: Path) -> list[Path]:
    """Return all files below `root` in natural order, without hidden ones and ``__MACOSX``; links are followed once."""
    found: list[Path] = []
    walked: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in walked else [name for name in folders if not is_hidden(name)]
        if real not in walked:
            found.extend(Path(folder, name) for name in files if not is_hidden(name))
        walked.add(real)
    # A link to nowhere stays in the list, so that it can be told; pipes and devices would block whoever reads them.
    kept = (file for file in found if file.is_file() or not file.exists())
    return sorted(kept, key=lambda file: natural_key(file.relative_to(root).as_posix()))


def innermost(folder: Path) -> Path:
    """Go down while a folder holds one folder and nothing else, as in most zips."""
    seen = [entry for entry in folder.iterdir() if not is_hidden(entry.name)]
    return innermost(seen[0]) if len(seen) == 1 and seen[0].is_dir() else folder


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over."""
    return name.startswith(".") or name == "__MACOSX"


def natural_key(path: str) -> list[list[tuple[int, int, str]]]:
    """Sort key under which ``2.png`` comes before ``10.png``, folder by folder."""
    return [
        [
            (0, int(piece), piece) if piece.isdecimal() else (1, 0, piece)
            for piece in re.split("([0-9]+)", part)
            if piece
        ]
        for part in path.split("/")
    ]


def printable(name: str) -> str:
    r"""Return a file name as valid Unicode; bytes that are none are written out as ``\udcff``."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
