"""What holds for patterns of any table."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nap_core.configs import SCALINGS, ClusterConfig
from nap_core.geometry.ordering import canonical_order, distinct_rows
from nap_core.patterns.clustering import find_patterns
from nap_core.types import NOISE, Activations

TABLES = arrays(
    np.float32,
    st.tuples(st.integers(2, 40), st.integers(1, 4)),
    elements=st.one_of(st.integers(-2, 2).map(float), st.floats(-1e3, 1e3, width=32)),
)
CONFIGS = st.builds(
    ClusterConfig,
    scaling=st.sampled_from(sorted(SCALINGS)),
    center=st.booleans(),
    row_l2=st.booleans(),
    reduction=st.sampled_from(("none", "pca")),
    min_cluster_size=st.just(2),
    min_samples=st.integers(1, 50),
    cluster_selection_method=st.sampled_from(("leaf", "eom")),
    cluster_selection_epsilon=st.sampled_from((0.0, 0.5)),
    metric=st.sampled_from(("euclidean", "manhattan", "chebyshev")),
)


@settings(max_examples=80, deadline=None)
@given(TABLES, CONFIGS, st.randoms(use_true_random=False))
def test_patterns_are_sound_and_independent_of_order(table, config, random):
    activations = Activations("layer", "mean", table, np.arange(table.shape[1]))
    found = find_patterns(activations, config)
    assert (found.size >= config.min_cluster_size).all()
    assert (found.probability[found.label == NOISE] == 0).all()
    for values in (found.probability, found.outlier_score, found.persistence, found.assigned_probability):
        assert ((values >= 0) & (values <= 1)).all()
    order = np.array(random.sample(range(len(table)), len(table)))
    again = find_patterns(Activations("layer", "mean", table[order], np.arange(table.shape[1])), config)
    np.testing.assert_array_equal(found.label[order], again.label)
    np.testing.assert_array_equal(found.probability[order], again.probability)
    np.testing.assert_array_equal(found.assigned[order], again.assigned)


@given(TABLES)
def test_the_order_depends_on_content_only_and_copies_are_found(table):
    order = canonical_order(table)
    np.testing.assert_array_equal(table[order], table[::-1][canonical_order(table[::-1])])
    first, group, count = distinct_rows(table)
    np.testing.assert_array_equal(table[first][group], table)
    assert len(first) == len(np.unique(table + np.float32(0), axis=0))
    assert count.sum() == len(table)
