"""Reading layers while a model runs, and leaving no trace.

A hook detaches and pools at once: an in-place ReLU behind a BatchNorm would overwrite an output kept for later, and
pooled rows are all that memory has to hold. One pass at a time per model; whatever happens, no hook stays on it and
every module is back in the mode it was in.

A module that runs several times per pass is addressed call by call: ``layer1.0.relu`` is the first call,
``layer1.0.relu#2`` the second.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from nap_core.errors import (
    ConfigError,
    InputError,
    LayerNotReachedError,
    NapError,
    UnknownLayerError,
    UnreadableLayerError,
    listed,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

_locks: WeakKeyDictionary[Any, threading.RLock] = WeakKeyDictionary()
_locks_lock = threading.Lock()
_DEEPEST = 4  # containers inside containers that are searched for a tensor


def call_name(name: str, call: int) -> str:
    """Return the address of the `call`-th call (from 1) of the module `name`."""
    return name if call == 1 else f"{name}#{call}"


def split_call(address: str) -> tuple[str, int]:
    """Return module name and call number of an address such as ``layer1.0.relu#2``."""
    name, _, call = address.partition("#")
    return name, int(call) if call.isdecimal() else 1


def find_tensor(output: Any, n_images: int, depth: int = _DEEPEST) -> Tensor | None:
    """Return the first floating-point tensor with one row per image inside a tensor, tuple, list, dict or record.

    A tensor of one axis does not count: it has no unit axis. None where there is no such tensor.
    """
    import torch

    if isinstance(output, torch.Tensor):
        fits = output.ndim >= 2 and len(output) == n_images and output.is_floating_point()
        return output if fits else None
    found = (find_tensor(part, n_images, depth - 1) for part in _parts(output)) if depth else ()
    return next((tensor for tensor in found if tensor is not None), None)


def _parts(output: Any) -> Iterable[Any]:
    if isinstance(output, Mapping):
        return output.values()
    if isinstance(output, (tuple, list)):
        return output
    if dataclasses.is_dataclass(output):
        return [getattr(output, field.name) for field in dataclasses.fields(output)]
    return vars(output).values() if hasattr(output, "__dict__") else ()


def check_names(module: nn.Module, addresses: Iterable[str]) -> None:
    """Raise `UnknownLayerError`, naming layers that are close, unless every address names a module."""
    known = [name for name, _ in module.named_modules() if name]
    for address in addresses:
        name, call = split_call(address)
        if name not in known or call_name(name, call) != address:
            near = get_close_matches(address, known, 4) or known
            raise UnknownLayerError(
                f"No layer '{address}'; this model has {listed(near) or 'no layers'}. Choose one of its layers."
            )


def run_module(module: nn.Module, batch: Tensor) -> Any:
    """Return the module's output for `batch` ``[image, channel, h, w]``.

    Raises
    ------
    InputError
        If the model does not take inputs of this shape.
    ConfigError
        If the device's memory is too small for the batch.
    """
    import torch

    try:
        return module(batch)
    except NapError:  # of our own hooks; some are TypeErrors, too
        raise
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"{len(batch)} images at once do not fit into the memory of {batch.device}; choose a smaller batch size."
        ) from error
    except TypeError as error:
        raise InputError(
            f"The model cannot be called with a batch of images alone: {error}. Where it takes more inputs, give a "
            "function that returns it within an nn.Module whose forward takes the images and adds the rest."
        ) from error
    except (RuntimeError, ValueError, LookupError, AssertionError) as error:
        shape, reason = "×".join(map(str, batch.shape[1:])), (str(error).strip() or "no reason given").splitlines()[0]
        raise InputError(
            f"The model does not take an input of {shape} (channels × height × width): {reason}. "
            "Give the preprocessing that it was trained with."
        ) from error


@contextmanager
def locked(module: nn.Module) -> Iterator[None]:
    """Let one pass at a time use `module`; a thread that holds it may enter again."""
    with _locks_lock:
        lock = _locks.setdefault(module, threading.RLock())
    with lock:
        yield


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put `module` into evaluation mode, and every part of it back into the mode it was in."""
    before = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for part, training in before:
            part.training = training


@contextmanager
def watching(module: nn.Module, see: Callable[[str, Any], None]) -> Iterator[None]:
    """Call ``see(address, output)`` whenever a part of `module` has run, while the block runs.

    Calls are counted anew from each forward pass of `module`. Every part gets a hook, whichever are of interest: torch
    takes a fused way through a transformer layer without hooks, whose last bits differ, and what a layer says must not
    depend on which others are read.
    """
    calls: Counter[str] = Counter()

    def hook_for(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            calls[name] += 1
            see(call_name(name, calls[name]), output)

        return hook

    with ExitStack() as stack:
        stack.callback(module.register_forward_pre_hook(lambda *_: calls.clear()).remove)
        for name, part in module.named_modules():
            if name:
                stack.callback(part.register_forward_hook(hook_for(name)).remove)
        yield


class Capture:
    """What the last pass said, layer by layer; `take` hands it over.

    Parameters
    ----------
    wanted
        Addresses of layers.
    reduce
        ``reduce(address, tensor)`` → what to keep; must not be a view of the tensor.
    """

    def __init__(self, wanted: tuple[str, ...], reduce: Callable[[str, Tensor], Tensor]) -> None:
        self.wanted, self.reduce, self.n_images = wanted, reduce, 0
        self._caught: dict[str, Tensor] = {}

    def see(self, address: str, output: Any) -> None:
        """Reduce and keep the output of a wanted call."""
        if address not in self.wanted:
            return
        tensor = find_tensor(output, self.n_images)
        if tensor is None:
            raise UnreadableLayerError(
                f"The output of layer '{address}' ({type(output).__name__}) holds no floating-point tensor with one "
                "row per image; choose a layer inside it or after it."
            )
        self._caught[address] = self.reduce(address, tensor)

    def take(self) -> dict[str, Tensor]:
        """Return what was caught and forget it.

        Raises
        ------
        LayerNotReachedError
            If the pass never ran a wanted layer.
        """
        caught, self._caught = self._caught, {}
        missing = [name for name in self.wanted if name not in caught]
        if missing:
            raise not_reached(missing)
        return {name: caught[name] for name in self.wanted}


def not_reached(layers: Iterable[str]) -> LayerNotReachedError:
    """Return the error for layers that a pass did not run."""
    return LayerNotReachedError(
        f"The forward pass never ran {listed(layers)}; leave it out, or choose a layer that the model uses."
    )


@contextmanager
def capture(module: nn.Module, addresses: Iterable[str], reduce: Callable[[str, Tensor], Tensor]) -> Iterator[Capture]:
    """Catch ``reduce(address, output)`` of the layers `addresses` in every pass of the block.

    Set `Capture.n_images` before each pass; the caller runs the model, without gradients.

    Raises
    ------
    UnknownLayerError
        If the model has no such layer; raised before the first hook goes on.
    """
    wanted = tuple(addresses)
    check_names(module, wanted)
    caught = Capture(wanted, reduce)
    with locked(module), evaluating(module), watching(module, caught.see):
        yield caught
