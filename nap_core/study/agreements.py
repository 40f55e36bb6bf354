"""How alike the layers of a study group its images: the agreement of every pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nap_core.configs import ClusterConfig
from nap_core.keys import digest
from nap_core.patterns.agreement import adjusted_mutual_information
from nap_core.study.study import Study
from nap_core.types import Float, Progress

AGREEMENT_VERSION = 1  # raised when the meaning of stored agreements changes


def _agreement_key(study: Study, layers: Sequence[str], config: ClusterConfig) -> str:
    keys = [study.patterns_key(layer, config) for layer in layers]
    return digest("agreement of layers", patterns=keys, version=AGREEMENT_VERSION)


def has_layer_agreement(study: Study, layers: Sequence[str], config: ClusterConfig) -> bool:
    """Whether the agreement of these layers can be read at once."""
    return study.store.path(_agreement_key(study, layers, config)).is_dir()


def layer_agreement(
    study: Study,
    layers: Sequence[str],
    config: ClusterConfig | None = None,
    *,
    progress: Progress | None = None,
) -> Float:
    """Return ``[layer, layer]`` the adjusted mutual information of the patterns of every two layers.

    Over all images, those in no pattern as one group: 1 the same grouping, 0 what chance would give. Computed when it
    is asked for the first time.

    Raises
    ------
    UnknownLayerError
        If a layer is not part of the study.
    NotFiniteError, TooFewImagesError
        If a layer's activations cannot be grouped.
    """
    config = config or study.config
    entry = study.store.compute(
        _agreement_key(study, layers, config),
        lambda: {"agreement": _agreement(study, layers, config, progress)},
        kind="agreement of layers",
        layers=list(layers),
    )
    found: Float = entry.arrays["agreement"]
    return found


def _agreement(study: Study, layers: Sequence[str], config: ClusterConfig, progress: Progress | None) -> Float:
    labels = [study.patterns(layer, config).label + 1 for layer in layers]  # noise becomes a group like any other
    table = np.eye(len(layers), dtype=np.float32)
    pairs = [(i, j) for i in range(len(layers)) for j in range(i)]
    for done, (i, j) in enumerate(pairs):
        if progress:
            progress(done, len(pairs))
        table[i, j] = table[j, i] = adjusted_mutual_information(labels[i], labels[j])
    return table
