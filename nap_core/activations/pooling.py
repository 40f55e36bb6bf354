"""Location disentanglement: a feature map or a row of tokens becomes one number (or two) per unit.

References
----------
Bäuerle, Jönsson, Ropinski: Neural Activation Patterns (NAPs), arXiv 2206.10611, section 3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nap_core.configs import POOLINGS
from nap_core.errors import UnknownNameError, listed

if TYPE_CHECKING:
    from torch import Tensor

    from nap_core.types import Int

TOKEN_POOLINGS = ("cls", "patch_mean")


def effective_pooling(kind: str, pooling: str, ndim: int = 3) -> str:
    """Return the pooling a layer of `kind` really gets.

    Vector layers are taken as they are (``"none"``). `cls` and `patch_mean` speak of a row of tokens that begins with a
    class token, so in a mixed selection every other layer gets `mean`: convolutions, and grids of tokens (Swin).

    Parameters
    ----------
    kind, pooling
        See `LayerInfo.kind` and `POOLINGS`.
    ndim
        Axes of the output, the image axis among them: 3 for a row of tokens, more for a grid.

    Raises
    ------
    UnknownNameError
        If there is no such pooling.
    """
    if pooling not in POOLINGS:
        raise UnknownNameError(f"No pooling '{pooling}'; there are {listed(POOLINGS)}.")
    if kind == "vector":
        return "none"
    return "mean" if pooling in TOKEN_POOLINGS and (kind == "conv" or ndim > 3) else pooling


def pool(values: Tensor, kind: str, pooling: str) -> Tensor:
    """Return ``[image, feature]`` float32: all units' first number, then all units' second one; never a view.

    Parameters
    ----------
    values
        ``[image, unit, …]`` for "conv", ``[image, …, unit]`` for "token", ``[image, unit]`` for "vector".
    kind, pooling
        See `LayerInfo.kind` and `POOLINGS`; std is the population's. `none` keeps all places of the first unit, then
        all of the second one.
    """
    return pooled(values.detach(), kind, pooling)


def pooled(values: Tensor, kind: str, pooling: str) -> Tensor:
    """Return what `pool` returns, with the gradient of `values`; where all places are equal, that of std is 0."""
    import torch

    pooling = effective_pooling(kind, pooling, values.ndim)
    values = values.float()
    if kind == "vector":
        return values.clone()  # what the network does next may happen in place
    # [image, unit, place]
    places = values.flatten(2) if kind == "conv" else values.flatten(1, -2).transpose(1, 2)
    if pooling == "cls":
        return places[:, :, 0].clone()
    if pooling == "none":
        return places.flatten(1).clone()
    if pooling == "patch_mean" and places.shape[2] > 1:
        places = places[:, :, 1:]
    made = {
        "mean": lambda: places.mean(2),
        "std": lambda: _std(places),
        "max": lambda: places.amax(2),
        "min": lambda: places.amin(2),
    }
    return torch.cat([made[statistic]() for statistic in POOLINGS[pooling]], 1)


def _std(places: Tensor) -> Tensor:
    if not places.requires_grad:
        return places.std(2, correction=0)
    variance = places.var(2, correction=0)
    is_spread = variance > 0
    return variance.where(is_spread, 1.0).sqrt().where(is_spread, 0.0)  # the root's slope at 0 is infinite


def n_features(shape: tuple[int, ...], kind: str, pooling: str) -> int:
    """Return how many numbers per image `pool` gives for an output of `shape` (without the image axis)."""
    pooling = effective_pooling(kind, pooling, len(shape) + 1)
    if pooling == "none":
        return math.prod(shape)
    return _n_units(shape, kind) * len(POOLINGS[pooling])


def unit_of_feature(shape: tuple[int, ...], kind: str, pooling: str) -> Int:
    """Return ``[feature]`` the unit that each number of `pool` belongs to."""
    unit, n = np.arange(_n_units(shape, kind), dtype=np.int32), n_features(shape, kind, pooling)
    is_flat = effective_pooling(kind, pooling, len(shape) + 1) == "none"
    return np.repeat(unit, n // len(unit)) if is_flat else np.tile(unit, n // len(unit))


def _n_units(shape: tuple[int, ...], kind: str) -> int:
    return shape[-1] if kind == "token" else shape[0]
