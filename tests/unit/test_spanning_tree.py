"""The spanning tree against hdbscan's own and against itself under every way of computing it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from torch import Tensor

from nap_core.configs import METRICS
from nap_core.geometry import lists, search
from nap_core.geometry.cells import cells, centers
from nap_core.geometry.half_precision import HalfPrecision
from nap_core.geometry.neighbors import nearest, nearest_among, pairwise
from nap_core.geometry.ordering import distinct_rows
from nap_core.geometry.products import Rows
from nap_core.geometry.spanning_tree import grown_tree, spanning_tree
from nap_core.types import Float


def blobs(n: int = 240, n_features: int = 20, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (
        random.normal(size=(n, n_features)) + 4 * random.normal(size=(8, n_features))[random.integers(8, size=n)]
    ) + 50


def hdbscan_weights(values: np.ndarray, min_samples: int, metric: str) -> np.ndarray:
    from hdbscan import HDBSCAN

    fitted = HDBSCAN(
        min_samples=min_samples, metric=metric, algorithm="generic", gen_min_span_tree=True, approx_min_span_tree=False
    ).fit(values.astype(np.float64))
    return np.sort(fitted.minimum_spanning_tree_.to_numpy()[:, 2])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("min_samples", [1, 5, 20])
def test_weights_are_hdbscans(metric, min_samples):
    values = blobs().astype(np.float32)
    edge, weight = spanning_tree(values, min_samples, metric)
    np.testing.assert_allclose(weight, hdbscan_weights(values, min_samples, metric), rtol=1e-5)
    assert len(edge) == len(values) - 1


def prim(values: np.ndarray, min_samples: int, metric: str) -> tuple[set[tuple[int, int]], np.ndarray]:
    """The tree from all distances at once, in the same strict order."""
    matrix = pairwise(values, metric)
    apart = np.sort(np.where(np.eye(len(values), dtype=bool), np.inf, matrix), axis=1)
    core = apart[:, min(min_samples, len(values) - 1) - 1]
    edge = np.sort(grown_tree(matrix, core), axis=1)
    weight = np.maximum(matrix[edge[:, 0], edge[:, 1]], core[edge].max(axis=1))
    return {(int(a), int(b)) for a, b in edge}, np.sort(weight)


def tables() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "groups": blobs(700),
        "one group": random.normal(size=(600, 30)),
        "plane": random.normal(size=(600, 2)),
        "unlike densities": np.concatenate(
            [random.normal(size=(200, 8)) * 0.01, random.normal(size=(200, 8)) + 3, random.normal(size=(100, 8)) * 20]
        ),
        "grid": np.stack(np.meshgrid(*[np.arange(8.0)] * 3), axis=-1).reshape(-1, 3),
        "on or off": np.unique(random.random((700, 12)) < 0.3, axis=0).astype(float),
        "two": random.normal(size=(2, 3)),
        "three": random.normal(size=(3, 3)),
    }


@pytest.mark.parametrize(
    ("fewest", "is_rough"), [(1, False), (1, True), (10**9, False)], ids=["cells", "half precision", "no cells"]
)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", tables())
def test_it_is_the_tree_of_all_distances(name, metric, fewest, is_rough, monkeypatch):
    monkeypatch.setattr(search, "FEWEST", fewest)
    monkeypatch.setattr(search, "is_fast", lambda: is_rough)
    values = tables()[name]
    for min_samples in (1, 7):
        expected, weight = prim(values, min_samples, metric)
        edge, weight_again = spanning_tree(values, min_samples, metric)
        assert {(int(a), int(b)) for a, b in edge} == expected
        np.testing.assert_allclose(weight_again, weight, rtol=1e-6)


def test_ties_on_a_grid_weigh_what_hdbscan_says():
    values = tables()["grid"]
    for min_samples in (1, 4):
        _, weight = spanning_tree(values, min_samples)
        np.testing.assert_allclose(weight, hdbscan_weights(values, min_samples, "euclidean"), rtol=1e-6)


@pytest.mark.parametrize("fewest", [1, 10**9], ids=["cells", "no cells"])
@pytest.mark.parametrize("min_samples", [1, 3, 8])
def test_copies_count_as_neighbours(min_samples, fewest, monkeypatch):
    monkeypatch.setattr(search, "FEWEST", fewest)
    random = np.random.default_rng(3)
    values = blobs(60, 5)[random.integers(60, size=200)]
    first, group, _ = distinct_rows(values)
    edge, weight = spanning_tree(values[first], min_samples, group=group)
    np.testing.assert_allclose(weight, hdbscan_weights(values, min_samples, "euclidean"), rtol=1e-5, atol=1e-5)
    assert len(np.unique(edge)) == len(values)


def test_single_and_double_precision_agree_far_from_the_origin():
    values = blobs(500, 40).astype(np.float32) + np.float32(200)
    edge, weight = spanning_tree(values, 5)
    again, weight_again = spanning_tree(values.astype(np.float64), 5)
    np.testing.assert_array_equal(edge, again)
    np.testing.assert_allclose(weight, weight_again, rtol=1e-6)


@pytest.mark.parametrize("side", [3, 4, 12])
def test_one_cell_or_many_are_each_looked_at_once(side, monkeypatch):
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3).astype(np.float32)
    edge, weight = spanning_tree(grid, 12)
    monkeypatch.setattr(search, "FEWEST", 1)
    with_cells = spanning_tree(grid, 12)
    np.testing.assert_array_equal(edge, with_cells[0])
    np.testing.assert_array_equal(weight, with_cells[1])


@pytest.mark.filterwarnings("error")
def test_read_only_rows_are_taken_without_a_warning():
    values = blobs()
    edge, weight = spanning_tree(values.copy())
    values.setflags(write=False)
    same = spanning_tree(values)
    np.testing.assert_array_equal(edge, same[0])
    np.testing.assert_array_equal(weight, same[1])


def test_one_place_for_all():
    edge, weight = spanning_tree(np.zeros((1, 3)), 5, group=np.zeros(6, np.int64))
    np.testing.assert_array_equal(edge, [[0, k] for k in range(1, 6)])
    assert (weight == 0).all()


def test_nearly_equal_rows_keep_their_distance():
    values = np.full((4, 3), 1000.0)
    values[1, 0] += 1e-4
    values[2:, 1] += 5.0
    values[3, 2] += 1e-3
    _, weight = spanning_tree(values, 1)
    np.testing.assert_allclose(weight[:2], [1e-4, 1e-3], rtol=1e-3)


def test_neighbours_are_exact_however_they_are_found():
    values = blobs(90, 7)
    apart = np.linalg.norm(values[:, None] - values[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    index, distance = nearest(values, 6)
    np.testing.assert_array_equal(index, np.argsort(apart, axis=1)[:, :6])
    np.testing.assert_allclose(distance, np.sort(apart, axis=1)[:, :6], rtol=1e-5)
    among, _ = nearest_among(values, np.arange(10), np.arange(50, 90), 3)
    np.testing.assert_array_equal(among, 50 + np.argsort(apart[:10, 50:], axis=1)[:, :3])


@pytest.mark.parametrize("shape", ["groups", "one direction", "few large", "copied columns", "tiny", "integers"])
def test_half_precision_is_wrong_by_no_more_than_it_says(shape):
    random = np.random.default_rng(3)
    values = {
        "groups": lambda: blobs(900, 96),
        "one direction": lambda: np.outer(random.normal(size=900), np.ones(70)) + 1e-3 * random.normal(size=(900, 70)),
        "few large": lambda: random.normal(size=(900, 40)) * (random.random((900, 40)) < 0.1) * 1e4,
        "copied columns": lambda: np.repeat(random.normal(size=(900, 2)), 128, axis=1),
        "tiny": lambda: 1e-12 * random.normal(size=(900, 33)),
        "integers": lambda: random.integers(0, 9, size=(900, 20)),
    }[shape]().astype(np.float32)
    found = Rows(values, on="cpu")
    order, begin, is_bounded = cells(found.product, found.half_there)
    rows = found.in_order(order, begin)
    center, _, apart, wrong = centers(rows, begin, is_bounded)
    half_precision = HalfPrecision(rows, begin, center, apart, wrong)
    true = cdist(values[order], values[order])
    some = np.sort(random.choice(900, 120, replace=False))

    def holds(found: tuple[Tensor, Float], columns: slice) -> bool:
        half, off = found[0].numpy(), found[1][:, None]
        return bool(
            ((rows.at_least(half, off) <= true[some, columns]) & (true[some, columns] <= rows.at_most(half, off))).all()
        )

    for cell in range(len(center)):
        inside = slice(begin[cell], begin[cell + 1])
        assert holds(half_precision.halves(some, cell), inside)
        assert holds(rows.halves(some, inside), inside)
        assert holds(rows.halves_around(center[cell], some, inside), inside)
    assert holds(half_precision.halves_to_all(some), slice(None))


def test_leaders_within_one_group_share_its_cell():
    random = np.random.default_rng(5)
    group = np.arange(2_400) % 6
    values = (9 * random.normal(size=(6, 64))[group] + random.normal(size=(2_400, 64))).astype(np.float32)
    rows = Rows(values, on="cpu")
    order, begin, is_bounded = cells(rows.product, rows.half_there)
    np.testing.assert_array_equal(np.sort(order), np.arange(2_400))
    assert is_bounded.all()
    assert sorted(np.diff(begin).tolist()) == [400] * 6
    assert all(len(np.unique(group[order[first:last]])) == 1 for first, last in itertools.pairwise(begin))


def test_small_groups_have_a_cell_each():
    random = np.random.default_rng(7)
    group = random.permutation(np.arange(6_000) % 150)
    values = (5 * random.normal(size=(150, 64))[group] + random.normal(size=(6_000, 64))).astype(np.float32)
    rows = Rows(values, on="cpu")
    order, begin, _ = cells(rows.product, rows.half_there)
    mixed = [len(np.unique(group[order[first:last]])) for first, last in itertools.pairwise(begin)]
    assert len(mixed) >= 150
    assert sum(kinds > 1 for kinds in mixed) <= 5


def test_rows_far_from_every_middle_cost_no_search_of_all(monkeypatch):
    """On a line the last rows of a cell are strays, and products say little of how far they are from others."""
    asked = []
    everything = lists._with_ties
    monkeypatch.setattr(lists, "_with_ties", lambda *given: asked.append(len(given[1])) or everything(*given))
    line = np.outer(np.random.default_rng(8).normal(size=4_000), np.ones(64)).astype(np.float32)
    found = search.Search(line, on="cpu")
    near, _ = found.nearest(11)
    place = np.argsort(np.argsort(line[found.number, 0], kind="stable"), kind="stable")
    assert np.abs(place[near] - place[:, None]).max() <= 11
    assert sum(asked) < 400


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_products_measure_what_differences_do(offset):
    random = np.random.default_rng(9)
    values = (offset + random.normal(size=(400, 37)) * 10.0 ** random.integers(-6, 3, size=(400, 1))).astype(np.float32)
    values[7] = values[8]
    rows = Rows(values, on="cpu").in_order(random.permutation(400), np.arange(0, 500, 100))
    first, second = np.divmod(np.arange(160_000), 400)
    by_products = rows._multiplied(first, second)
    sure = np.isfinite(by_products)
    assert sure[first // 100 == second // 100].mean() > 0.9
    assert not sure[first // 100 != second // 100].any()
    np.testing.assert_array_equal(by_products[sure], rows._measured(first[sure], second[sure]))


@pytest.mark.parametrize("metric", METRICS)
def test_a_distance_is_the_same_alone_and_among_many(metric):
    values = np.random.default_rng(6).normal(size=(300, 257)).astype(np.float32)
    rows = Rows(values, metric, on="cpu")
    first, second = np.divmod(np.arange(300 * 300), 300)
    many = rows.distance(first, second).reshape(300, 300)
    some = np.arange(0, 90_000, 7_919)
    assert [float(rows.distance(first[[k]], second[[k]])[0]) for k in some] == many.ravel()[some].tolist()
    np.testing.assert_array_equal(many, many.T)
    assert rows.distance(first[:0], second[:0]).shape == (0,)
