from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nap_core.configs import POOLING_WORDS, POOLINGS, RECIPES, ClusterConfig, by_section, recipe, told, understood
from nap_core.errors import ConfigError, NapError, UnknownNameError


def test_defaults_are_the_published_method():
    config = ClusterConfig()
    assert config == RECIPES["published"]
    assert (config.scaling, config.min_cluster_size, config.min_samples) == ("unit_max", 5, 5)
    assert (config.cluster_selection_method, config.cluster_selection_epsilon) == ("leaf", 0.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"scaling": "max"}, "unit_max"), ({"min_cluster_size": 1}, "2 …"), ({"metric": "cosine"}, "euclidean")],
)
def test_refusals_say_what_is_possible(change, words):
    with pytest.raises(ConfigError, match=words):
        ClusterConfig(**change)


def test_recipe_with_changes():
    assert recipe("published", min_samples=7).min_samples == 7
    with pytest.raises(UnknownNameError, match="covering, published"):
        recipe("best")


@given(
    name=st.sampled_from(sorted(RECIPES)),
    size=st.integers(2, 500),
    epsilon=st.floats(0, 10, allow_nan=False),
    center=st.booleans(),
    method=st.sampled_from(["leaf", "eom"]),
)
def test_one_line_tells_a_clustering(name, size, epsilon, center, method):
    changes = {"min_cluster_size": size, "cluster_selection_epsilon": epsilon, "center": center}
    config = recipe(name, **changes, cluster_selection_method=method)
    assert understood(told(config)) == config


def test_a_recipe_is_told_by_its_name():
    assert told(RECIPES["covering"]) == "covering"
    assert told(recipe("published", min_samples=7)) == "published,min_samples=7"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("best", "No recipe 'best'"),
        ("covering,size=3", "No parameter 'size'"),
        ("covering,min_samples=few", "min_samples=few is not a number"),
        ("covering,min_samples=0", "outside 1"),
    ],
)
def test_a_line_that_cannot_be_understood(line, words):
    with pytest.raises(NapError, match=words):
        understood(line)


def test_every_parameter_is_named_once_in_plain_words():
    parameters = [parameter for some in by_section().values() for parameter in some]
    assert sorted(p.name for p in parameters) == sorted(p.name for p in fields(ClusterConfig))
    labels = [p.metadata["label"] for p in parameters]
    assert len(set(labels)) == len(labels)
    assert not [label for label in labels if "_" in label]
    assert list(POOLING_WORDS) == list(POOLINGS)
