"""How far patterns agree with the classes of a data set: counts, purity, adjusted mutual information."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import NOISE

Labels = NDArray[Any]


def class_counts(label: Labels, target: Labels, n_patterns: int, n_classes: int) -> NDArray[np.int64]:
    """Return [pattern + 1, class + 1] how many images each pattern has of each class; the last row is noise, the last
    column images of unknown class, so that `NOISE` is an index of both.
    """
    table = np.zeros((n_patterns + 1, n_classes + 1), np.int64)
    np.add.at(table, (label, target), 1)
    return table


def purity(label: Labels, target: Labels) -> float:
    """Return the share of members that are of their pattern's commonest class, in [0, 1]; noise and unknown classes do
    not count, and NaN says that nothing was left to count.
    """
    known = (label != NOISE) & (target != NOISE)
    if not known.any():
        return float("nan")
    table = class_counts(label[known], target[known], int(label.max()) + 1, int(target.max()) + 1)
    return float(table.max(axis=1).sum() / known.sum())


def adjusted_mutual_information(label: Labels, target: Labels) -> float:
    """Return the AMI of patterns and classes over all images of known class, noise as one group: 1 the same grouping, 0
    what chance would give, NaN where no class is known.

    References
    ----------
    Vinh, Epps, Bailey: Information theoretic measures for clusterings comparison. JMLR 11 (2010).
    """
    known = target != NOISE
    if not known.any():
        return float("nan")
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(target[known], label[known]))
