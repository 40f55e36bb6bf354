"""Where synthetic images live, and what the data's own images are like.

Everything here speaks of pictures: values in [0, 1], first axis image, then channel, then one axis (a series) or two. A
`Canvas` turns them into what the network takes. `ImageStatistics` holds the mean, colours and spectrum of the loaded
data: the usual constants are ImageNet's and mislead on grey or small images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import frozen_array

if TYPE_CHECKING:
    from torch import Tensor

    from nap_core.inputs.models import Network

EDGE = 0.02
"""Pictures are kept this far from 0 and 1 before the logit is taken, which is infinite there."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The inputs a network takes, and the range of values its preprocessing gives."""

    shape: tuple[int, ...]  # channel, height, width; or channel, length
    low: NDArray[Any]  # [channel] float32: input value of black
    high: NDArray[Any]  # [channel] float32: input value of white

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", frozen_array(self.low, np.float32))
        object.__setattr__(self, "high", frozen_array(self.high, np.float32))
        assert len(self.low) == len(self.high) == self.shape[0]

    @property
    def size(self) -> tuple[int, ...]:
        """Places: height and width, or length."""
        return self.shape[1:]

    def inputs(self, picture: Tensor) -> Tensor:
        """Return pictures [image, channel, …] as inputs of the network, with their gradient."""
        low, high = self._limits(picture)
        return low + picture * (high - low)

    def pictures(self, inputs: Tensor) -> Tensor:
        """Return inputs of the network as pictures, cut to [0, 1]."""
        low, high = self._limits(inputs)
        return ((inputs - low) / (high - low)).clamp(0.0, 1.0)

    def _limits(self, like: Tensor) -> tuple[Tensor, Tensor]:
        import torch

        shape = (1, -1) + (1,) * len(self.size)
        low, high = (torch.tensor(np.array(limit)).to(like).reshape(shape) for limit in (self.low, self.high))
        return low, high


def canvas(network: Network, example: Tensor) -> Canvas:
    """Return the canvas of a network.

    Parameters
    ----------
    example
        [image, channel, …] inputs as the preprocessing makes them. Where it is not a `Preprocessing`, whose constants
        are known, their least and largest value per channel stand for black and white.
    """
    mean, std = getattr(network.preprocessing, "mean", None), getattr(network.preprocessing, "std", None)
    if mean is not None and std is not None and len(mean) == example.shape[1]:
        middle, spread = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        return Canvas(tuple(example.shape[1:]), -middle / spread, (1 - middle) / spread)
    values = example.transpose(0, 1).flatten(1)
    low, high = values.amin(1).numpy(), values.amax(1).numpy()
    return Canvas(tuple(example.shape[1:]), low, np.where(high > low, high, low + 1))


@dataclass(frozen=True, slots=True, eq=False)
class ImageStatistics:
    """What the data's pictures are like, in the space of the logit, where no value leaves the range."""

    mean: NDArray[Any]  # [channel, …] logit of the mean picture
    colour: NDArray[Any]  # [channel, channel] root of the covariance of the channels, its longest row of length 1
    spectrum: NDArray[Any]  # [channel, …, frequency] mean magnitude of the decorrelated pictures around their mean

    def __post_init__(self) -> None:
        for name in ("mean", "colour", "spectrum"):
            array = getattr(self, name)
            object.__setattr__(self, name, frozen_array(array, np.float32, array.ndim))


def logit(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logit of pictures, which are first kept `EDGE` away from 0 and 1."""
    inside = np.clip(picture, EDGE, 1 - EDGE)
    found: NDArray[np.float64] = np.log(inside / (1 - inside))
    return found


def image_statistics(pictures: NDArray[np.floating]) -> ImageStatistics:
    """Return mean, colours and spectrum of `pictures` [image, channel, …] in [0, 1].

    References
    ----------
    Fel et al.: Unlocking feature visualization for deeper networks with magnitude constrained optimization. NeurIPS
    2023 (MACO), for the spectrum; here it is that of the loaded data.
    """
    values = logit(np.asarray(pictures, np.float64))
    mean = values.mean(axis=0)
    centred = values - mean
    colour = _colour(centred)
    plain = np.einsum("ij,nj...->ni...", np.linalg.inv(colour), centred)
    axes = tuple(range(2, plain.ndim))
    spectrum = np.abs(np.fft.rfftn(plain, axes=axes, norm="ortho")).mean(axis=0)
    return ImageStatistics(mean, colour, spectrum)


def _colour(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    n_channels = centred.shape[1]
    if n_channels == 1:
        return np.eye(1)
    pixel = np.moveaxis(centred, 1, -1).reshape(-1, n_channels)
    variance, vector = np.linalg.eigh(pixel.T @ pixel / len(pixel) + 1e-6 * np.eye(n_channels))
    root = (vector * np.sqrt(variance)) @ vector.T
    found: NDArray[np.float64] = root / np.linalg.norm(root, axis=1).max()
    return found


@cache
def falling(size: tuple[int, ...]) -> NDArray[np.float64]:
    """Return max(f, 1 / longest side)^-1 for every frequency of a real transform of `size`; cycles per place."""
    axes = [np.fft.fftfreq(side) for side in size[:-1]] + [np.fft.rfftfreq(size[-1])]
    frequency = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    found: NDArray[np.float64] = 1 / np.maximum(frequency, 1 / max(size))
    found.flags.writeable = False
    return found


def no_statistics(shape: Sequence[int]) -> ImageStatistics:
    """Return what stands for data that is not known: grey, independent channels, a spectrum that falls with 1/f."""
    fall = falling(tuple(shape[1:]))
    spectrum = np.broadcast_to(0.1 * fall, (shape[0], *fall.shape))
    return ImageStatistics(np.zeros(tuple(shape)), np.eye(shape[0]), spectrum)
