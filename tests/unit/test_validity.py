"""Silhouette and DBCV against the slow and obvious."""

from __future__ import annotations

import numpy as np
import pytest
from hdbscan.validity import all_points_core_distance
from sklearn.metrics import silhouette_samples

from nap_core.patterns.validity import dbcv, silhouette
from nap_core.types import NOISE


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    center = random.normal(size=(4, 3)) * 4
    label = np.repeat([0, 1, 2, 3, NOISE], [40, 25, 12, 30, 10])
    rows = np.where(label[:, None] == NOISE, random.normal(size=(len(label), 3)) * 8, center[label])
    return rows + random.normal(size=rows.shape), label


def reach(rows: np.ndarray, min_samples: int) -> np.ndarray:
    plain = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    core = np.sort(plain, axis=1)[:, min_samples]
    matrix = np.maximum(plain, np.maximum(core[:, None], core[None]))
    np.fill_diagonal(matrix, 0.0)
    return matrix


def test_silhouette_is_that_of_the_members_on_mutual_reachability(planted):
    rows, label = planted
    kept = label != NOISE
    score = silhouette_samples(reach(rows[kept], 5), label[kept], metric="precomputed")
    expected = [score[label[kept] == n].mean() for n in range(4)]
    np.testing.assert_allclose(silhouette(rows, label, 5), expected, atol=1e-5)


def inner_tree(plain: np.ndarray, core: np.ndarray) -> tuple[list[int], float]:
    """Kruskal's tree of mutual reachability, ties by plain distance: its inner rows, the longest edge among these."""
    n, joined, edges = len(plain), {i: i for i in range(len(plain))}, []
    pairs = [(i, j) for i in range(n) for j in range(i)]
    for *_, i, j in sorted((max(plain[pair], core[pair[0]], core[pair[1]]), plain[pair], *pair) for pair in pairs):
        if joined[i] != joined[j]:
            joined = {k: joined[i] if part == joined[j] else part for k, part in joined.items()}
            edges.append((max(plain[i, j], core[i], core[j]), i, j))
    inner = [i for i in range(n) if sum(i in edge[1:] for edge in edges) > 1]
    return inner, max(weight for weight, i, j in edges if i in inner and j in inner)


def test_dbcv_is_what_the_paper_says(planted):
    rows, label = planted
    plain = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    inner, core, sparse = {}, np.zeros(len(rows)), {}
    for n in range(4):
        own = np.flatnonzero(label == n)
        matrix = plain[np.ix_(own, own)]
        core[own] = all_points_core_distance(matrix.copy(), rows.shape[1])
        found, sparse[n] = inner_tree(matrix, core[own])
        inner[n] = own[found]
    for n, found in enumerate(dbcv(rows, label)):
        apart = min(max(plain[i, j], core[i], core[j]) for i in inner[n] for m in inner if m != n for j in inner[m])
        assert found == pytest.approx((apart - sparse[n]) / max(apart, sparse[n]), abs=1e-5)


def test_many_dimensions_stay_finite():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1], 30)
    rows = 0.01 * random.normal(size=(60, 2_000))
    rows[label == 1, 0] += 3
    assert (dbcv(rows, label) > 0.5).all()
    assert (silhouette(rows, label) > 0.5).all()


def test_equal_rows_and_small_patterns():
    rows = np.repeat(np.eye(3), [4, 4, 1], axis=0)
    label = np.array([0] * 4 + [1] * 4 + [2])
    for found in (dbcv(rows, label), silhouette(rows, label, min_samples=2)):
        assert np.isfinite(found).all()
        assert found[0] > 0.9


def test_without_another_pattern_there_is_nothing_to_say():
    rows = np.random.default_rng(0).normal(size=(6, 2))
    for measure in (dbcv, silhouette):
        assert np.isnan(measure(rows, np.zeros(6, int))).all()
        assert measure(rows, np.full(6, NOISE)).shape == (0,)
