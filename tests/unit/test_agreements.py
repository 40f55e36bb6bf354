"""The agreement of layers: planted copies agree, shuffled ones do not, and it is computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from nap_core.configs import ClusterConfig
from nap_core.study import Study
from nap_core.study.agreements import has_layer_agreement, layer_agreement


def test_copies_agree_and_shuffled_layers_do_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 30)
    layers = [
        rng.normal(size=(6, 5))[g] * 9 + rng.normal(size=(180, 5)) for g in (group, group, rng.permutation(group))
    ]
    values = {name: layer.astype(np.float32) for name, layer in zip("abc", layers, strict=True)}
    study = Study.from_activations(tmp_path, values, config=ClusterConfig(reduction="none", min_cluster_size=10))
    assert not has_layer_agreement(study, ["a", "b", "c"], study.config)
    seen: list[tuple[int, int]] = []
    found = layer_agreement(study, ["a", "b", "c"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3)]
    np.testing.assert_array_equal(found, found.T)
    assert found.diagonal().tolist() == [1, 1, 1]
    assert found[0, 1] > 0.9
    assert abs(found[0, 2]) < 0.1
    labels = [study.patterns(name).label for name in "ab"]
    np.testing.assert_allclose(found[0, 1], adjusted_mutual_info_score(*labels), rtol=1e-5)
    layer_agreement(study, ["a", "b", "c"], progress=lambda done, total: seen.append((done, total)))
    assert len(seen) == 3
