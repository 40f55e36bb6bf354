"""Over which variables one maximises: each makes pictures of its own kind of parameters, and says how to step.

Pixels find the shortest way, which is noise. Fourier coefficients, scaled so that low frequencies move first, find
smoother pictures. MACO keeps the data's spectrum and moves phases only. A generator can make nothing but pictures like
the data's, and is the only one whose pictures both reach a pattern and look to the network like its members.

References
----------
Olah, Mordvintsev, Schubert: Feature visualization. Distill (2017).
Fel et al.: Unlocking feature visualization for deeper networks with magnitude constrained optimization. NeurIPS 2023.
Nguyen et al.: Synthesizing the preferred inputs for neurons in neural networks via deep generator networks. NeurIPS
2016 (arXiv 1605.09304), for the rule of `Generator`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import ConfigError
from nap_core.explain.canvas import EDGE, ImageStatistics, falling
from nap_core.types import Float

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

START = 0.01
"""Standard deviation of single values at the start, and of waves on a picture that is to be edited."""
START_WAVES = 0.3
"""Standard deviation of waves at the start. Published recipes take .01: then all seeds begin at nearly the same picture
and agree with each other whether or not the objective asks for it, and their agreement says nothing."""


class Parametrisation(Protocol):
    """Parameters → pictures, and how parameters move."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def rate(self) -> float:
        """Adam's rate; of `Generator`, its first step in standard deviations of the code."""

    @property
    def fade(self) -> float:
        """Share by which Adam's parameters shrink at the first step; it falls to 0 at the last."""

    @property
    def module(self) -> nn.Module | None:
        """A network of its own, whose weights stay as they are."""

    def start(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Return the parameters of one picture per generator, [image, …]."""

    def picture(self, parameters: Tensor) -> Tensor:
        """Return pictures [image, channel, …] in [0, 1]."""

    def moved(self, parameters: Tensor, gradient: Tensor, remaining: float) -> Tensor | None:
        """Return the parameters after a step of an own rule, or None where Adam is to step."""


def _noise(generators: Sequence[torch.Generator], shape: Sequence[int], size: float = START) -> Tensor:
    import torch

    return torch.stack([torch.randn(tuple(shape), generator=generator) * size for generator in generators])


def _tensor(array: NDArray[np.floating], like: Tensor) -> Tensor:
    import torch

    return torch.from_numpy(np.array(array, np.float32)).to(like.device)


def _logit(picture: Tensor) -> Tensor:
    return picture.clamp(EDGE, 1 - EDGE).logit()


class _ByAdam:
    module: nn.Module | None = None
    fade = 0.0

    def moved(self, parameters: Tensor, gradient: Tensor, remaining: float) -> Tensor | None:
        """Leave the step to Adam."""
        return None


@dataclass(frozen=True, eq=False)
class Pixel(_ByAdam):
    """Every value of the picture on its own, through the logistic function.

    Parameters
    ----------
    shape
        Channel and size.
    base
        [1 or image, channel, …] the picture to start from; middle grey when absent.
    """

    shape: tuple[int, ...]
    base: Tensor | None = None
    rate: float = 0.05
    name: str = "pixel"

    def start(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Return the logit of the base with a little noise."""
        noise = _noise(generators, self.shape)
        return noise if self.base is None else noise + _logit(self.base)

    def picture(self, parameters: Tensor) -> Tensor:
        """Return the pictures."""
        return parameters.sigmoid()


@dataclass(frozen=True, eq=False)
class Fourier(_ByAdam):
    """x = σ(base + C · irfft(S ⊙ (u + iv)) / 4), with S falling from low to high frequencies.

    Parameters
    ----------
    shape
        Channel and size, of one axis or two, odd or even.
    statistics
        Colours and mean of the data; the pictures start at the mean.
    base
        [1 or image, channel, …] a picture to start from instead.
    """

    shape: tuple[int, ...]
    statistics: ImageStatistics
    base: Tensor | None = None
    rate: float = 0.05
    fade: float = 0.03  # after 128 steps a seventh is left of what the start held and the objective does not
    name: str = "fourier"

    def start(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Return [image, channel, …, frequency, 2] random coefficients."""
        size = START_WAVES if self.base is None else START
        return _noise(generators, (self.shape[0], *falling(self.shape[1:]).shape, 2), size)

    def picture(self, parameters: Tensor) -> Tensor:
        """Return the pictures."""
        import torch

        fall = _tensor(falling(self.shape[1:]), parameters)
        spectrum = torch.view_as_complex(parameters.contiguous()) * fall
        return self._coloured(_inverse(spectrum, self.shape[1:]) / 4)

    def _coloured(self, plain: Tensor) -> Tensor:
        import torch

        base = _tensor(self.statistics.mean, plain) if self.base is None else _logit(self.base).to(plain)
        if self.shape[0] > 1:
            plain = torch.einsum("ij,nj...->ni...", _tensor(self.statistics.colour, plain), plain)
        return (base + plain).sigmoid()


@dataclass(frozen=True, eq=False)
class Maco(_ByAdam):
    """The data's mean spectrum with free phases: x = σ(mean + C · irfft(|S| e^iφ))."""

    shape: tuple[int, ...]
    statistics: ImageStatistics
    rate: float = 0.2
    name: str = "maco"

    def start(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Return random phases [image, channel, …, frequency]."""
        return _noise(generators, self.statistics.spectrum.shape, math.pi)

    def picture(self, parameters: Tensor) -> Tensor:
        """Return the pictures."""
        import torch

        magnitude = _tensor(self.statistics.spectrum, parameters).expand_as(parameters)
        plain = _inverse(torch.polar(magnitude.contiguous(), parameters), self.shape[1:])
        colour, mean = _tensor(self.statistics.colour, plain), _tensor(self.statistics.mean, plain)
        return (mean + torch.einsum("ij,nj...->ni...", colour, plain)).sigmoid()


def _inverse(spectrum: Tensor, size: Sequence[int]) -> Tensor:
    import torch

    axes = tuple(range(2, 2 + len(size)))
    made: Tensor = torch.fft.irfftn(spectrum, s=tuple(size), dim=axes, norm="ortho")
    return made


N_HOMES = 5
"""Real images of a pattern at whose codes its synthetic ones start."""
PULL = 0.03
"""Share of the way to the nearest home that a code of a pattern goes at every step."""


@dataclass(frozen=True, eq=False)
class Generator:
    """x = G(z), with the rule of DGN-AM.

    z ← z + s_t · ∇J / mean|∇J|, each code within 3 standard deviations of the data's, z ← .99 z, the step s_t falling
    in a straight line, and the last picture is kept, not the best. Codes are centred and of standard deviation 1.
    For a pattern the same is done around its own images instead of around all of them; see `at_home`.

    Parameters
    ----------
    decode
        Codes [image, code] → pictures [image, channel, …] in [0, 1].
    n_codes
        Length of a code.
    module
        The module behind `decode`, if there is one.
    codes
        [image, code] of the real images, if they are known.
    homes
        One [real image, code] for each of several equal parts of a batch: where its images start, and of which the
        nearest draws them back.
    """

    decode: Callable[[Tensor], Tensor]
    n_codes: int
    module: nn.Module | None = None
    codes: Tensor | None = None
    homes: tuple[Tensor, ...] = ()
    rate: float = 0.3
    fade: float = 0.0  # its rule has a decay of its own
    name: str = "generator"

    def at_home(self, members: Sequence[NDArray[np.integer]]) -> Generator:
        """Return the generator for patterns of these real images, one pattern for each part of a batch.

        A pattern's images start at its most typical ones, those whose codes are nearest to the mean of all members'.
        What the layer asks for leaves much of a picture open, and an image that starts anywhere ends in a picture that
        no member looks like; here only what the layer asks for moves it away.
        """
        if self.codes is None:
            return self
        return replace(self, homes=tuple(_most_typical(self.codes[np.array(member)]) for member in members))

    def start(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Return codes drawn as the data's are, at half their spread; or those of real images drawn from the homes."""
        import torch

        if not self.homes:
            return _noise(generators, (self.n_codes,), 0.5)
        homes = [home for home in self.homes for _ in range(len(generators) // len(self.homes))]
        drawn = [
            home[int(torch.randint(len(home), (1,), generator=generator))]
            for home, generator in zip(homes, generators, strict=True)
        ]
        return torch.stack(drawn) + _noise(generators, (self.n_codes,))

    def picture(self, parameters: Tensor) -> Tensor:
        """Return the pictures."""
        return self.decode(parameters)

    def moved(self, parameters: Tensor, gradient: Tensor, remaining: float) -> Tensor | None:
        """Return the codes after one step of the rule."""
        import torch

        length = gradient.abs().mean(1, keepdim=True).clamp_min(1e-30)
        step = (parameters + self.rate * remaining * gradient / length).clamp(-3.0, 3.0)
        if not self.homes:
            return 0.99 * step
        parts = torch.chunk(step, len(self.homes))
        near = [home[torch.cdist(part, home).argmin(1)] for part, home in zip(parts, self.homes, strict=True)]
        return step.lerp(torch.cat(near), PULL)


def _most_typical(codes: Tensor) -> Tensor:
    away = (codes - codes.mean(0)).square().sum(1)
    return codes[away.argsort(stable=True)[:N_HOMES]]


def linear_prior(pictures: NDArray[np.floating], n_codes: int) -> tuple[Float, Float]:
    """Return mean [value] and components [code, value] of the logit of `pictures` [image, channel, …], scaled to codes.

    A code of length `n_codes` with standard deviation 1 gives pictures that vary as the data's do.
    """
    from nap_core.explain.canvas import logit

    values = logit(np.asarray(pictures, np.float64)).reshape(len(pictures), -1)
    mean = values.mean(axis=0)
    n_codes = max(1, min(n_codes, len(values) - 1))
    _, size, vector = np.linalg.svd(values - mean, full_matrices=False)
    scaled = vector[:n_codes] * (size[:n_codes, None] / math.sqrt(max(1, len(values) - 1)))
    return mean.astype(np.float32), scaled.astype(np.float32)


def from_linear_prior(
    shape: tuple[int, ...], mean: Float, components: Float, made_at: Sequence[int] | None = None
) -> Generator:
    """Return the generator x = σ(mean + components · z) of a `linear_prior`.

    Parameters
    ----------
    made_at
        Size of the pictures the prior was made of; smaller ones are enlarged to `shape`.
    """
    from torch.nn.functional import interpolate

    size = list(shape[1:])
    small = size if made_at is None else list(made_at)

    def decode(code: Tensor) -> Tensor:
        made = (_tensor(mean, code) + code @ _tensor(components, code)).reshape(len(code), shape[0], *small)
        if small != size:
            made = interpolate(made, size=size, mode="linear" if len(size) == 1 else "bilinear")
        return made.sigmoid()

    return Generator(decode, len(components), name="linear")


def parametrisation(
    name: str, shape: tuple[int, ...], statistics: ImageStatistics, base: Tensor | None = None
) -> Parametrisation:
    """Return one of those that need no training: pixel, fourier, maco.

    Raises
    ------
    ConfigError
        If there is no such one, or it cannot start from a picture.
    """
    if name == "pixel":
        return Pixel(shape, base)
    if name == "fourier":
        return Fourier(shape, statistics, base)
    if name == "maco" and base is None:
        return Maco(shape, statistics)
    raise ConfigError(
        f"The parametrisation '{name}' cannot be used here; there are pixel, fourier and maco (which does not start "
        "from a picture), and a study's own generator."
    )
