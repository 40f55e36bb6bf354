"""Figures of quality: every pattern and setting has its mark, and next to nothing can be drawn, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nap_core.configs import RECIPES
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.dial import Dial
from nap_core.patterns.exemplars import selected_clusters
from nap_core.patterns.verdict import LayerVerdict
from nap_core.quality_figures import chance_figure, dial_figure, tree_figure
from nap_core.types import Activations

CONFIG = replace(RECIPES["published"], scaling="none", cluster_selection_method="eom")


def drawn_tree(rows: np.ndarray) -> tuple[int, set[int]]:
    patterns = find_patterns(Activations("a", "mean", rows.astype(np.float32), np.arange(rows.shape[1])), CONFIG)
    figure = tree_figure(patterns, selected_clusters(patterns.tree, patterns.label).tolist())
    return patterns.n_patterns, {int(t.customdata[0]) for t in figure.data if t.customdata is not None} - {-1}


@pytest.mark.parametrize("n_groups", [2, 5])
def test_every_pattern_is_a_bar_of_the_tree(n_groups):
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(n_groups), 30)
    n_patterns, bars = drawn_tree(6 * random.normal(size=(n_groups, 4))[group] + random.normal(size=(len(group), 4)))
    assert bars == set(range(n_patterns)) and n_patterns == n_groups


@pytest.mark.parametrize("rows", [np.zeros((9, 2)), np.eye(6)])
def test_a_tree_without_patterns_is_drawn(rows):
    assert drawn_tree(rows) == (0, set())


def test_chance_and_the_layer_share_a_row():
    chances = np.array([3, 4, 5]), np.full(3, 0.5), np.zeros(3)
    figure = chance_figure(LayerVerdict("a", 7, 0.9, 7, 0.8, 0.7, *chances, 0))
    assert [list(trace.x) for trace in figure.data][-2:] == [[3, 4, 5], [7]]
    assert len(figure.data) == 6


def test_marks_of_the_dial_carry_their_setting():
    sizes, ones = np.array([5, 8, 5, 8]), np.full(4, 0.5)
    found = Dial(("leaf", "leaf", "eom", "eom"), sizes, np.array([9, 7, 4, 2]), ones, ones, ones)
    figure = dial_figure(found, 2, 1)
    assert [list(trace.customdata) for trace in figure.data if trace.customdata is not None][::2] == [[0, 1], [2, 3]]
    assert {trace.name for trace in figure.data} >= {"now", "suggested"}
    nothing = Dial(("leaf", "eom"), sizes[:2], np.zeros(2), ones[:2], ones[:2], ones[:2])
    assert nothing.suggested() is None
    assert {trace.name for trace in dial_figure(nothing, None, None).data} & {"now", "suggested"} == set()
