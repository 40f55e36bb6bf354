"""From a picture to the numbers a network was trained on.

A network sees what its training pictures looked like: their size, their range, their channels. The steps here are those
of torchvision's published evaluation transforms, on Pillow and NumPy alone, and give the same numbers: the short side
is resized, the middle is cut out (black is added around a picture that is too small), the 8-bit values become 0 … 1,
then each channel's mean is subtracted and its standard deviation divided out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nap_core.errors import ConfigError, listed

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Name → how Pillow resizes."""

_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes a network's input; every field is part of the key of what is computed from it.

    Parameters
    ----------
    resize
        Length of the short side in pixels, keeping the proportions; None leaves the size alone.
    crop
        Side in pixels of the square cut from the middle; None cuts nothing.
    mean, std
        One value per channel, for values in [0, 1].
    channels
        3 (grey pictures are repeated) or 1 (coloured ones become their luma).
    interpolation
        One of `INTERPOLATIONS`.
    reduced
        Decode a JPEG at a half, a quarter or an eighth of its size where twice `resize` is left of it: a photo of 12
        megapixels takes less than half the time, and values of 0 … 255 differ by .6 on average. Smaller ones stay as
        they are.

    Raises
    ------
    ConfigError
        If the values contradict each other or cannot be used.
    """

    resize: int | None
    crop: int | None
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    channels: int = 3
    interpolation: str = "bilinear"
    reduced: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(float(value) for value in self.mean))
        object.__setattr__(self, "std", tuple(float(value) for value in self.std))
        if self.channels not in _MODES:
            raise ConfigError(f"channels={self.channels}: pictures have 1 (grey) or 3 (colour) channels; choose one.")
        if not len(self.mean) == len(self.std) == self.channels:
            raise ConfigError(
                f"{len(self.mean)} means and {len(self.std)} standard deviations for {self.channels} channel(s); "
                "give one of each per channel."
            )
        if not all(map(math.isfinite, self.mean + self.std)) or min(self.std) <= 0:
            raise ConfigError(f"mean={self.mean}, std={self.std}: use finite means and positive standard deviations.")
        if self.interpolation not in INTERPOLATIONS:
            raise ConfigError(f"interpolation='{self.interpolation}' is not one of {listed(INTERPOLATIONS)}.")
        for name, size in (("resize", self.resize), ("crop", self.crop)):
            if size is not None and not 1 <= size <= 8192:
                raise ConfigError(f"{name}={size} is outside 1 … 8192 pixels; choose a value inside.")

    @property
    def key(self) -> str:
        """A text that changes with any field."""
        numbers = (f"{name}={','.join(map(repr, values))}" for name, values in (("mean", self.mean), ("std", self.std)))
        return " ".join(
            [
                f"resize={self.resize} crop={self.crop}",
                *numbers,
                f"channels={self.channels} interpolation={self.interpolation}",
                *(["reduced"] if self.reduced else []),
            ]
        )

    @property
    def at_least(self) -> int | None:
        """Pixels that both sides of a picture must keep when it is decoded; None for its full size."""
        return 2 * self.resize if self.reduced and self.resize else None

    @property
    def input_size(self) -> int | None:
        """Side in pixels of the network's input; None where it follows the picture."""
        return self.crop

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """Return `picture` as a float32 tensor [channel, height, width]."""
        import torch

        return torch.from_numpy(self.array(picture))

    def array(self, picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Return `picture` as a float32 array [channel, height, width], the channels of a pixel side by side."""
        pixels = np.asarray(self.framed(picture))
        height, width = pixels.shape[:2]
        values = pixels.reshape(height, width * self.channels).astype(np.float32)
        values /= np.float32(255)  # rows as they lie in memory: an axis of three channels would be slow to go along
        values -= np.tile(np.array(self.mean, np.float32), width)
        values /= np.tile(np.array(self.std, np.float32), width)
        return values.reshape(height, width, self.channels).transpose(2, 0, 1)

    def framed(self, picture: Image.Image) -> Image.Image:
        """Return what the network sees of `picture`, as a picture: converted, resized and cut, not yet normalised."""
        mode = _MODES[self.channels]
        picture = picture if picture.mode == mode else picture.convert(mode)
        return self._cropped(self._resized(picture))

    def _resized(self, picture: Image.Image) -> Image.Image:
        short = min(picture.size)
        if self.resize is None or short == self.resize:
            return picture
        width, height = (self.resize if side == short else int(self.resize * side / short) for side in picture.size)
        return picture.resize((width, height), INTERPOLATIONS[self.interpolation])

    def _cropped(self, picture: Image.Image) -> Image.Image:
        if self.crop is None:
            return picture
        left, top = (_offset(side, self.crop) for side in picture.size)
        return picture.crop((left, top, left + self.crop, top + self.crop))


def _offset(side: int, crop: int) -> int:
    """First pixel of the middle; negative where black is added, the odd pixel of it at the end."""
    return -((crop - side) // 2) if side < crop else round((side - crop) / 2.0)
