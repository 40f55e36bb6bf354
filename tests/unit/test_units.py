"""Units that set a pattern apart: against slow re-derivations, and what was planted is found."""

from __future__ import annotations

import numpy as np
from scipy import stats

from nap_core.patterns.units import strongest, unit_contrast


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    values, inside = random.normal(size=(120, 30)), np.arange(120) < 40
    values[inside, 7] += 3
    values[inside, 2] -= 2
    values[:, 11] = 0.5
    return values.astype(np.float32), inside


def test_planted_units_come_first():
    values, inside = planted()
    found = unit_contrast(values, inside)
    assert found.feature[:2].tolist() == [7, 2]
    assert found.effect[0] > 2
    assert found.effect[1] < -1
    assert (found.p[:2] < 1e-6).all()
    assert 11 not in found.feature


def test_figures_are_those_of_the_books():
    values, inside = planted(1)
    found = unit_contrast(values, inside, most=30)
    welch, varies = np.ones(30), np.arange(30) != 11
    welch[varies] = stats.ttest_ind(
        values[inside][:, varies].astype(float), values[~inside][:, varies].astype(float), equal_var=False
    ).pvalue
    np.testing.assert_allclose(found.p, stats.false_discovery_control(welch)[found.feature], rtol=1e-3)
    for row, feature in enumerate(found.feature):
        a, b = values[inside, feature], values[~inside, feature]
        pooled = np.sqrt((39 * a.var(ddof=1) + 79 * b.var(ddof=1)) / 118)
        np.testing.assert_allclose(found.effect[row], (a.mean() - b.mean()) / pooled, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(found.auroc[row], (a[:, None] > b[None]).mean(), rtol=1e-4)


def test_nothing_planted_nothing_significant():
    values = np.random.default_rng(3).normal(size=(200, 50))
    assert (unit_contrast(values, np.arange(200) < 60).p > 0.05).all()


def test_too_few_images():
    values, _ = planted()
    assert len(unit_contrast(values, np.arange(120) < 1).feature) == 0
    assert len(unit_contrast(values, np.ones(120, bool)).feature) == 0


def test_strongest_and_weakest():
    value = np.array([3.0, -1, 5, 5, 0])
    assert strongest(value, 3).tolist() == [2, 3, 0]
    assert strongest(value, 2, weakest=True).tolist() == [1, 4]
