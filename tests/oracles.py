"""Slow and obvious re-derivations that cannot be wrong in the same way as the package."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def truncated_activations(module: nn.Sequential, name: str, batch: Tensor) -> Tensor:
    """What the child `name` of a flat `Sequential` says: a copy of the model that ends there, run by itself."""
    import copy

    parts = []
    for child_name, child in copy.deepcopy(module).eval().named_children():
        parts.append(child)
        if child_name == name:
            break
    with torch.no_grad():
        return nn.Sequential(*parts)(batch.clone()).clone()


def pooled(values: Tensor, statistic: str) -> NDArray[np.float64]:
    """``[image, unit]`` of one statistic over the places of ``[image, unit, …]``, one number at a time."""
    rows = []
    for image in values.double().numpy():
        row = []
        for unit in image:
            numbers = [float(x) for x in np.ravel(unit)]
            mean = sum(numbers) / len(numbers)
            variance = sum((x - mean) ** 2 for x in numbers) / len(numbers)
            row.append({"mean": mean, "std": variance**0.5, "max": max(numbers), "min": min(numbers)}[statistic])
        rows.append(row)
    return np.array(rows)


def contingency(a: NDArray[np.int32], b: NDArray[np.int32], n_a: int, n_b: int) -> list[list[int]]:
    """How many images have each pair of labels, the noise (-1) last, by looking at every image for every pair."""
    table = []
    for source in [*range(n_a), -1]:
        row = []
        for target in [*range(n_b), -1]:
            row.append(sum(1 for i in range(len(a)) if a[i] == source and b[i] == target))  # noqa: PERF401
        table.append(row)
    return table
