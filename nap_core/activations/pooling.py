"""Location disentanglement: a feature map or a row of tokens becomes one number (or two) per unit.

References
----------
Bäuerle, Jönsson, Ropinski: Neural Activation Patterns (NAPs), arXiv 2206.10611, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nap_core.configs import POOLINGS
from nap_core.errors import UnknownNameError, listed

if TYPE_CHECKING:
    from torch import Tensor

TOKEN_POOLINGS = ("cls", "patch_mean")


def effective_pooling(kind: str, pooling: str) -> str:
    """Return the pooling a layer of `kind` really gets.

    Vector layers are taken as they are (``"none"``). `cls` and `patch_mean` speak of tokens, so a convolution in the
    same selection gets `mean`.

    Raises
    ------
    UnknownNameError
        If there is no such pooling.
    """
    if pooling not in POOLINGS:
        raise UnknownNameError(f"No pooling '{pooling}'; there are {listed(POOLINGS)}.")
    if kind == "vector":
        return "none"
    return "mean" if kind == "conv" and pooling in TOKEN_POOLINGS else pooling


def pool(values: Tensor, kind: str, pooling: str) -> Tensor:
    """Return ``[image, feature]`` float32: all units' first number, then all units' second one.

    Parameters
    ----------
    values
        ``[image, unit, …]`` for "conv", ``[image, token, unit]`` for "token", ``[image, unit]`` for "vector".
    kind, pooling
        See `LayerInfo.kind` and `POOLINGS`; std is the population's.
    """
    import torch

    pooling = effective_pooling(kind, pooling)
    values = values.detach().float()
    if kind == "vector":
        return values
    places = values.flatten(2) if kind == "conv" else values.transpose(1, 2)  # [image, unit, place]
    if pooling == "cls":
        return places[:, :, 0]
    if pooling == "patch_mean":
        return places[:, :, 1:].mean(2)
    if pooling == "none":
        return places.flatten(1)
    made = {
        "mean": lambda: places.mean(2),
        "std": lambda: places.std(2, correction=0),
        "max": lambda: places.amax(2),
        "min": lambda: places.amin(2),
    }
    return torch.cat([made[statistic]() for statistic in POOLINGS[pooling]], 1)


def n_features(shape: tuple[int, ...], kind: str, pooling: str) -> int:
    """Return how many numbers per image `pool` gives for an output of `shape` (without the image axis)."""
    import math

    pooling = effective_pooling(kind, pooling)
    if pooling == "none":
        return math.prod(shape)
    return (shape[-1] if kind == "token" else shape[0]) * len(POOLINGS[pooling])
