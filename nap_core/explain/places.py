"""Where in an image a pattern's score comes from: a sum over positions that is the score, exactly.

With pooling by the mean, φ is linear in the places of a layer's map (for a given length of the row, where rows are
scaled to length 1), and so is the score s_k = (φ − μ)·d_k. Position by position it is

    m_k(h, w) = Σ_c d_kc a[c, h, w] / (s_c ‖v‖ n)

and the sum over all n positions plus a constant that hangs on no position is the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nap_core.errors import ConfigError
from nap_core.explain.canvas import Canvas
from nap_core.explain.objectives import places
from nap_core.explain.reading import reading
from nap_core.explain.space import PatternSpace
from nap_core.types import Float, frozen_array

if TYPE_CHECKING:
    from torch import Tensor

    from nap_core.inputs.models import Network


@dataclass(frozen=True, slots=True, eq=False)
class PlaceMaps:
    """Where the score of one pattern comes from, image by image."""

    contribution: Float  # [image, height, width] signed; its sum and `constant` make the score
    constant: Float  # [image] of no position; of tokens, with the class token's share
    score: Float  # [image] (φ − μ)·d

    def __post_init__(self) -> None:
        object.__setattr__(self, "contribution", frozen_array(self.contribution, np.float32, 3))
        object.__setattr__(self, "constant", frozen_array(self.constant, np.float32))
        object.__setattr__(self, "score", frozen_array(self.score, np.float32))

    @property
    def map(self) -> Float:
        """[image, height, width] what speaks for the pattern: the contribution where it is positive."""
        positive: Float = np.maximum(self.contribution, 0)
        return positive

    @property
    def error(self) -> float:
        """Largest absolute difference between the score and what the map sums to."""
        summed = self.contribution.sum(axis=(1, 2), dtype=np.float64) + self.constant
        return float(np.abs(summed - self.score).max(initial=0.0))


def can_be_placed(space: PatternSpace) -> str:
    """Return why the scores of a layer's patterns have no places, or nothing."""
    kind, pooling, shape = space.layer.kind, space.pooling, space.layer.output_shape
    if kind not in ("conv", "token"):
        return f"Layer '{space.layer.name}' gives plain vectors, which have no places; choose an earlier layer."
    if pooling not in ("mean", "patch_mean") or space.scaling.is_clipped:
        return "Only pooling by the mean without clipping can be divided into places; run the study with it."
    if kind == "conv" and len(shape) != 3:
        return f"The places of layer '{space.layer.name}' are no picture."
    if kind == "token" and _grid(space) is None:
        return f"The tokens of layer '{space.layer.name}' are no square of patches."
    return ""


def _grid(space: PatternSpace) -> tuple[int, int, int] | None:
    """Return first place, rows and columns of the picture that a layer's places make."""
    shape = space.layer.output_shape
    if space.layer.kind == "conv":
        return 0, shape[1], shape[2]
    if len(shape) == 3:
        return 0, shape[0], shape[1]
    for first in (0, 1):
        side = round(float(np.sqrt(shape[0] - first)))
        if side > 1 and side * side == shape[0] - first:
            return first, side, side
    return None


def place_maps(network: Network, canvas: Canvas, space: PatternSpace, pattern: int, picture: Float) -> PlaceMaps:
    """Return where the score of a pattern comes from in pictures [image, channel, height, width] in [0, 1].

    Raises
    ------
    ConfigError
        If the layer has no places, or its pooling or scaling cannot be divided into places.
    UnknownNameError
        If there is no such pattern.
    """
    import torch

    space.members(pattern)
    if reason := can_be_placed(space):
        raise ConfigError(reason)
    with reading(network, [space.layer.name], canvas) as read, torch.no_grad():
        raw = read(torch.from_numpy(np.array(picture, np.float32))).raw[space.layer.name]
        values = space.of(raw).cpu().numpy().astype(np.float64)
    return _placed(space, pattern, raw, values)


def _placed(space: PatternSpace, pattern: int, raw: Tensor, values: np.ndarray) -> PlaceMaps:
    place = places(raw, space.layer.kind).double().cpu().numpy()  # [image, unit, place]
    direction, mean = (np.asarray(part, np.float64) for part in (space.direction[pattern], space.mean))
    scaling = space.scaling
    inverse = np.divide(1.0, scaling.divisor, out=np.zeros_like(scaling.divisor), where=scaling.divisor != 0)
    pooled = pooled_places(space, place)
    row = (pooled - scaling.before) * inverse - scaling.after
    length = np.linalg.norm(row, axis=1) if space.scaling.row_l2 else np.ones(len(row))
    length = np.maximum(length, 1e-12)
    shares = _shares(space, place.shape[2])
    each = np.einsum("c,ncp->np", direction * inverse, place) * shares / length[:, None]
    constant = -(scaling.before * inverse + scaling.after) @ direction / length - mean @ direction
    first, rows, columns = (
        _grid(space) or (0, 0, 0) if space.layer.kind == "token" else (0, *space.layer.output_shape[1:])
    )
    return PlaceMaps(
        contribution=each[:, first:].reshape(len(each), rows, columns),
        constant=constant + each[:, :first].sum(axis=1),
        score=((values - mean) @ direction).astype(np.float32),
    )


def pooled_places(space: PatternSpace, place: np.ndarray) -> np.ndarray:
    """Return [image, unit] the mean over the places that the study's pooling takes."""
    found: np.ndarray = place @ _shares(space, place.shape[2])
    return found


def _shares(space: PatternSpace, n_places: int) -> np.ndarray:
    """[place] the weight of each place in the pooling."""
    import torch

    from nap_core.activations.pooling import pooled

    shape = space.layer.output_shape
    eye = torch.eye(n_places)
    probe = (
        eye.reshape(n_places, 1, *shape[1:]) if space.layer.kind == "conv" else eye.reshape(n_places, *shape[:-1], 1)
    )
    found: np.ndarray = pooled(probe, space.layer.kind, space.pooling)[:, 0].double().numpy()
    return found


def enlarged(maps: Float, size: tuple[int, int]) -> Float:
    """Return maps [image, height, width] at the size of the pictures, bilinearly."""
    import torch
    from torch.nn.functional import interpolate

    found: Float = interpolate(torch.from_numpy(np.array(maps))[:, None], size=size, mode="bilinear")[:, 0].numpy()
    return found
