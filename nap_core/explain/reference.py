"""The real pictures, small, to hold synthetic ones against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.explain.space import distances
from nap_core.types import Float, Int

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 32
"""Longest side in pixels at which pictures are compared."""
_SAMPLE = 300  # images whose usual distance to the nearest other one is taken


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """All pictures of a study, at most `SIDE` pixels a side."""

    picture: NDArray[np.uint8]  # [image, channel, …]

    def rows(self, image: Int | slice = slice(None)) -> Float:
        """Return [image, value] in [0, 1]."""
        chosen = np.asarray(self.picture[image])
        return chosen.reshape(len(chosen), -1).astype(np.float32) / np.float32(255)

    @property
    def mean(self) -> Float:
        """[value] the mean picture."""
        found: Float = self.rows().mean(axis=0)
        return found


def shrunk(picture: Tensor) -> Tensor:
    """Return pictures [image, channel, …] at most `SIDE` pixels a side, each pixel the mean of those it covers."""
    from torch.nn.functional import interpolate

    size = picture.shape[2:]
    if max(size) <= SIDE:
        return picture
    return interpolate(picture, size=[max(1, round(side * SIDE / max(size))) for side in size], mode="area")


def rows_of(picture: NDArray[np.floating]) -> Float:
    """Return pictures [image, channel, …] as rows [image, value] of a `Reference`."""
    import torch

    found: Float = shrunk(torch.from_numpy(np.array(picture, np.float32))).flatten(1).numpy()
    return found


def usual_distance(values: NDArray[Any], among: NDArray[Any] | None = None) -> float:
    """Return the median distance of rows to the nearest other one, over at most 300 of them drawn evenly.

    Parameters
    ----------
    values
        [row, feature].
    among
        Numbers of the rows that are compared; all when absent.
    """
    chosen = np.arange(len(values)) if among is None else np.asarray(among)
    if len(chosen) < 2:
        return 0.0
    asked = chosen[np.linspace(0, len(chosen) - 1, min(_SAMPLE, len(chosen))).astype(int)]
    table = distances(values[asked], values[chosen])
    table[asked[:, None] == chosen[None, :]] = np.inf
    return float(np.median(table.min(axis=1)))


def likeness(rows: Float, others: Float, mean: Float) -> NDArray[np.float64]:
    """Return [row, other] the cosine of how two pictures differ from the mean picture."""
    a, b = np.asarray(rows - mean, np.float64), np.asarray(others - mean, np.float64)
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    found: NDArray[np.float64] = a @ b.T
    return found
