"""What sets a pattern apart: against slow and obvious counts, and on planted and empty data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nap_core.patterns.enrichment import category_traits, corrected, numeric_traits, traits
from nap_core.types import NOISE

RNG = np.random.default_rng(0)
LABEL = RNG.integers(-1, 4, 240).astype(np.int32)


def test_numbers_agree_with_counting_pairs_and_with_scipy():
    values = np.round(RNG.normal(size=240) + (LABEL == 2), 1)  # with ties
    for trait in numeric_traits(LABEL, 4, "x", values):
        inside, outside = values[trait.pattern == LABEL], values[trait.pattern != LABEL]
        steps = np.sign(inside[:, None] - outside[None, :])
        test = stats.mannwhitneyu(inside, outside, method="asymptotic")
        assert trait.effect == pytest.approx(steps.mean())
        assert trait.q == pytest.approx(test.pvalue)
        assert (trait.inside, trait.outside) == (np.median(inside), np.median(outside))


def test_categories_agree_with_fisher():
    values = np.where(RNG.random(240) < np.where(LABEL == 1, 0.7, 0.2), "wide", "narrow")
    found = category_traits(LABEL, 4, "lens", values.tolist())
    assert found
    for trait in found:
        inside, has = trait.pattern == LABEL, values == trait.category
        table = [[(inside & has).sum(), (inside & ~has).sum()], [(~inside & has).sum(), (~inside & ~has).sum()]]
        assert trait.q == pytest.approx(stats.fisher_exact(table, "greater").pvalue)
        assert trait.lift == pytest.approx(has[inside].mean() / has.mean())
        assert trait.effect == pytest.approx(has[inside].mean() - has[~inside].mean())


def test_correction_is_over_everything_asked():
    found = numeric_traits(LABEL, 4, "a", RNG.normal(size=240)) + numeric_traits(LABEL, 4, "b", RNG.normal(size=240))
    wanted = stats.false_discovery_control([one.q for one in found])
    by_name = {(one.name, one.pattern): one.q for one in corrected(found)}
    assert [by_name[one.name, one.pattern] for one in found] == pytest.approx(list(wanted))
    assert corrected([]) == []


def test_planted_differences_are_found_and_named():
    columns = {
        "brightness": RNG.normal(size=240) + 2.0 * (LABEL == 0),
        "camera": np.where((LABEL == 3) | (RNG.random(240) < 0.1), "old", "new"),
        "age": RNG.normal(size=240),
    }
    found = traits(LABEL, 4, columns)
    told = {(trait.pattern, trait.name, trait.category) for trait in found}
    assert (0, "brightness", "") in told
    assert (3, "camera", "old") in told
    assert not any(name == "age" for _, name, _ in told)
    words = {trait.pattern: trait.words for trait in found if trait.name != "age"}
    assert words[0].startswith("brighter than 9")
    assert "have camera old" in words[3]


def test_nothing_is_told_of_noise():
    columns = {f"c{i}": RNG.normal(size=2000) for i in range(20)}
    label = RNG.integers(0, 40, 2000).astype(np.int32)
    assert traits(label, 40, columns) == []


def test_unknown_values_do_not_count():
    values = RNG.normal(size=240)
    values[::3] = np.nan
    known = np.isfinite(values)
    half = numeric_traits(LABEL[known], 4, "x", values[known])
    assert numeric_traits(LABEL, 4, "x", values) == half
    names = np.where(known, "a", "")
    assert all(trait.category == "a" for trait in category_traits(LABEL, 4, "x", names.tolist()))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_little_to_say(n):
    label = np.zeros(n, np.int32)
    assert traits(label, 1, {"x": np.arange(n), "y": ["a"] * n}) == []


def test_all_values_equal_and_no_pattern():
    assert traits(LABEL, 4, {"x": np.ones(240)}) == []
    assert traits(np.full(240, NOISE, np.int32), 0, {"x": np.arange(240)}) == []
