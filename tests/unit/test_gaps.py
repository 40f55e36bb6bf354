"""Gaps between patterns: there where groups were planted, not where a continuum was cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nap_core.configs import RECIPES
from nap_core.patterns.clustering import compared, find_patterns
from nap_core.patterns.gaps import Gaps, between, gaps
from nap_core.types import Activations

# Cuts whatever comes, as the default does; by distance, as seen from its middle a curve is denser at its ends.
CUT = replace(RECIPES["covering"], hierarchy="density", reduction="pca", row_l2=False, min_cluster_size=8)


def cut(rows: np.ndarray) -> tuple[int, Gaps]:
    found = Activations("layer", "mean", rows.astype(np.float32), np.arange(rows.shape[1]))
    patterns = find_patterns(found, CUT)
    return patterns.n_patterns, gaps(compared(found, CUT), patterns.assigned)


@pytest.mark.parametrize("n_features", [2, 10, 64, 512])
@pytest.mark.parametrize("shape", ["gaussian", "curve"])
def test_a_continuum_has_none(shape, n_features):
    random = np.random.default_rng(n_features)
    if shape == "gaussian":
        rows = random.normal(size=(600, n_features))
    else:
        along = random.uniform(0, 3, (600, 1))
        rows = np.hstack([np.cos(along), np.sin(along)]) @ random.normal(size=(2, n_features))
        rows += 0.05 * random.normal(size=rows.shape)
    n_patterns, found = cut(rows)
    assert n_patterns > 1
    assert found.n_islands == 1
    assert not found.apart.any()


@pytest.mark.parametrize("n_features", [10, 64, 512, 2048])
def test_planted_groups_are_islands(n_features):
    random = np.random.default_rng(n_features)
    group = random.integers(0, 6, 400)
    center = random.normal(size=(6, n_features)) * max(0.4, 3 / np.sqrt(n_features))
    n_patterns, found = cut(center[group] + 0.4 * random.normal(size=(400, n_features)))
    assert n_patterns == found.n_islands == 6
    assert found.apart.all()


def test_a_group_cut_in_two_is_one_island():
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 30))
    rows[200:, 0] += 12
    label = np.repeat([0, 1], [200, 100])
    label[:200] += 2 * (rows[:200, 1] > 0)  # 0 and 2 are halves of one group
    found = gaps(rows, label)
    assert found.island.tolist() == [0, 1, 0]
    assert found.apart.tolist() == [False, True, False]
    neighbor, filled = found.fullest()
    assert neighbor[0] == 2 and neighbor[2] == 0
    assert filled[0] > 0.5


def test_either_side_gives_the_same():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(40, 5)), random.normal(size=(60, 5)) + 1
    assert between(a, b) == pytest.approx(between(b, a))


def test_islands_are_those_of_looking_at_every_pair_every_time():
    random = np.random.default_rng(1)
    rows = random.normal(size=(900, 6))
    rows[600:, 0] += 9
    label = np.concatenate([np.zeros(300, int), 1 + np.arange(300) % 30, 31 + np.arange(300) % 5])
    found = gaps(rows, label)
    group = [rows[label == pattern] - rows.mean(axis=0) for pattern in range(36)]
    number = list(range(36))
    pairs = {(a, b): between(group[a], group[b]) for a, b in zip(found.first, found.second, strict=True)}
    while joined := {pair: f for pair, (f, p) in pairs.items() if f > 0.5 or p > 0.01}:
        kept, gone = max(joined, key=lambda pair: (joined[pair], pair))
        group[kept] = np.concatenate([group[kept], group[gone]])
        number = [kept if n == gone else n for n in number]
        others = {side for pair in pairs if kept in pair or gone in pair for side in pair} - {kept, gone}
        pairs = {pair: what for pair, what in pairs.items() if kept not in pair and gone not in pair}
        pairs |= {(min(kept, other), max(kept, other)): between(group[kept], group[other]) for other in others}
    same = np.equal.outer(number, number)
    np.testing.assert_array_equal(np.equal.outer(found.island, found.island), same)
    assert found.n_islands == len(set(number)) >= 2
