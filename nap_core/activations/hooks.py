"""Reading layers while a model runs, and leaving no trace.

A hook detaches and pools at once: an in-place ReLU behind a BatchNorm would overwrite an output kept for later, and
pooled rows are all that memory has to hold. One pass at a time per model; whatever happens, no hook stays on it and
every module is back in the mode it was in.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from nap_core.errors import LayerNotReachedError, UnknownLayerError, UnreadableLayerError, listed

if TYPE_CHECKING:
    from torch import Tensor, nn

_locks: WeakKeyDictionary[Any, threading.RLock] = WeakKeyDictionary()
_locks_lock = threading.Lock()


def call_name(name: str, call: int) -> str:
    """Return the address of the `call`-th call (from 1) of the module `name`."""
    return name if call == 1 else f"{name}#{call}"


def split_call(address: str) -> tuple[str, int]:
    """Return module name and call number of an address such as ``layer1.0.relu#2``."""
    name, _, call = address.partition("#")
    return name, int(call) if call.isdigit() else 1


def find_tensor(output: Any, n_images: int) -> Tensor | None:
    """Return the first tensor with one row per image inside a tensor, tuple, list, dict or object, or None."""
    import torch

    if isinstance(output, torch.Tensor):
        fits = output.ndim >= 2 and len(output) == n_images and output.is_floating_point()
        return output if fits else None
    if isinstance(output, Mapping):
        parts: Iterable[Any] = output.values()
    elif isinstance(output, (tuple, list)):
        parts = output
    else:
        parts = vars(output).values() if hasattr(output, "__dict__") else ()
    return next((tensor for part in parts if (tensor := find_tensor(part, n_images)) is not None), None)


def check_names(module: nn.Module, addresses: Iterable[str]) -> None:
    """Raise `UnknownLayerError`, naming layers that are close, unless every address names a module."""
    known = [name for name, _ in module.named_modules() if name]
    for address in addresses:
        if split_call(address)[0] not in known:
            near = get_close_matches(address, known, 4) or known
            raise UnknownLayerError(f"No layer '{address}'; this model has {listed(near)}. Choose one of its layers.")


@contextmanager
def locked(module: nn.Module) -> Iterator[None]:
    """Let one pass at a time use `module`."""
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
def watching(module: nn.Module, names: Iterable[str], see: Callable[[str, Any], None]) -> Iterator[None]:
    """Call ``see(address, output)`` for every call of the modules `names` while the block runs.

    Calls are counted anew from each forward pass of `module`.
    """
    modules = dict(module.named_modules())
    calls: Counter[str] = Counter()
    with ExitStack() as stack:
        stack.callback(module.register_forward_pre_hook(lambda *_: calls.clear()).remove)
        for name in dict.fromkeys(names):

            def hook(_module: nn.Module, _inputs: Any, output: Any, name: str = name) -> None:
                calls[name] += 1
                see(call_name(name, calls[name]), output)

            stack.callback(modules[name].register_forward_hook(hook).remove)
        yield


class Capture:
    """What the last pass said, layer by layer; `take` hands it over."""

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
                f"The output of layer '{address}' ({type(output).__name__}) holds no tensor with one row per image; "
                "choose a layer inside it or after it."
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
            raise LayerNotReachedError(
                f"The forward pass never ran {listed(missing)}; leave it out, or choose a layer that the model uses."
            )
        return {name: caught[name] for name in self.wanted}


@contextmanager
def capture(module: nn.Module, addresses: Iterable[str], reduce: Callable[[str, Tensor], Tensor]) -> Iterator[Capture]:
    """Catch ``reduce(address, output)`` of the layers `addresses` in every pass of the block.

    Raises
    ------
    UnknownLayerError
        If the model has no such layer; raised before the first hook goes on.
    """
    wanted = tuple(addresses)
    check_names(module, wanted)
    caught = Capture(wanted, reduce)
    with locked(module), evaluating(module), watching(module, (split_call(a)[0] for a in wanted), caught.see):
        yield caught
