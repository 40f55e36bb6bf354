"""Names for the numbers of a classifier's outputs, from a list or from a file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nap_core.errors import InputError
from nap_core.types import NOISE, Int

ClassNames = Sequence[str] | Path | str
_MOST_BYTES = 10_000_000


def class_names_from(source: ClassNames, n_classes: int | None = None) -> tuple[str, ...]:
    """Return the class names in the order of the outputs.

    Parameters
    ----------
    source
        The names, or a file: text with a name per line, or JSON — a list of names, a list of ``[id, name]``,
        ``{"0": name, …}`` or ``{name: 0, …}``.
    n_classes
        How many there must be; None where the number of outputs is not known.

    Raises
    ------
    InputError
        If the file cannot be read, or the number of names is another one.
    """
    names = _read(Path(source)) if isinstance(source, (str, Path)) else tuple(map(str, source))
    if names and n_classes is not None and len(names) != n_classes:
        raise InputError(
            f"{len(names)} class names for {n_classes} outputs; give one name per output, in the order of the outputs, "
            "or none."
        )
    return names


def readable(names: Sequence[str]) -> tuple[str, ...]:
    """Return class names as people write them: ``n03000684_chain_saw`` becomes ``chain saw``.

    Names of WordNet (ImageNet's folders) lose their number, unless two would then be alike, as the two cranes are.
    """
    without = [re.sub(r"^n\d{8}[_ ]", "", name).replace("_", " ") for name in names]
    count = Counter(without)
    return tuple(short if count[short] == 1 else name for name, short in zip(names, without, strict=True))


def names_by_number(prediction: Int, target: Int, class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the images' class names for outputs that nobody named, where the two are seen to be numbered alike.

    They are where no other pairing of outputs and classes fits clearly more images, and this one fits half as many
    again as chance would. torchvision's ``ImageFolder`` numbers the outputs of what is trained with it in this way.

    Parameters
    ----------
    prediction, target
        [image] output that the model chooses, and class; `NOISE` where not known.
    class_names
        [class]

    Returns
    -------
    tuple of str
        [output] or nothing.
    """
    from scipy.optimize import linear_sum_assignment

    n = len(class_names)
    known = (prediction != NOISE) & (target != NOISE)
    if n < 2 or not known.any() or int(prediction.max()) >= n:
        return ()
    pairs = np.zeros((n, n))
    np.add.at(pairs, (prediction[known], target[known]), 1)
    as_numbered, best = np.trace(pairs), pairs[linear_sum_assignment(pairs, maximize=True)].sum()
    by_chance = (pairs.sum(0) * pairs.sum(1)).sum() / known.sum()
    return tuple(class_names) if as_numbered >= max(0.9 * best, 1.5 * by_chance) else ()


def _read(path: Path) -> tuple[str, ...]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path.name} is too large for a list of class names; a name per line is enough.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The class names {path} cannot be read ({error}); give a text or JSON file.") from error
    if text.lstrip()[:1] not in ("[", "{"):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        return _from_json(json.loads(text))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise InputError(
            f"{path.name} is no list of class names; JSON may be a list of names, a list of [id, name], "
            '{"0": name, …} or {name: 0, …}, with every number from 0 on.'
        ) from error


def _from_json(content: Any) -> tuple[str, ...]:
    if isinstance(content, dict):
        by_name = all(isinstance(value, int) for value in content.values())
        pairs = {int(v): k for k, v in content.items()} if by_name else {int(k): v for k, v in content.items()}
        content = [pairs[number] for number in range(len(content))]
    return tuple(map(_name, content))


def _name(entry: Any) -> str:
    """Return the name in an entry: itself, or what stands last in ``[id, name]``."""
    entry = entry[-1] if isinstance(entry, list) else entry
    if not isinstance(entry, str):
        raise TypeError(type(entry).__name__)
    return entry
