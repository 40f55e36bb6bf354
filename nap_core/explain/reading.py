"""What a network says about a batch, with gradients, and nothing about the network changed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from nap_core.activations.hooks import capture, find_tensor, run_module

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nap_core.explain.canvas import Canvas
    from nap_core.inputs.models import Network


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One pass: the pictures, and what the layers said of them."""

    picture: Tensor  # [image, channel, …] in [0, 1]
    output: Tensor | None  # the network's own, [image, …]; None where it holds no such tensor
    raw: dict[str, Tensor] = field(default_factory=dict)  # layer → its output, not pooled


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Let no parameter ask for gradients while the block runs, then put each back to what it was."""
    before = [(parameter, parameter.requires_grad) for module in modules for parameter in module.parameters()]
    try:
        for parameter, _ in before:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, asks in before:
            parameter.requires_grad_(asks)


@contextmanager
def reading(network: Network, layers: Sequence[str], canvas: Canvas) -> Iterator[Callable[[Tensor], Seen]]:
    """Give a function pictures → `Seen`; gradients reach the pictures and stop at the weights.

    Raises
    ------
    UnknownLayerError, LayerNotReachedError, UnreadableLayerError
        If a layer cannot be read.
    """
    module = network.module
    first = next(chain(module.parameters(), module.buffers()), None)

    def read(picture: Tensor) -> Seen:
        inputs = canvas.inputs(picture)
        if first is not None and first.is_floating_point():
            inputs = inputs.to(first.device, first.dtype)
        caught.n_images = len(inputs)
        output = find_tensor(run_module(module, inputs), len(inputs))
        return Seen(picture, output, caught.take())

    # A copy of each output: what comes next in the network may write into it.
    with capture(module, layers, lambda _, tensor: tensor.clone()) as caught, frozen(module):
        yield read
