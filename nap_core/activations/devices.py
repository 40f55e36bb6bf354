"""Where a network runs and how it computes there: device, layout in memory, number format.

Pictures lie in memory pixel by pixel, all channels of one side by side, and so do the fastest convolutions' numbers
("channels last"). A network that takes its inputs so is run so; the sums are then taken in another order, which can
change the last digits, as another device does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING

from nap_core.activations.hooks import evaluating
from nap_core.configs import PRECISIONS
from nap_core.errors import ConfigError, UnknownNameError, listed

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def pick_device(name: str = "auto", precision: str = "float32") -> torch.device:
    """Return the device `name`; "auto" takes CUDA, then Apple's MPS, then the processor.

    Raises
    ------
    ConfigError
        If this machine has no such device, or the device does not compute in `precision`.
    UnknownNameError
        If there is no such precision.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_there in there.items() if is_there)
    if not there.get(name, False):
        raise ConfigError(f"No device '{name}' here; choose auto or {' or '.join(k for k in there if there[k])}.")
    if precision not in PRECISIONS:
        raise UnknownNameError(f"No precision '{precision}'; there are {listed(PRECISIONS)}.")
    if precision not in precisions(torch.device(name)):
        raise ConfigError(
            f"The device '{name}' here has no arithmetic in {precision} and would only imitate it, slowly; choose "
            "float32, or a machine that has it."
        )
    return torch.device(name)


def precisions(device: torch.device) -> tuple[str, ...]:
    """Return which of `PRECISIONS` the device computes in; a format that it would only imitate does not count."""
    import torch

    has_half = device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if device.type == "cuda":
        has_half = torch.cuda.is_bf16_supported(including_emulation=False)
    return tuple(name for name in PRECISIONS if name == "float32" or has_half)


def computing(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Compute in `precision` while the block runs: convolutions and matrix products; weights stay as they are."""
    import torch

    return nullcontext() if precision == "float32" else torch.autocast(device.type, getattr(torch, precision))


@contextmanager
def placed(module: nn.Module, device: torch.device, channels_last: bool = False) -> Iterator[None]:
    """Keep `module` on `device` for the block, and convolutions there at full precision; then put it back.

    CUDA's shortcut for convolutions (TF32) keeps ten bits of each number; without it the device does not matter.
    """
    import torch

    first = next(chain(module.parameters(), module.buffers()), None)
    before = device if first is None else first.device
    with ExitStack() as stack:
        if device.type == "cuda":
            exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            stack.enter_context(exact)
        stack.callback(module.to, before)
        module.to(device)
        if channels_last:
            stack.callback(module.to, memory_format=torch.contiguous_format)
            module.to(memory_format=torch.channels_last)
        yield


def moved(batch: Tensor, module: nn.Module, device: torch.device) -> Tensor:
    """Return `batch` on `device` in the number format of the module's parameters; a pinned one is not waited for."""
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), batch.dtype)
    return batch.to(device, non_blocking=True).to(dtype)


def takes_channels_last(module: nn.Module, example: Tensor) -> bool:
    """Whether `module` has convolutions and runs with channels last; one that views its outputs as rows may not.

    Parameters
    ----------
    example
        ``[image, channel, h, w]``
    """
    import torch

    if example.ndim != 4 or not any(parameter.ndim == 4 for parameter in module.parameters()):
        return False
    device = pick_device("cpu")
    with evaluating(module), placed(module, device, channels_last=True), torch.inference_mode():
        try:
            module(moved(example, module, device).contiguous(memory_format=torch.channels_last))
        except RuntimeError:
            return False
    return True
