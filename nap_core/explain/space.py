"""The space in which a layer's patterns lie, for images that are still being made.

φ(x) is exactly what was clustered: the same pooling, the same scaling with the study's own numbers; where a manifold
reduction follows, the space before it. A pattern is there a centroid c_k (members weighted by their strength), a radius
σ_k (the median distance of its members to it) and a direction d_k, from the mean of all images towards it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.pooling import pooled
from nap_core.configs import ClusterConfig
from nap_core.errors import UnknownNameError
from nap_core.geometry.scaling import Scaler, fit_scaling
from nap_core.types import Activations, Float, Int, LayerInfo, Patterns, frozen_array

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PatternSpace:
    """A layer's images and patterns where distances were taken."""

    layer: LayerInfo
    pooling: str  # that the study asked for
    scaling: Scaler
    values: Float  # [image, feature] scaled
    label: Int  # [image] pattern, or NOISE
    mean: Float  # [feature] of all images
    centroid: Float  # [pattern, feature]
    radius: Float  # [pattern] median distance of the members to the centroid; greater than 0
    direction: Float  # [pattern, feature] of length 1, from the mean to the centroid

    def __post_init__(self) -> None:
        for name, ndim in (("values", 2), ("mean", 1), ("centroid", 2), ("radius", 1), ("direction", 2)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32, ndim))
        object.__setattr__(self, "label", frozen_array(self.label, np.int32))
        assert len(self.label) == len(self.values)

    @property
    def n_patterns(self) -> int:
        """Number of patterns."""
        return len(self.centroid)

    def members(self, pattern: int) -> Int:
        """Images of a pattern, in image order.

        Raises
        ------
        UnknownNameError
            If there is no such pattern.
        """
        if not 0 <= pattern < self.n_patterns:
            there = f"it has 0 … {self.n_patterns - 1}" if self.n_patterns else "it has none"
            raise UnknownNameError(f"No pattern {pattern} in layer '{self.layer.name}'; {there}. Choose one of them.")
        return np.flatnonzero(self.label == pattern).astype(np.int32)

    def of(self, raw: Tensor) -> Tensor:
        """Return φ [image, feature] of the layer's raw output, with its gradient."""
        return scaled(pooled(raw, self.layer.kind, self.pooling), self.scaling)

    def nearest(self, values: NDArray[Any]) -> Int:
        """[row] the pattern whose centroid is nearest to each row of `values` [row, feature]."""
        found: Int = distances(values, self.centroid).argmin(axis=1).astype(np.int32)
        return found


def distances(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return [row, other] Euclidean distances."""
    a, b = np.asarray(rows, np.float64), np.asarray(others, np.float64)
    square = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    found: NDArray[np.float64] = np.sqrt(np.maximum(square, 0.0))
    return found


def scaled(values: Tensor, scaling: Scaler) -> Tensor:
    """Do what `Scaler.apply` does, to a tensor [image, feature], with its gradient."""
    import torch

    shift, divisor, center = (
        torch.from_numpy(np.array(part, np.float32)).to(values.device)
        for part in (scaling.before, scaling.divisor, scaling.after)
    )
    inverse = torch.where(divisor != 0, 1 / divisor.where(divisor != 0, 1.0), 0.0)
    table = (values - shift) * inverse
    if scaling.is_clipped:
        table = table.clamp(-1.0, 1.0)
    table = table - center
    return torch.nn.functional.normalize(table, dim=1) if scaling.row_l2 else table


def pattern_space(
    layer: LayerInfo, activations: Activations, patterns: Patterns, config: ClusterConfig, pooling: str
) -> PatternSpace:
    """Return the space of a layer's patterns.

    Parameters
    ----------
    activations
        Raw pooled values of all images of the study.
    patterns
        Found in them under `config`.
    pooling
        That the study asked for; `Activations.pooling` is what the layer's kind made of it.
    """
    scaling = fit_scaling(
        activations.values,
        activations.unit,
        activations.pooling,
        config.scaling,
        center=config.center,
        row_l2=config.row_l2,
    )
    values = scaling.apply(activations.values).astype(np.float64)
    mean = values.mean(axis=0)
    centroid = np.zeros((patterns.n_patterns, values.shape[1]))
    radius = np.zeros(patterns.n_patterns)
    for pattern in range(patterns.n_patterns):
        member = np.flatnonzero(patterns.label == pattern)
        weight = patterns.probability[member].astype(np.float64) + 1e-9
        centroid[pattern] = weight @ values[member] / weight.sum()
        radius[pattern] = np.median(distances(values[member], centroid[pattern : pattern + 1]))
    spread = float(np.linalg.norm(values - mean, axis=1).mean()) if len(values) else 1.0
    return PatternSpace(
        layer=layer,
        pooling=pooling,
        scaling=scaling,
        values=values.astype(np.float32),
        label=patterns.label,
        mean=mean,
        centroid=centroid.astype(np.float32),
        radius=np.maximum(radius, 1e-3 * spread if spread > 0 else 1.0),  # equal members have none
        direction=_directions(centroid - mean).astype(np.float32),
    )


def _directions(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(difference, axis=1, keepdims=True)
    found: NDArray[np.float64] = np.divide(difference, length, out=np.zeros_like(difference), where=length > 0)
    return found
