"""Whether the units that set a pattern apart make it: they are changed inside the network, and the network runs on.

*Ablation* puts units of members to their mean over all images; *grafting* puts the members' mean of these units into
images that are no members. What the layer then says is read where patterns are, and what the network answers at its
end; the same is done with as many random units. Units that matter move many more images than random ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.hooks import split_call
from nap_core.explain.canvas import Canvas
from nap_core.explain.reading import reading
from nap_core.explain.space import PatternSpace
from nap_core.types import Float, Int

if TYPE_CHECKING:
    from torch import Tensor

    from nap_core.inputs.models import Network

N_UNITS = 10
N_DRAWS = 8  # sets of random units
_DOUBT = 0.01


def n_changed(n_units: int) -> int:
    """Return how many units are changed: ten, in small layers a quarter, so that random ones are others."""
    return min(N_UNITS, max(1, n_units // 4))


@dataclass(frozen=True, slots=True)
class Causes:
    """What happens to a pattern when units are changed; shares of images in [0, 1]."""

    units: tuple[int, ...]  # that were changed, the most telling first
    left: float  # members that left the pattern when these were ablated
    left_random: float  # and when as many random ones were
    answered: float  # members whose class changed when these were ablated
    answered_random: float
    joined: float  # other images that joined when the members' levels were grafted into these
    joined_random: float

    @property
    def ratio(self) -> float:
        """Members that left over members that left with random units, one in a hundred of doubt on both sides."""
        return (self.left + _DOUBT) / (self.left_random + _DOUBT)


def causes(
    network: Network,
    canvas: Canvas,
    space: PatternSpace,
    pattern: int,
    units: Sequence[int],
    member: Float,
    other: Float,
    levels: tuple[Float, Float],
    seed: int = 0,
) -> Causes:
    """Return what changing units does to members and to other images.

    Parameters
    ----------
    units
        The pattern's units, the most telling first.
    member, other
        [image, channel, …] pictures of members and of images that are none, in [0, 1].
    levels
        [unit] mean over all images, and over the members.
    """
    draw = np.random.default_rng(seed)
    rest = np.setdiff1d(np.arange(space.layer.n_units), units)
    random = [draw.permutation(rest)[: len(units)] for _ in range(N_DRAWS)] if len(rest) else []
    left, answered, joined = [], [], []
    for chosen in (np.asarray(units), *random):
        nearest, changed = _changed(network, canvas, space, member, chosen, levels[0])
        left.append(float((nearest != pattern).mean()))
        answered.append(float(changed.mean()))
        nearest, _ = _changed(network, canvas, space, other, chosen, levels[1])
        joined.append(float((nearest == pattern).mean()))
    before, _ = _changed(network, canvas, space, member, np.empty(0, int), levels[0])
    outside, _ = _changed(network, canvas, space, other, np.empty(0, int), levels[0])
    away, there = float((before != pattern).mean()), float((outside == pattern).mean())
    return Causes(
        tuple(int(unit) for unit in units),
        max(0.0, left[0] - away),
        _mean([max(0.0, share - away) for share in left[1:]]),
        answered[0],
        _mean(answered[1:]),
        max(0.0, joined[0] - there),
        _mean([max(0.0, share - there) for share in joined[1:]]),
    )


def _mean(shares: list[float]) -> float:
    return float(np.mean(shares)) if shares else float("nan")


def _changed(
    network: Network, canvas: Canvas, space: PatternSpace, picture: Float, units: NDArray[Any], level: Float
) -> tuple[Int, NDArray[np.bool_]]:
    """Return [image] the nearest pattern with units set to a level, and whether the network's class is another one."""
    import torch

    name, batch = space.layer.name, torch.from_numpy(np.array(picture, np.float32))
    with torch.no_grad():
        with reading(network, [name], canvas) as read:
            plain = read(batch)
        with setting(network, name, _setter(space, units, level)), reading(network, [name], canvas) as read:
            seen = read(batch)
    raw = _setter(space, units, level)(plain.raw[name].clone())
    nearest = space.nearest(space.of(raw).cpu().numpy())
    if plain.output is None or seen.output is None or plain.output.ndim != 2:
        return nearest, np.zeros(len(batch), bool)
    return nearest, (plain.output.argmax(1) != seen.output.argmax(1)).cpu().numpy()


def _setter(space: PatternSpace, units: NDArray[Any], level: Float) -> Callable[[Tensor], Tensor]:
    """Return a function that puts units of a layer's output to their level, at every place."""
    import torch

    def changed(raw: Tensor) -> Tensor:
        if not len(units):
            return raw
        made, wanted = raw.clone(), torch.from_numpy(np.array(level[units], np.float32)).to(raw)
        chosen = torch.from_numpy(np.asarray(units, np.int64)).to(raw.device)
        if space.layer.kind == "token":
            made[..., chosen] = wanted
        else:
            made[:, chosen] = wanted.reshape(-1, *(1,) * (raw.ndim - 2))
        return made

    return changed


@contextmanager
def setting(network: Network, name: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let a layer's output be what `change` makes of it, while the block runs."""
    address, call = split_call(name)
    calls = count(1)

    def hook(_module: object, _inputs: object, output: Tensor) -> Tensor | None:
        return change(output) if next(calls) == call else None

    handle = network.module.get_submodule(address).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
