"""Which layers a model has, in the order in which a pass reaches them, and which of them are worth a first look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nap_core.activations.hooks import evaluating, find_tensor, locked, split_call, watching
from nap_core.types import LayerInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

_MAP_MODULES = ("Conv", "BatchNorm", "Pool", "InstanceNorm")
_AXES_LAST = (
    "SwinTransformerBlock",
    "SwinTransformerBlockV2",
    "PatchMerging",
    "PatchMergingV2",
    "LayerNorm",
    "Permute",
)


def kind_of(module_type: str, ndim: int, channels_last: bool = False) -> str:
    """Return the role of a layer's axes: "vector", "token" or "conv".

    Three axes are ``[image, token, unit]``, but ``[image, unit, place]`` behind one-dimensional convolutions and
    poolings. Four axes are ``[image, unit, h, w]``, but ``[image, h, w, unit]`` inside Swin transformers.
    """
    if ndim == 2:
        return "vector"
    if channels_last:
        return "token"
    return "token" if ndim == 3 and not any(word in module_type for word in _MAP_MODULES) else "conv"


def _is_channels_last(module: nn.Module, ndim: int) -> bool:
    if ndim != 4:
        return False
    name = type(module).__name__
    if name == "Sequential":
        return any(type(part).__name__ in _AXES_LAST[:4] for part in module.children())
    return name in _AXES_LAST


def _info(module: nn.Module, address: str, output: Any, n_images: int) -> LayerInfo:
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    tensor = find_tensor(output, n_images)
    if tensor is None:
        reason = f"its output ({type(output).__name__}) holds no tensor with one row per image"
        return LayerInfo(address, type(module).__name__, (), n_parameters, "unreadable", reason)
    kind = kind_of(type(module).__name__, tensor.ndim, _is_channels_last(module, tensor.ndim))
    return LayerInfo(address, type(module).__name__, tuple(tensor.shape[1:]), n_parameters, kind)


def list_layers(module: nn.Module, example: Tensor) -> tuple[LayerInfo, ...]:
    """Return every call of every module in the order in which the calls end, from one pass over `example`.

    Parameters
    ----------
    example
        ``[1, channel, h, w]``, or whatever the model takes with one image in front.
    """
    import torch

    modules = {name: part for name, part in module.named_modules() if name}
    found: list[LayerInfo] = []

    def see(address: str, output: Any) -> None:
        found.append(_info(modules[split_call(address)[0]], address, output, len(example)))

    with locked(module), evaluating(module), watching(module, modules, see), torch.inference_mode():
        module(example)
    return tuple(found)


def suggest_layers(layers: tuple[LayerInfo, ...], most: int = 6) -> tuple[str, ...]:
    """Return the last layer of each stage, at most `most`, and the logits.

    A stage ends where the shape changes for good; repeated blocks of one shape (a transformer's) are sampled evenly.
    Blocks are preferred to the small layers inside them.
    """
    readable = [layer for layer in layers if layer.kind != "unreadable"]
    if not readable:
        return ()
    logits = readable[-1]
    bodies = [layer for layer in readable if layer.kind != "vector" and "#" not in layer.name]
    depth = _block_depth(bodies)
    blocks = [layer for layer in bodies if layer.name.count(".") <= depth and layer.n_parameters > 0] or bodies
    # A container repeats what its last part has just said.
    blocks = [b for a, b in zip([None, *blocks], blocks, strict=False) if not a or not a.name.startswith(f"{b.name}.")]
    stages = [
        a for a, b in zip(blocks, [*blocks[1:], None], strict=True) if b is None or b.output_shape != a.output_shape
    ]
    if len(stages) < min(4, len(blocks)):
        stages = blocks
    chosen = _evenly(stages, most)
    hidden = [layer for layer in readable[:-1] if layer.kind == "vector" and layer.n_parameters and layer != logits]
    if len(chosen) < most:
        chosen += hidden[-1:]
    return tuple(dict.fromkeys([*(layer.name for layer in chosen), logits.name]))


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
