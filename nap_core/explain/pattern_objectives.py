"""What is maximised for a pattern: each mode asks another question of its centroid, and `v·c_k` is none of them.

The plain dot product with a pattern's centroid is not offered: the layer's mean, which all images share, wins it, and
the images it makes reach the pattern no more often than by chance.

References
----------
VITAL, arXiv 2503.22399 (2025), for the match of sorted activations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import ConfigError, UnknownNameError, listed
from nap_core.explain.objectives import Objective, along, places
from nap_core.explain.reading import Seen
from nap_core.explain.space import PatternSpace
from nap_core.types import LayerInfo

if TYPE_CHECKING:
    from torch import Tensor

Which = int | Sequence[int]
"""A pattern for all images of a batch, or one for each."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A question to a pattern."""

    title: str
    says: str  # one line for people
    make: Callable[[PatternSpace, Which, Which | None], Objective]
    needs_other: bool = False


MODES: dict[str, Mode] = {}
"""Name → mode; `distribution` and `edit` are a prototype with more around it, see `nap_core.explain.recipes`."""


def _mode(name: str, title: str, says: str, *, needs_other: bool = False) -> Callable[[_Maker], _Maker]:
    def add(make: _Maker) -> _Maker:
        assert name not in MODES
        MODES[name] = Mode(title, says, make, needs_other)
        return make

    return add


_Maker = Callable[[PatternSpace, Which, Which | None], Objective]


def pattern_objective(mode: str, space: PatternSpace, pattern: Which, other: Which | None = None) -> Objective:
    """Return the objective of a mode.

    Raises
    ------
    UnknownNameError
        If there is no such mode or pattern.
    ConfigError
        If the mode needs another pattern and none is given.
    """
    if mode not in MODES:
        raise UnknownNameError(
            f"No mode '{mode}'; there are {listed(MODES)}. The dot product with a centroid is none of them on purpose: "
            "the mean that all images share wins it."
        )
    if MODES[mode].needs_other and other is None:
        raise ConfigError(f"The mode '{mode}' compares two patterns; name the other one.")
    for number in (*_numbers(pattern), *(() if other is None else _numbers(other))):
        space.members(number)
    return MODES[mode].make(space, pattern, other)


def _numbers(which: Which) -> list[int]:
    return [which] if isinstance(which, int) else [int(number) for number in which]


def _rows(table: NDArray[np.float32], which: Which, values: Tensor) -> Tensor:
    """Return the rows of `table` for a batch; copies of the same images follow each other as whole batches."""
    import torch

    number = _numbers(which)
    rows = torch.from_numpy(np.array(table[number])).to(values)
    return rows.repeat(len(values) // len(number), *(1,) * (rows.ndim - 1))


def _said(space: PatternSpace, words: str, score: Callable[[Tensor], Tensor]) -> Objective:
    name = space.layer.name
    return Objective(f"{words} of {name}", (name,), lambda seen: score(space.of(seen.raw[name])))


@_mode("prototype", "Prototype", "what a typical member looks like to this layer")
def _prototype(space: PatternSpace, pattern: Which, other: Which | None) -> Objective:
    """−‖v − c‖²/σ²; see `is_inside` for when it is enough."""

    def score(values: Tensor) -> Tensor:
        square = ((values - _rows(space.centroid, pattern, values)) ** 2).sum(1)
        return -square / _rows(space.radius, pattern, values) ** 2

    return _said(space, f"prototype {pattern}", score)


def among(space: PatternSpace, images: NDArray[np.integer]) -> Objective:
    """Return −‖v − c‖² / the mean square distance from it, c the mean of some of the study's images."""
    import torch

    there = space.values[images]
    middle = torch.from_numpy(there.mean(0, keepdims=True))
    spread = max(float(((there - there.mean(0)) ** 2).sum(1).mean()), 1e-12)
    return _said(space, f"among {len(images)} images", lambda v: -((v - middle.to(v)) ** 2).sum(1) / spread)


@_mode("exaggerate", "Exaggerate", "what this pattern has more of than the average image")
def _exaggerate(space: PatternSpace, pattern: Which, other: Which | None) -> Objective:
    """((v − μ)·d) × max(cos, .1)²."""
    import torch

    def score(values: Tensor) -> Tensor:
        mean = torch.from_numpy(np.array(space.mean)).to(values)
        return along(values - mean, _rows(space.direction, pattern, values))

    return _said(space, f"exaggerate {pattern}", score)


@_mode("contrast", "Contrast", "what separates it from another pattern", needs_other=True)
def _contrast(space: PatternSpace, pattern: Which, other: Which | None) -> Objective:
    """(v − μ)·(d_k − d_j)."""
    import torch

    def score(values: Tensor) -> Tensor:
        mean = torch.from_numpy(np.array(space.mean)).to(values)
        between = _rows(space.direction, pattern, values) - _rows(space.direction, other or 0, values)
        return ((values - mean) * between).sum(1)

    return _said(space, f"contrast {pattern} to {other}", score)


def sorted_match(layers: Sequence[LayerInfo], targets: Sequence[NDArray[np.float32]]) -> Objective:
    """Return how well the sorted activations of each unit fit those of real images, 0 at best.

    Parameters
    ----------
    targets
        [unit, place] per layer: the mean over the real images of each unit's activations, sorted over the places.
    """
    import torch

    wanted = [torch.from_numpy(np.array(target, np.float32)) for target in targets]

    def score(seen: Seen) -> Tensor:
        total = torch.zeros(len(seen.picture), device=seen.picture.device)
        for layer, target in zip(layers, wanted, strict=True):
            there = target.to(seen.picture.device)
            came = places(seen.raw[layer.name], layer.kind).float().sort(dim=2).values
            spread = ((there - there.mean()) ** 2).mean().clamp_min(1e-8)
            total = total - ((came - there) ** 2).mean((1, 2)) / spread
        return total / len(wanted)

    names = tuple(layer.name for layer in layers)
    return Objective(f"sorted match of {', '.join(names)}", names, score)
