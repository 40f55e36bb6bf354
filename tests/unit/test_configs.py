from __future__ import annotations

import pytest

from nap_core.configs import RECIPES, ClusterConfig, recipe
from nap_core.errors import ConfigError, UnknownNameError


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
