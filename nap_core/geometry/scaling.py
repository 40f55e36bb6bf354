"""Make units comparable before distances are taken (Eq. 2 of arXiv 2206.10611, and alternatives).

A scaling acts on columns and never mixes them; centring and row length come after it, in this order. What it takes from
the images is kept in a `Scaler`, so that a new image is scaled as those were.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import POOLINGS
from nap_core.types import Float, frozen_array

Table = NDArray[np.float64]


def _divided(values: Table, divisor: Table) -> Table:
    """Divide, with 0 where the divisor is 0."""
    quotient = np.zeros_like(values)
    np.divide(values, divisor, out=quotient, where=divisor != 0)
    return quotient


def _largest(values: Table) -> Table:
    largest: Table = np.abs(values).max(axis=0, initial=0.0)
    return largest


def is_vector_layer(unit: NDArray[Any], pooling: str) -> bool:
    """Whether every unit has one value that no pooling made: a layer without positions or tokens.

    Parameters
    ----------
    unit
        [feature] the unit a feature belongs to.
    pooling
        Vector layers are taken as they are, which is `none`.
    """
    return pooling == "none" and len(np.unique(unit)) == len(unit)


def _reference_divisor(values: Table, unit: NDArray[Any], pooling: str) -> Table:
    """What the authors' program divides by: see `scale`."""
    largest = _largest(values)
    if is_vector_layer(unit, pooling):
        return np.full_like(largest, largest.max(initial=0.0))
    if POOLINGS.get(pooling) == ("mean", "std"):
        half = len(largest) // 2
        largest[half:] = np.sqrt(largest[:half])
    return largest


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """What a scaling has taken from some images, ready for others."""

    before: Table  # [feature] subtracted first
    divisor: Table  # [feature] where it is 0, the result is 0
    after: Table  # [feature] subtracted at last
    is_clipped: bool  # to [-1, 1], before `after`
    row_l2: bool

    def __post_init__(self) -> None:
        for name in ("before", "divisor", "after"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float64))
        assert len(self.before) == len(self.divisor) == len(self.after)

    def apply(self, values: NDArray[Any]) -> Float:
        """Return `values` [image, feature] scaled, float32."""
        table = self.columns(values) - self.after
        if self.row_l2:
            table = _divided(table, np.linalg.norm(table, axis=1, keepdims=True))
        return table.astype(np.float32)

    def columns(self, values: NDArray[Any]) -> Table:
        """Return `values` [image, feature] with the columns scaled, not yet centred."""
        table = _divided(np.asarray(values, dtype=np.float64) - self.before, self.divisor)
        return np.clip(table, -1.0, 1.0) if self.is_clipped else table


def fit_scaling(
    values: NDArray[Any],
    unit: NDArray[Any],
    pooling: str,
    scaling: str = "unit_max",
    *,
    center: bool = False,
    row_l2: bool = False,
) -> Scaler:
    """Return what `scale` would do to `values`; the parameters are explained there."""
    table = np.asarray(values, dtype=np.float64)
    before, divisor = np.zeros(table.shape[1]), np.ones(table.shape[1])
    if scaling == "unit_max":
        divisor = _largest(table)
    elif scaling == "reference":
        divisor = _reference_divisor(table, unit, pooling)
    elif scaling == "p99":
        divisor = np.percentile(np.abs(table), 99, axis=0)
    elif scaling == "zscore":
        before, divisor = table.mean(axis=0), table.std(axis=0)
    scaler = Scaler(before, divisor, np.zeros_like(before), scaling == "p99", row_l2)
    return replace(scaler, after=scaler.columns(table).mean(axis=0)) if center else scaler


def scale(
    values: NDArray[Any],
    unit: NDArray[Any],
    pooling: str,
    scaling: str = "unit_max",
    *,
    center: bool = False,
    row_l2: bool = False,
) -> Float:
    """Return `values` [image, feature] with comparable columns, float32.

    Parameters
    ----------
    values
        [image, feature] raw pooled activations, finite.
    unit, pooling
        As in `Activations`; only `reference` looks at them.
    scaling
        ``unit_max``: each column by its largest absolute value over the images, so that it lies in [-1, 1].
        ``reference``: the same with the two quirks of the authors' program: a unit's standard deviation is divided by
        the root of its largest absolute mean, and a layer of plain vectors by one scalar.
        ``p99``: each column by the 99th percentile of its absolute values, clipped to [-1, 1].
        ``zscore``: mean 0 and standard deviation 1 per column. ``none``: as they are.
        A column that would be divided by 0 becomes 0.
    center
        Subtract each column's mean afterwards.
    row_l2
        Divide each row by its length at last; a zero row stays.

    References
    ----------
    Bäuerle, Jönsson, Ropinski: Neural Activation Patterns. arXiv 2206.10611 (2022).
    """
    return fit_scaling(values, unit, pooling, scaling, center=center, row_l2=row_l2).apply(values)
