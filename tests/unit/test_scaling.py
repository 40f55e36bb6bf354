"""Scalings against their definitions, written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.configs import SCALINGS
from nap_core.geometry.scaling import is_vector_layer, scale


@pytest.fixture
def values() -> np.ndarray:
    table = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * [1, 10, 100, 0.1, 5, 0]
    return table.astype(np.float32)


UNIT = np.arange(6)


def test_unit_max_divides_each_column_by_its_largest_absolute_value(values):
    scaled = scale(values, UNIT, "mean", "unit_max")
    np.testing.assert_allclose(scaled[:, :5], values[:, :5] / np.abs(values[:, :5]).max(axis=0), rtol=1e-6)
    assert (scaled[:, 5] == 0).all()


def test_reference_divides_a_std_by_the_root_of_the_largest_mean(values):
    scaled = scale(values, np.arange(6) % 3, "mean_std", "reference")
    largest = np.abs(values[:, :3]).max(axis=0)
    np.testing.assert_allclose(scaled[:, :3], values[:, :3] / largest, rtol=1e-6)
    np.testing.assert_allclose(scaled[:, 3:], values[:, 3:] / np.sqrt(largest), rtol=1e-6)


def test_reference_divides_a_vector_layer_by_one_scalar(values):
    assert is_vector_layer(UNIT, "none")
    assert not is_vector_layer(UNIT // 2, "none")
    assert not is_vector_layer(UNIT, "mean")
    np.testing.assert_allclose(scale(values, UNIT, "none", "reference"), values / np.abs(values).max(), rtol=1e-6)


def test_p99_is_clipped_and_not_ruled_by_one_image(values):
    values[0, 0] = 1e6
    scaled = scale(values, UNIT, "mean", "p99")
    assert np.abs(scaled).max() == 1.0
    assert np.abs(scaled[1:, 0]).max() < 1e-3 or np.isfinite(scaled).all()


def test_zscore_has_mean_0_and_deviation_1(values):
    scaled = scale(values, UNIT, "mean", "zscore")
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 1, 1, 1, 0], atol=1e-5)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_centre_and_row_length_come_last_and_in_this_order(values, scaling):
    values[3] = values.mean(axis=0)
    scaled = scale(values, UNIT, "mean", scaling)
    whole = scale(values, UNIT, "mean", scaling, center=True, row_l2=True)
    by_hand = scaled - scaled.mean(axis=0, dtype=np.float64)
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    np.testing.assert_allclose(whole, by_hand, atol=1e-5)
    assert whole.dtype == np.float32


@pytest.mark.parametrize("scaling", SCALINGS)
def test_equal_images_give_finite_values(scaling):
    for constant in (0.0, 3.0):
        scaled = scale(np.full((7, 4), constant, np.float32), np.arange(4), "mean", scaling, center=True, row_l2=True)
        assert np.isfinite(scaled).all()


def test_the_argument_is_left_alone(values):
    before = values.copy()
    scale(values, UNIT, "mean", "p99", center=True, row_l2=True)
    np.testing.assert_array_equal(values, before)
