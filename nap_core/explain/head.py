"""Patterns as classes: a network whose logits are the scores of a layer's patterns.

s_k(x) = (φ(x) − μ)·d_k. With it every method that explains a class explains a pattern.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from nap_core.explain.canvas import Canvas
from nap_core.explain.reading import Seen, reading
from nap_core.explain.space import PatternSpace

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from nap_core.inputs.models import Network


class PatternHead(AbstractContextManager["PatternHead"]):
    """The scores of a layer's patterns, for pictures, with their gradient; used as a ``with``.

    While it is open the network's weights ask for no gradient.
    """

    def __init__(self, network: Network, canvas: Canvas, space: PatternSpace) -> None:
        self.network, self.canvas, self.space = network, canvas, space
        self._open: AbstractContextManager[Callable[[Tensor], Seen]] | None = None
        self._read: Callable[[Tensor], Seen] | None = None

    def __enter__(self) -> PatternHead:
        self._open = reading(self.network, [self.space.layer.name], self.canvas)
        self._read = self._open.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._open is not None
        self._open.__exit__(kind, error, trace)
        self._open = self._read = None

    def seen(self, picture: Tensor) -> tuple[Tensor, Seen]:
        """Return scores [image, pattern] of pictures [image, channel, …] in [0, 1], and what was seen on the way."""
        assert self._read is not None, "the head is used inside its with"
        seen = self._read(picture)
        return self.scores(self.space.of(seen.raw[self.space.layer.name])), seen

    def __call__(self, picture: Tensor) -> Tensor:
        """Return scores [image, pattern]."""
        return self.seen(picture)[0]

    def distances(self, picture: Tensor) -> Tensor:
        """Return [image, pattern] the distance to each centroid; the nearest is the pattern an image is in."""
        import torch

        assert self._read is not None, "the head is used inside its with"
        values = self.space.of(self._read(picture).raw[self.space.layer.name])
        return torch.cdist(values, torch.from_numpy(np.array(self.space.centroid)).to(values))

    def scores(self, values: Tensor) -> Tensor:
        """Return [image, pattern] (φ − μ)·d of values φ [image, feature]."""
        import torch

        mean = torch.from_numpy(np.array(self.space.mean)).to(values)
        direction = torch.from_numpy(np.array(self.space.direction)).to(values)
        return (values - mean) @ direction.T
