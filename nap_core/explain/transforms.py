"""Small random movements of the picture at every step, so that what is found does not hang on single pixels.

All of them are one affine map and one resampling per image, drawn from the image's own generator. Small pictures do
better without (they lower the match and double the time); from some 64 pixels up they remove fine noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nap_core.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Transforms:
    """How far pictures are moved; the default moves nothing."""

    jitter: float = 0.0  # largest shift, as a share of the side
    scale: float = 0.0  # largest growth or shrinkage, as a share of the size
    rotate: float = 0.0  # largest turn in degrees
    pad: float = 0.0  # grey margin around the picture, as a share of the side
    colour: float = 0.0  # largest shift of each channel's values
    noise: float = 0.0  # standard deviation at the first step, falling to 0 at the last
    copies: int = 1  # independent draws per step, whose scores are averaged
    quiet: float = 0.25  # share of the steps, at the end, in which nothing moves, so that the picture itself gets there

    def __post_init__(self) -> None:
        shares = (self.jitter, self.scale, self.pad, self.colour, self.noise)
        if (
            min(*shares, self.rotate) < 0
            or max(shares) > 0.5
            or not 0 <= self.quiet <= 1
            or self.rotate > 180
            or not 1 <= self.copies <= 64
        ):
            raise ConfigError(
                f"{self} is out of range; shares lie in 0 … 0.5 (the quiet one in 0 … 1), turns in 0 … 180 degrees, "
                "copies in 1 … 64."
            )

    @property
    def is_moving(self) -> bool:
        """Whether there is anything to resample."""
        return max(self.jitter, self.scale, self.rotate, self.pad) > 0

    def apply(self, picture: Tensor, generators: Sequence[torch.Generator], remaining: float) -> Tensor:
        """Return `copies` batches of the pictures [image, channel, …], moved, one behind the other.

        Parameters
        ----------
        generators
            [image] each draws for its own image.
        remaining
            Share of the steps that are still to come, in [0, 1]; noise falls with it, and the last are `quiet`.
        """
        import torch

        if remaining <= self.quiet or not (self.is_moving or self.colour or self.noise):
            return picture
        made = picture.repeat(self.copies, *(1,) * (picture.ndim - 1))
        drawn = torch.stack([_uniform(generator, 4) for _ in range(self.copies) for generator in generators])
        drawn = drawn.to(picture)
        if self.is_moving and picture.ndim == 4:
            made = _moved(made, self._maps(drawn))
        if self.colour:
            made = made + self.colour * self._per_channel(made, generators)
        if self.noise:
            made = made + self.noise * remaining * self._grain(made, generators)
        return made

    def _maps(self, drawn: Tensor) -> Tensor:
        """[row, 2, 3] from output places to places of the picture."""
        import torch

        turn = math.radians(self.rotate) * drawn[:, 2]
        zoom = (1 + self.scale * drawn[:, 3]) * (1 + 2 * self.pad)
        cosine, sine = torch.cos(turn) * zoom, torch.sin(turn) * zoom
        shift = 2 * self.jitter * drawn[:, :2]
        rows = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], 1)
        return rows.view(-1, 2, 3)

    def _per_channel(self, made: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        import torch

        drawn = [_uniform(generator, made.shape[1]) for _ in range(self.copies) for generator in generators]
        return torch.stack(drawn).to(made).reshape(len(made), -1, *(1,) * (made.ndim - 2))

    def _grain(self, made: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        import torch

        drawn = [
            torch.randn(made.shape[1:], generator=generator) for _ in range(self.copies) for generator in generators
        ]
        return torch.stack(drawn).to(made)


STILL = Transforms()
"""Nothing moves."""


def _uniform(generator: torch.Generator, n: int) -> Tensor:
    import torch

    return 2 * torch.rand(n, generator=generator) - 1


def _moved(picture: Tensor, maps: Tensor) -> Tensor:
    """Resample around middle grey, so that what is moved in from outside is grey."""
    from torch.nn.functional import affine_grid, grid_sample

    grid = affine_grid(maps, list(picture.shape), align_corners=False)
    return grid_sample(picture - 0.5, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + 0.5


def suggested(size: Sequence[int]) -> Transforms:
    """Return what suits pictures of this size: nothing below 64 pixels, a little above."""
    if len(size) < 2 or min(size) < 64:
        return Transforms()
    return Transforms(jitter=0.04, scale=0.05, rotate=4.0)


def octave(picture: Tensor, number: int, n_octaves: int) -> Tensor:
    """Return pictures with only the detail of octave `number` (0 is the coarsest), at their own size.

    Parameters
    ----------
    n_octaves
        Each has twice the resolution of the one before; the last one is the picture itself.
    """
    from torch.nn.functional import interpolate

    factor = 2 ** (n_octaves - 1 - number)
    size = [max(1, -(-side // factor)) for side in picture.shape[2:]]
    if factor == 1:
        return picture
    coarse = interpolate(picture, size=size, mode="area")
    return interpolate(coarse, size=list(picture.shape[2:]), mode="linear" if picture.ndim == 3 else "bilinear")
