"""How little must change before a picture leaves its pattern, or enters another; and when its class changes.

Steps are projected gradient descent in the largest change of any value (L∞), on pictures in [0, 1].

References
----------
Madry et al.: Towards deep learning models resistant to adversarial attacks. ICLR 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.explain.canvas import Canvas
from nap_core.explain.head import PatternHead
from nap_core.explain.space import PatternSpace
from nap_core.types import NOISE, Float, Progress, frozen_array

if TYPE_CHECKING:
    from torch import Tensor

    from nap_core.inputs.models import Network

LEVELS = tuple(level / 255 for level in (1, 2, 4, 8, 16))
"""Largest changes that are tried, in the range of a picture."""
_STEPS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Robustness:
    """What the smallest change is that moves pictures, level by level of `LEVELS`."""

    level: Float  # [level] largest change of any value
    moved: NDArray[Any]  # [image, level] whether the nearest centroid is another one (or the one wanted)
    prediction: NDArray[Any]  # [image, 1 + level] the network's class, untouched first; NOISE where it gives none
    picture: Float  # [image, channel, …] changed at its smallest level that moves it, else at the largest

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", frozen_array(self.level, np.float32))
        object.__setattr__(self, "moved", frozen_array(self.moved, np.bool_, 2))
        object.__setattr__(self, "prediction", frozen_array(self.prediction, np.int32, 2))
        object.__setattr__(self, "picture", frozen_array(self.picture, np.float32, np.ndim(self.picture)))

    @property
    def radius(self) -> Float:
        """[image] the smallest level that moves it; infinite where none does."""
        first = np.where(self.moved.any(axis=1), self.moved.argmax(axis=1), len(self.level))
        found: Float = np.append(self.level, np.float32(np.inf))[first]
        return found

    @property
    def class_radius(self) -> Float:
        """[image] the smallest level at which the network's class is another one; infinite where none."""
        other = self.prediction[:, 1:] != self.prediction[:, :1]
        first = np.where(other.any(axis=1), other.argmax(axis=1), len(self.level))
        found: Float = np.append(self.level, np.float32(np.inf))[first]
        return found


def robustness(
    network: Network,
    canvas: Canvas,
    space: PatternSpace,
    pattern: int,
    picture: Float,
    *,
    into: int = NOISE,
    levels: Sequence[float] = LEVELS,
    progress: Progress | None = None,
) -> Robustness:
    """Return how far pictures [image, channel, …] of a pattern are from leaving it, or from entering pattern `into`.

    A picture leaves where another centroid is nearer than the pattern's own.

    Raises
    ------
    UnknownNameError
        If there is no such pattern.
    """
    import torch

    space.members(pattern)
    if into != NOISE:
        space.members(into)
    start = torch.from_numpy(np.array(picture, np.float32))
    moved: list[NDArray[np.bool_]] = []
    said, best = [], start.clone()
    with PatternHead(network, canvas, space) as head:
        said.append(_classes(head, start))
        for number, level in enumerate(levels):
            changed = attack(head, start, pattern, level, into)
            is_moved = _is_moved(head, changed, pattern, into)
            earlier = np.any(moved, axis=0) if moved else np.zeros(len(start), bool)
            best[~earlier] = changed[~earlier]
            moved.append(is_moved)
            said.append(_classes(head, changed))
            if progress:
                progress(number + 1, len(levels))
    return Robustness(np.array(levels), np.stack(moved, 1), np.stack(said, 1), best.numpy())


def attack(head: PatternHead, start: Tensor, pattern: int, level: float, into: int = NOISE) -> Tensor:
    """Return pictures moved at most `level` in any value, so that they leave `pattern` (or enter `into`).

    A projected gradient descent on the logits −‖φ − c‖², with steps of a quarter of the level; per picture the step
    that went furthest is kept.
    """
    import torch
    from torch.nn.functional import cross_entropy

    wanted = torch.full((len(start),), pattern if into == NOISE else into)
    sign = 1.0 if into == NOISE else -1.0
    x, best, furthest = start.clone(), start.clone(), torch.full((len(start),), -torch.inf)
    for _ in range(_STEPS + 1):
        with torch.enable_grad():
            x.requires_grad_(True)
            loss = sign * cross_entropy(-(head.distances(x) ** 2), wanted, reduction="none")
            (slope,) = torch.autograd.grad(loss.sum(), x)
        with torch.no_grad():
            further = loss > furthest
            best[further], furthest = x[further], torch.where(further, loss, furthest)
            moved = x + level / 4 * slope.sign()
            x = torch.minimum(torch.maximum(moved, start - level), start + level).clamp(0, 1).detach()
    return best.detach()


def _is_moved(head: PatternHead, picture: Tensor, pattern: int, into: int) -> NDArray[np.bool_]:
    import torch

    with torch.no_grad():
        nearest = head.distances(picture).argmin(1).cpu().numpy()
    found: NDArray[np.bool_] = np.atleast_1d(nearest != pattern if into == NOISE else nearest == into)
    return found


def _classes(head: PatternHead, picture: Tensor) -> NDArray[np.int32]:
    import torch

    with torch.no_grad():
        output = head.seen(picture)[1].output
    if output is None or output.ndim != 2 or output.shape[1] < 2:
        return np.full(len(picture), NOISE, np.int32)
    found: NDArray[np.int32] = output.argmax(1).cpu().numpy().astype(np.int32)
    return found
