"""Errors a person can act on: what came, what is possible, what to do.

Every error that bad input can cause is a `NapError`, and also the built-in that Python would have raised, so that
``except LookupError`` keeps working for callers who never heard of this package.
"""

from __future__ import annotations

from collections.abc import Iterable


class NapError(Exception):
    """A sentence for the person in front of the screen; the command line ends with status 2, a page shows the text."""


class InputError(NapError, ValueError):
    """The given images, arrays or tables cannot be used."""


class ArchiveError(InputError):
    """An archive was refused before anything in it was unpacked."""


class UnsafeFileError(NapError, ValueError):
    """The file could run code when opened, so it was not opened."""


class WeightsError(NapError, ValueError):
    """The weights do not belong to the model, or to any model known here."""


class OfflineError(NapError, ConnectionError):
    """Something would have to be downloaded and the network does not answer."""


class WorkerError(NapError, RuntimeError):
    """The workers of a cluster cannot be reached, or were lost."""


class UnknownNameError(NapError, LookupError):
    """A name that is not in the list it was looked up in."""


class UnknownLayerError(UnknownNameError):
    """The model has no layer of this name."""


class UnknownUnitError(UnknownNameError):
    """The layer has no unit of this number."""


class LayerNotReachedError(NapError, RuntimeError):
    """The forward pass never ran this layer."""


class UnreadableLayerError(NapError, TypeError):
    """The layer's output holds no tensor with one row per image."""


class NotFiniteError(NapError, ArithmeticError):
    """A layer's activations hold NaN or infinite values."""


class SilentUnitError(NapError, ArithmeticError):
    """Nothing in the input changes the unit, so there is nothing to draw."""


class ConfigError(NapError, ValueError):
    """A parameter is outside its range, or contradicts another one."""


class TooFewImagesError(NapError, ValueError):
    """Fewer images than a pattern needs."""


class StudyError(NapError, OSError):
    """The study's folder is missing, incomplete, or from another version."""


class StorageFullError(NapError, OSError):
    """The disk is full; what was finished before is kept."""


class MissingPackageError(NapError, ImportError):
    """An optional package is needed for this and is not installed."""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Join `names` for a sentence, leaving out the middle of a long list: ``"conv1, layer1.0, …, fc"``."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], "…", names[-1]]
    return ", ".join(names)


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: ``"1 image"``, ``"2,000 images"``, ``"3 classes"``."""
    plural = f"{noun}es" if noun.endswith(("s", "ch")) else f"{noun}s"
    return f"{n:,} {noun if n == 1 else plural}"
