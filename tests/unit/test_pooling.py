"""Pooling against a loop over every number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nap_core.activations.pooling import effective_pooling, n_features, pool, unit_of_feature
from nap_core.configs import POOLINGS
from nap_core.errors import UnknownNameError
from tests.oracles import pooled

MAPS = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
STATISTICS = {name: parts for name, parts in POOLINGS.items() if name not in ("none", "cls", "patch_mean")}


@pytest.mark.parametrize("pooling", STATISTICS)
@pytest.mark.parametrize("kind", ["conv", "token", "grid"])
def test_statistics_match_a_loop(pooling: str, kind: str) -> None:
    given = {"conv": MAPS, "token": MAPS.flatten(2).transpose(1, 2), "grid": MAPS.permute(0, 2, 3, 1)}[kind]
    expected = np.concatenate([pooled(MAPS, part) for part in STATISTICS[pooling]], 1)
    found = pool(given, "conv" if kind == "conv" else "token", pooling)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 7), (4, 5, 6), (4, 3, 5, 6)])
def test_places_of_one_and_three_dimensions(shape: tuple[int, ...]) -> None:
    values = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(pool(values, "conv", "mean").numpy(), pooled(values, "mean"), rtol=1e-5, atol=1e-6)


def test_class_token_and_the_others() -> None:
    tokens = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(pool(tokens, "token", "cls"), tokens[:, 0])
    assert torch.equal(pool(tokens, "token", "patch_mean"), tokens[:, 1:].mean(1))
    assert torch.equal(pool(tokens[:, :1], "token", "patch_mean"), tokens[:, 0])


@pytest.mark.parametrize("pooling", ["cls", "patch_mean"])
def test_layers_without_a_class_token_get_the_mean(pooling: str) -> None:
    assert effective_pooling("conv", pooling, 4) == effective_pooling("token", pooling, 4) == "mean"
    assert effective_pooling("token", pooling) == pooling
    assert torch.equal(pool(MAPS, "conv", pooling), pool(MAPS, "conv", "mean"))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_vectors_are_taken_as_they_are(pooling: str) -> None:
    values = torch.randn(3, 7)
    assert torch.equal(pool(values, "vector", pooling), values)
    assert effective_pooling("vector", pooling) == "none"


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(
    ("kind", "shape"), [("conv", (4, 5, 6)), ("token", (5, 4)), ("token", (5, 6, 4)), ("vector", (4,))]
)
def test_features_are_counted_and_know_their_unit(pooling: str, kind: str, shape: tuple[int, ...]) -> None:
    unit_axis = {"conv": 1, "token": len(shape), "vector": 1}[kind]
    values = torch.arange(4.0).reshape([4 if axis == unit_axis else 1 for axis in range(len(shape) + 1)])
    found = pool(values.expand(2, *shape), kind, pooling)
    unit = unit_of_feature(shape, kind, pooling)
    assert found.shape[1] == n_features(shape, kind, pooling) == len(unit)
    kept = slice(0, 4) if "std" in POOLINGS[pooling] and kind != "vector" else slice(None)  # the std of a constant is 0
    np.testing.assert_array_equal(found[0, kept].numpy(), unit[kept])


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("kind", ["conv", "token", "vector"])
def test_the_result_is_no_view(pooling: str, kind: str) -> None:
    values = torch.randn(2, 3) if kind == "vector" else torch.randn(2, 3, 1)
    found = pool(values, kind, pooling)
    before = found.clone()
    values.zero_()
    assert torch.equal(found, before)


def test_half_precision_is_pooled_in_full() -> None:
    values = torch.full((1, 1, 300, 300), 3.0, dtype=torch.float16)
    assert pool(values, "conv", "mean").item() == 3.0


def test_an_unknown_pooling_is_named() -> None:
    with pytest.raises(UnknownNameError, match="No pooling 'median'; there are mean"):
        pool(MAPS, "conv", "median")
