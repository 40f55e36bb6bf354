"""Files that run code when they are opened, for an operator who says so.

The only place where a file's own code runs. It takes ``NAP_TRUST_LOCAL_FILES=1`` in the environment *and* a path on
this machine; an upload never comes here, whatever the environment says.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nap_core.errors import NapError, UnknownNameError, UnsafeFileError, WeightsError
from nap_core.inputs import fileformats, weights
from nap_core.inputs.fileformats import CHECKPOINT, EXPORTED, LEGACY, TORCHSCRIPT

if TYPE_CHECKING:
    from torch import nn

SWITCH = "NAP_TRUST_LOCAL_FILES"


def is_trusting(uploaded: bool) -> bool:
    """Whether files of this machine may run code; never true for an upload."""
    return os.environ.get(SWITCH) == "1" and not uploaded


def _warn(path: Path, what: str) -> None:
    warnings.warn(f"{SWITCH}=1: {path} is {what}, and its code runs now.", stacklevel=3)


def read_anything(path: Path) -> weights.State | nn.Module:
    """Return the weights in `path`, or the module where a whole one was saved; safely where that is possible.

    Raises
    ------
    NapError
        If the file is of a kind that is never opened, or opening it fails.
    """
    try:
        return weights.read_weights(path)
    except UnsafeFileError:
        kind = fileformats.kind_of(path)
        if kind not in (CHECKPOINT, LEGACY, TORCHSCRIPT, EXPORTED):
            raise
    _warn(path, f"a {kind}")
    try:
        found = _run(path, kind)
    except Exception as error:
        raise WeightsError(
            f"{path.name} could not be loaded: its code ended with {type(error).__name__}: {error}. Load it where it "
            "was saved, and save the weights alone as safetensors."
        ) from error
    return found if callable(found) else weights.renamed(weights.state_in(found, path.name))


def _run(path: Path, kind: str) -> Any:
    import torch

    if kind == TORCHSCRIPT:
        return torch.jit.load(str(path), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    if kind == EXPORTED:
        return torch.export.load(path).state_dict
    with path.open("rb") as file:
        return torch.load(file, map_location="cpu", weights_only=False)


def call(name: str, uploaded: bool = False) -> Any:
    """Return what the function in ``'file.py:function'`` returns.

    Raises
    ------
    UnsafeFileError
        If files of this machine are not trusted, or this one was uploaded.
    UnknownNameError
        If there is no such file or function.
    WeightsError
        If its code raises.
    """
    file, _, function = name.rpartition(":")
    path = Path(file)
    if not is_trusting(uploaded):
        raise UnsafeFileError(
            f"{name}: calling a function of a file runs its code, and uploaded code is never run. If you trust the "
            f"file and it lies on this machine, set {SWITCH}=1 and give its path; in Python, nap.network(module, …) "
            "needs no such switch."
        )
    if not path.is_file():
        raise UnknownNameError(f"There is no file {path}; write the model as 'file.py:function' with the file's path.")
    _warn(path, "Python code")
    try:
        module = _import(path)
        if not callable(getattr(module, function, None)):
            raise UnknownNameError(f"{path.name} has no function '{function}'; name one that returns the module.")
        return getattr(module, function)()
    except NapError:
        raise
    except Exception as error:
        raise WeightsError(f"{name} ended with {type(error).__name__}: {error}. Repair the function.") from error


def _import(path: Path) -> Any:
    name = f"nap_model_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where `inspect` looks for the source, which belongs to the network's fingerprint
    spec.loader.exec_module(module)
    return module
