"""The cache on disk: folders of ``.npy`` files with an ``about.json`` that a person can read. Never a pickle.

An entry is written to a scratch folder and renamed into place, so a reader sees a whole entry or none. A long table is
grown chunk by chunk in a `Draft`, which survives a kill and is renamed when its last row is there.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from nap_core.errors import StorageFullError

ABOUT = "about.json"


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageFullError(
            f"The disk that holds {folder} is full; what was finished is kept. "
            "Free some space, or set NAP_CACHE to a folder on another disk, and run again."
        ) from error


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    with _room(path.parent):
        scratch = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        scratch.replace(path)


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored result."""

    about: dict[str, Any]
    arrays: dict[str, NDArray[Any]]  # memory-mapped, read-only


class Draft:
    """A table that is being written: rows ``0 … n_done-1`` are safe, whatever happens to the process.

    Parameters
    ----------
    folder
        Where the draft lives until it is finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def state(self) -> dict[str, Any]:
        """What was last committed: ``n_done`` and whatever `commit` was given besides; empty for a new draft."""
        try:
            return dict(json.loads((self.folder / "draft.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def table(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the writable memory map `name`; an existing one of this shape is continued, any other replaced."""
        path = self.folder / f"{name}.npy"
        with _room(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if path.exists():
                try:
                    table = np.lib.format.open_memmap(path, mode="r+")
                    if table.shape == shape and table.dtype == np.dtype(dtype):
                        return table
                except (OSError, ValueError):
                    pass
                (self.folder / "draft.json").unlink(missing_ok=True)
            # Reserving the blocks now turns a full disk into an error here, not into a SIGBUS while writing the map.
            table = open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
            try:
                with path.open("r+b") as file:
                    if hasattr(os, "posix_fallocate"):
                        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError:
                path.unlink()  # the next run would take the unreserved file for a sound one
                raise
            return table

    def commit(self, n_done: int, **state: Any) -> None:
        """Declare the first `n_done` rows finished; call after the tables were flushed."""
        write_json(self.folder / "draft.json", {"n_done": n_done, **state})

    def snapshot(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep small arrays in place of those kept before, whole or not at all."""
        with _room(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            scratch = self.folder / f".{os.getpid()}.{threading.get_ident()}.npz"
            np.savez(scratch, allow_pickle=False, **arrays)
            scratch.replace(self.folder / "snapshot.npz")

    def last_snapshot(self) -> dict[str, NDArray[Any]]:
        """Return what `snapshot` kept last; nothing where there is none."""
        try:
            with np.load(self.folder / "snapshot.npz", allow_pickle=False) as kept:
                return dict(kept)
        except (OSError, ValueError, zipfile.BadZipFile):
            return {}

    def discard(self) -> None:
        """Remove the draft."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Store:
    """Results under one folder, found by key.

    Parameters
    ----------
    folder
        Made when the first entry is written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Folder of the entry `key`, whether it exists or not."""
        return self.folder / key[:2] / key

    def get(self, key: str) -> Entry | None:
        """Return the entry, or None where there is none; an unreadable entry is removed with one warning."""
        path = self.path(key)
        if not path.is_dir():
            return None
        try:
            about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
            arrays = {
                name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in about["arrays"]
            }
        except (OSError, ValueError, KeyError) as error:
            warnings.warn(
                f"The stored result {path.name[:12]}… is unreadable ({error}) and is computed again.", stacklevel=2
            )
            shutil.rmtree(path, ignore_errors=True)
            return None
        return Entry(about, arrays)

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]], **about: Any) -> Entry:
        """Store `arrays` and what `about` says of them; an entry already there is kept."""
        with _room(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
            try:
                for name, array in arrays.items():
                    np.save(scratch / f"{name}.npy", array, allow_pickle=False)
                write_json(scratch / ABOUT, {**about, "arrays": sorted(arrays)})
                self._place(scratch, key)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        entry = self.get(key)
        assert entry is not None
        return entry

    def compute(self, key: str, function: Callable[[], Mapping[str, NDArray[Any]]], **about: Any) -> Entry:
        """Return the stored entry, or store what `function` returns."""
        return self.get(key) or self.put(key, function(), **about)

    def draft(self, key: str) -> Draft:
        """Return the draft that `finish` will turn into the entry `key`."""
        return Draft(self.folder / "drafts" / key)

    def finish(self, key: str, arrays: list[str], **about: Any) -> Entry:
        """Turn the draft of `key`, with its tables `arrays`, into an entry."""
        folder = self.draft(key).folder
        write_json(folder / ABOUT, {**about, "arrays": sorted(arrays)})
        (folder / "draft.json").unlink(missing_ok=True)
        self._place(folder, key)
        entry = self.get(key)
        assert entry is not None
        return entry

    def _place(self, scratch: Path, key: str) -> None:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            scratch.replace(path)
        except OSError as error:
            # Somebody else finished the same entry first; both hold the same content.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(scratch, ignore_errors=True)


def cache_folder() -> Path:
    """Where results are kept when nobody names a folder: ``NAP_CACHE``, else the platform's cache folder."""
    named = os.environ.get("NAP_CACHE")
    if named:
        return Path(named)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "nap_core"
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "nap_core"
