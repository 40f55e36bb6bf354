"""Which layers a model has, in the order in which a pass reaches them, and which of them are worth a first look.

Which axis of an output holds the units cannot be read off its shape: ``[8, 16, 32]`` may be sixteen units at 32 places
or sixteen tokens of 32 units. But some modules settle it. A convolution, a batch normalisation or a pooling has its
units in the axis behind the images; a linear map or a layer normalisation has them in the last one. Everything else
(ReLU, dropout, a block of other modules) hands on what the last such module has settled. So a ConvNeXt block, which
works with units last between two permutations, is read rightly, and so is a Swin transformer, all of whose feature
maps are ``[image, h, w, unit]`` and therefore of kind "token", a grid of tokens.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, Any

from nap_core.activations.hooks import evaluating, find_tensor, locked, run_module, split_call, watching
from nap_core.types import LayerInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

_UNITS_FIRST = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "Pool", "LayerNorm2d", "WindowDepartition")
_UNITS_LAST = ("Linear", "LayerNorm", "RMSNorm", "Embedding")


def list_layers(module: nn.Module, example: Tensor) -> tuple[LayerInfo, ...]:
    """Return every call of every part of `module` in the order in which the calls end, from one pass.

    Parameters
    ----------
    example
        ``[1, channel, h, w]``, or whatever the model takes with one image in front. A single image is passed twice,
        side by side, so that a tensor with one row per image can be told from one that happens to have one row.

    Raises
    ------
    InputError
        If the model does not take inputs of this shape.
    """
    import torch

    batch = torch.cat([example, example]) if len(example) == 1 else example
    parts = {name: part for name, part in module.named_modules() if name}
    found, axes = [], _Axes()

    def see(address: str, output: Any) -> None:
        found.append(_info(parts[split_call(address)[0]], address, output, len(batch), axes))

    with locked(module), evaluating(module), watching(module, see), torch.inference_mode():
        run_module(module, batch)
    return tuple(found)


class _Axes:
    """Where the units are, as far as the pass has settled it; by number of axes, the image axis among them."""

    def __init__(self) -> None:
        self._is_last = {3: True}

    def are_units_last(self, module: nn.Module, ndim: int) -> bool:
        """Say it for an output of `module`, and keep in mind what this module settles."""
        settled = _settles(module)
        if settled is not None:
            self._is_last[ndim] = settled
        return self._is_last.get(ndim, False)


def _settles(module: nn.Module) -> bool | None:
    """Return whether the units are last (True) or first behind this module; None where it does not say."""
    dims = getattr(module, "dims", None)
    if type(module).__name__ == "Permute" and dims is not None:
        return True if dims[-1] == 1 else False if dims[1] == len(dims) - 1 else None
    if any(True for _ in module.children()) or len(getattr(module, "normalized_shape", "1")) > 1:
        return None
    for kind in type(module).__mro__:
        if any(word in kind.__name__ for word in _UNITS_FIRST):
            return False
        if any(word in kind.__name__ for word in _UNITS_LAST):
            return True
    return None


def _info(module: nn.Module, address: str, output: Any, n_images: int, axes: _Axes) -> LayerInfo:
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    tensor, reason = find_tensor(output, n_images), ""
    if tensor is None:
        reason = f"its output ({type(output).__name__}) holds no floating-point tensor with one row per image"
    if getattr(module, "batch_first", None) is False:  # attention weights, which it returns too, do have these rows
        reason = "its rows are tokens, not images (batch_first=False)"
    if tensor is None or reason:
        return LayerInfo(address, type(module).__name__, (), n_parameters, "unreadable", reason)
    kind = "vector"
    if tensor.ndim > 2:
        kind = "token" if axes.are_units_last(module, tensor.ndim) else "conv"
    return LayerInfo(address, type(module).__name__, tuple(tensor.shape[1:]), n_parameters, kind)


def suggest_layers(layers: tuple[LayerInfo, ...], most: int = 6) -> tuple[str, ...]:
    """Return the output of each stage, at most `most`, and the logits.

    A stage is a run of blocks with the same number of places; it ends with its last block, or, where a model has no
    blocks, with the pooling behind it. Where there are fewer than three stages (a vision transformer is one), blocks
    are taken evenly over the depth. If there is room, the last hidden vector layer joins.
    """
    readable = [layer for layer in layers if layer.kind != "unreadable"]
    if not readable:
        return ()
    logits = readable[-1]
    while len(readable) > 1 and _is_echo(readable[-1], readable[-2]):  # "classifier" only repeats "classifier.6"
        readable.pop()
    stages = _stages([layer for layer in readable[:-1] if layer.kind != "vector" and "#" not in layer.name], most)
    hidden = [layer for layer in readable[:-1] if layer.kind == "vector" and layer.n_parameters]
    chosen = stages + (hidden[-1:] if len(stages) < most else [])
    order = {layer.name: place for place, layer in enumerate(layers)}
    return (*sorted({layer.name for layer in chosen} - {logits.name}, key=order.__getitem__), logits.name)


def _is_echo(outer: LayerInfo, inner: LayerInfo) -> bool:
    return inner.name.startswith(f"{outer.name}.") and inner.output_shape == outer.output_shape


def _stages(bodies: list[LayerInfo], most: int) -> list[LayerInfo]:
    depth = _block_depth(bodies)
    flat = [layer for layer in bodies if layer.name.count(".") <= depth]
    # A container that ends behind its last part says what that part has just said.
    flat = [b for a, b in zip([None, *flat], flat, strict=False) if a is None or not a.name.startswith(f"{b.name}.")]
    parents = {layer.name.rpartition(".")[0] for layer in bodies}
    blocks = [layer for layer in flat if layer.name in parents and layer.n_parameters]
    ends = [list(run)[-1] for _, run in groupby(blocks, _places)] if len(blocks) > 2 else _ends_of_plain(flat)
    if len(ends) < 3:
        ends = blocks if len(blocks) > 2 else [layer for layer in flat if layer.n_parameters] or ends
        return _evenly(ends, most)
    return ends[-most:]


def _ends_of_plain(flat: list[LayerInfo]) -> list[LayerInfo]:
    """Return the ends of the stages of a model without blocks: the pooling, or else the last layer before the step."""
    runs = [list(run) for _, run in groupby(flat, _places)]
    ends = []
    for run, following in zip(runs, [*runs[1:], []], strict=False):
        is_pooled = bool(following) and "Pool" in following[0].type and _n_places(following[0]) > 1
        ends.append(following[0] if is_pooled else run[-1])
    with_parameters = [any(layer.n_parameters for layer in run) and _n_places(run[0]) > 1 for run in runs]
    return [end for end, is_stage in zip(ends, with_parameters, strict=True) if is_stage]


def _places(layer: LayerInfo) -> tuple[int, ...]:
    return layer.output_shape[:-1] if layer.kind == "token" else layer.output_shape[1:]


def _n_places(layer: LayerInfo) -> int:
    return math.prod(_places(layer))


def _block_depth(bodies: list[LayerInfo]) -> int:
    """Return the least depth of names at which a model falls into at least three parts."""
    for depth in range(4):
        if sum(layer.name.count(".") == depth and layer.n_parameters > 0 for layer in bodies) >= 3:
            return depth
    return 4


def _evenly(layers: list[LayerInfo], most: int) -> list[LayerInfo]:
    if len(layers) <= most:
        return list(layers)
    return [layers[round((i + 1) * len(layers) / most) - 1] for i in range(most)]
