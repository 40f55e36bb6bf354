"""Content keys: the SHA-256 of every field that can change a result, so that a stale entry cannot be found.

A key says what went in, never where it is kept. Results depend on results, so keys form a chain: the key of patterns
holds the key of the activations, which holds the fingerprints of model and images.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _is_unchanged(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Whether a field came later and has the value that changes nothing, so that keys stay what they were."""
    return bool(field.metadata.get("is_later")) and getattr(value, field.name) == field.default


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value) if not _is_unchanged(value, f)
        }
    if isinstance(value, np.ndarray):
        return array_digest(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"{type(value).__name__} has no content to make a key of")


def digest(kind: str, **content: Any) -> str:
    """Return 64 hex digits that change with `kind`, with any name in `content`, and with any value.

    Values are JSON scalars, arrays, dataclasses, and lists, tuples or dicts of these. 1 and 1.0 and True differ.
    """
    text = json.dumps([kind, _plain(content)], sort_keys=True, ensure_ascii=False, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """Return the digest of an array's dtype, shape and every element."""
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()
