"""The tables that one pass fills row by row, in drafts that survive a kill."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from nap_core.store import Store

IMAGES_PER_COMMIT = 128
SECONDS_PER_COMMIT = 5.0


class Tables:
    """The drafts of one run; `n_done` rows of all of them are there when it begins.

    A run goes on where the one before it stopped if that wrote the same tables, and then with the batch size of that
    one: the batches have the same borders, and the bytes are the same as without the interruption. Otherwise it begins
    anew.

    Parameters
    ----------
    keys
        Name → key of the entry it becomes.
    batch_size
        Taken unless an earlier run goes on.
    optional
        A name that may have no table: nobody knows before the first pass whether the model answers with classes.
    """

    def __init__(self, store: Store, keys: dict[str, str], n_images: int, batch_size: int, optional: str) -> None:
        self.drafts = {name: store.draft(key) for name, key in keys.items()}
        self.n_images, self.batch_size, self.n_done, self.seconds = n_images, batch_size, 0, 0.0
        self._tables: dict[str, dict[str, NDArray[Any]]] = {}
        self._resume(optional)
        self._committed, self._at = self.n_done, time.monotonic()

    def _resume(self, optional: str) -> None:
        states = {name: draft.state for name, draft in self.drafts.items()}
        needed = [state for name, state in states.items() if state or name != optional]
        sizes = {state.get("batch_size") for state in needed}
        is_whole = all(_has_rows(self.drafts[name].folder, self.n_images) for name, state in states.items() if state)
        if not (needed and all(needed) and len(sizes) == 1 and is_whole):
            for draft in self.drafts.values():
                (draft.folder / "draft.json").unlink(missing_ok=True)
            return
        self.batch_size, self.seconds = int(needed[0]["batch_size"]), float(needed[0]["seconds"])
        # Killed between the last commit and the end: the last batch is run again, which opens the tables.
        last = (self.n_images - 1) // self.batch_size * self.batch_size
        self.n_done = min(last, *(int(state["n_done"]) for state in needed))

    def write(self, name: str, first: int, **rows: NDArray[Any]) -> None:
        """Write ``rows[table]`` from row `first` on."""
        if name not in self._tables:
            shapes = {table: (self.n_images, *values.shape[1:]) for table, values in rows.items()}
            self._tables[name] = {t: self.drafts[name].table(t, shapes[t], rows[t].dtype) for t in rows}
        for table, values in rows.items():
            self._tables[name][table][first : first + len(values)] = values

    def tables(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the tables of `name`, as far as they were written; empty where there are none."""
        return self._tables.get(name, {})

    def commit_when_due(self, n_done: int, seconds: float) -> None:
        """Commit after every 128 images or 5 seconds, and at the end."""
        is_due = n_done - self._committed >= IMAGES_PER_COMMIT or time.monotonic() - self._at >= SECONDS_PER_COMMIT
        if is_due or n_done == self.n_images:
            self._commit(n_done, seconds)

    def _commit(self, n_done: int, seconds: float) -> None:
        for tables in self._tables.values():
            for table in tables.values():
                assert isinstance(table, np.memmap)
                table.flush()
        # The optional tables come first: layers committed without them would look like a model without classes.
        for name in sorted(self._tables, key=lambda name: list(self.drafts).index(name)):
            self.drafts[name].commit(n_done, batch_size=self.batch_size, seconds=seconds)
        self._committed, self._at = n_done, time.monotonic()

    def add(self, name: str, table: str, values: NDArray[Any]) -> None:
        """Add a whole table to the draft of `name`."""
        written = self.drafts[name].table(table, values.shape, values.dtype)
        written[...] = values
        assert isinstance(written, np.memmap)
        written.flush()


def _has_rows(folder: Path, n_images: int) -> bool:
    """Return whether the draft has a table, and every table in it has the right number of rows."""
    try:
        files = [file for file in folder.glob("*.npy") if file.stem != "unit"]
        return bool(files) and all(len(open_memmap(file, mode="r")) == n_images for file in files)
    except (OSError, ValueError):
        return False
