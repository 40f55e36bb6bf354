"""A layer in one row: how many patterns, how much they cover, how far they agree with the classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nap_core.patterns.agreement import adjusted_mutual_information, purity
from nap_core.types import NOISE, Int, Patterns


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """Figures of one layer's patterns; `purity` and `ami` are NaN where the images have no classes."""

    layer: str
    n_patterns: int
    coverage: float  # in [0, 1]
    n_noise: int
    largest: int  # images
    purity: float  # share of members that are of their pattern's commonest class, in [0, 1]
    ami: float  # of labels and classes over all images, noise as one group
    ami_assigned: float  # the same with noise put where it is assigned
    n_pure: int  # patterns of one class only


def summarise(patterns: Patterns, target: Int) -> LayerSummary:
    """Return the figures of a layer; images without a class are left out of purity and agreement."""
    known = target != NOISE
    has_classes = len(np.unique(target[known])) > 1
    label = patterns.label
    pure = sum(len(np.unique(target[(label == number) & known])) == 1 for number in range(patterns.n_patterns))
    return LayerSummary(
        layer=patterns.layer,
        n_patterns=patterns.n_patterns,
        coverage=patterns.coverage,
        n_noise=int((label == NOISE).sum()),
        largest=int(patterns.size.max(initial=0)),
        purity=purity(label[known], target[known]) if has_classes else float("nan"),
        ami=adjusted_mutual_information(label[known], target[known]) if has_classes else float("nan"),
        ami_assigned=adjusted_mutual_information(patterns.assigned[known], target[known])
        if has_classes
        else float("nan"),
        n_pure=pure if has_classes else 0,
    )
