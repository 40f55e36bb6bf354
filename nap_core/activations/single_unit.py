"""One unit of a layer, as a layer of its own: ``layer:unit``."""

from __future__ import annotations

import numpy as np

from nap_core.errors import UnknownUnitError
from nap_core.types import Activations


def unit_layer(layer: str, unit: int) -> str:
    """Return the name of a unit as a layer of its own: ``"features:12"``."""
    return f"{layer}:{unit}"


def of_unit(activations: Activations, unit: int) -> Activations:
    """Return the features of one unit.

    Raises
    ------
    UnknownUnitError
        If the layer has no such unit.
    """
    columns = np.flatnonzero(activations.unit == unit)
    if not len(columns):
        raise UnknownUnitError(
            f"Layer '{activations.layer}' has no unit {unit}; its units are 0 to {activations.n_units - 1}."
        )
    name, values = unit_layer(activations.layer, unit), activations.values[:, columns]
    return Activations(name, activations.pooling, values, np.zeros(len(columns), np.int32))
