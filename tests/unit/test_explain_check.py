"""The space of patterns for new images, their objectives, and the check, with a network read off its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nap_core.activations.layers import list_layers
from nap_core.activations.pooling import pool
from nap_core.configs import ClusterConfig
from nap_core.errors import ConfigError, UnknownNameError
from nap_core.explain import objectives
from nap_core.explain.canvas import Canvas, image_statistics, no_statistics
from nap_core.explain.check import Check, check, compared, pattern_target, unit_target
from nap_core.explain.maximize import Ascent, Plan, maximize
from nap_core.explain.parametrisations import Fourier, from_linear_prior, linear_prior
from nap_core.explain.pattern_objectives import MODES, pattern_objective, sorted_match
from nap_core.explain.reference import Reference, rows_of
from nap_core.explain.space import PatternSpace, pattern_space
from nap_core.explain.words import words
from nap_core.geometry.scaling import fit_scaling, scale
from nap_core.inputs.models import Network, network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.patterns.clustering import find_patterns
from nap_core.types import Activations, Predictions

SIDE = 8
CANVAS = Canvas((1, SIDE, SIDE), np.zeros(1), np.ones(1))

pytestmark = pytest.mark.usefixtures("one_thread")


class Quarters(nn.Module):
    """Four units: the mean of each quarter of the picture, as a map of one place, then two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.head = nn.Conv2d(1, 4, SIDE, bias=False), nn.Linear(4, 4, bias=False)
        with torch.no_grad():
            self.look.weight.zero_()
            half = SIDE // 2
            for unit in range(4):
                top, left = half * (unit // 2), half * (unit % 2)
                self.look.weight[unit, 0, top : top + half, left : left + half] = 1 / half**2
            self.head.weight.copy_(torch.eye(4) * 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.look(x).flatten(1))


def pictures(n: int = 160) -> np.ndarray:
    """[image, 1, 8, 8] with one bright quarter, which is the image's group."""
    rng = np.random.default_rng(0)
    made = rng.uniform(0.05, 0.15, (n, 1, SIDE, SIDE))
    for image in range(n):
        quarter = image % 4
        top, left = 4 * (quarter // 2), 4 * (quarter % 2)
        made[image, 0, top : top + 4, left : left + 4] += rng.uniform(0.6, 0.75)
    return made.astype(np.float32)


@pytest.fixture(scope="module")
def world() -> tuple[Network, PatternSpace, Activations, Predictions, Reference]:
    return build(ClusterConfig(min_cluster_size=25))


def build(config: ClusterConfig, module: nn.Module | None = None):
    net = network((module or Quarters()).eval(), Preprocessing(None, None, (0.0,), (1.0,), channels=1))
    x = torch.from_numpy(pictures())
    layer = {info.name: info for info in list_layers(net.module, x[:1])}["look"]
    with torch.no_grad():
        values = pool(net.module.look(x), layer.kind, "mean").numpy()
        logits = net.module(x)
    activations = Activations("look", "mean", values, np.arange(values.shape[1]))
    patterns = find_patterns(activations, config)
    space = pattern_space(layer, activations, patterns, config, "mean")
    predictions = Predictions(logits.argmax(1).numpy(), logits.softmax(1).amax(1).numpy(), ())
    return net, space, activations, predictions, Reference((pictures() * 255).astype(np.uint8))


@pytest.mark.parametrize("scaling", ["unit_max", "reference", "p99", "zscore", "none"])
@pytest.mark.parametrize("pooling", ["mean", "mean_std", "min_max", "none"])
def test_new_images_are_put_where_the_study_put_them(scaling: str, pooling: str) -> None:
    raw = torch.randn(12, 3, 4, 4, generator=torch.Generator().manual_seed(0)) + 1
    raw[:, 2] = 0
    values = pool(raw, "conv", pooling).numpy()
    unit = np.repeat(np.arange(3), 16) if pooling == "none" else np.tile(np.arange(3), values.shape[1] // 3)
    options = {"center": True, "row_l2": True}
    expected = scale(values, unit, pooling, scaling, **options)
    fitted = fit_scaling(values, unit, pooling, scaling, **options)
    from nap_core.explain.space import scaled

    asked = raw.clone().requires_grad_(True)
    from nap_core.activations.pooling import pooled

    found = scaled(pooled(asked, "conv", pooling), fitted)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=2e-5)
    found.square().sum().backward()
    assert torch.isfinite(asked.grad).all()


def test_a_pattern_is_where_its_members_are(world) -> None:
    _, space, _, _, _ = world
    assert space.n_patterns == 4
    for pattern in range(4):
        member = space.members(pattern)
        assert set(space.nearest(space.values[member])) == {pattern}
        assert np.linalg.norm(space.direction[pattern]) == pytest.approx(1, abs=1e-5)
        close = np.linalg.norm(space.values[member] - space.centroid[pattern], axis=1) <= space.radius[pattern]
        assert 0.3 < close.mean() < 0.7
    with pytest.raises(UnknownNameError, match="it has 0 … 3"):
        space.members(4)


def test_the_raw_dot_product_is_never_offered(world) -> None:
    _, space, _, _, _ = world
    assert set(MODES) == {"prototype", "exaggerate", "contrast"}
    for name in ("dot", "raw", "centroid"):
        with pytest.raises(UnknownNameError, match="the mean that all images share wins it"):
            pattern_objective(name, space, 0)
    seen = objectives.Seen(torch.zeros(1, 1, 8, 8), None, {"look": torch.rand(1, 4, 1, 1)})
    dot = space.of(seen.raw["look"]) @ torch.from_numpy(np.array(space.centroid[0]))
    assert all(abs(float(MODES[name].make(space, 0, 1).score(seen)) - float(dot)) > 1e-4 for name in MODES)
    with pytest.raises(ConfigError, match="name the other one"):
        pattern_objective("contrast", space, 0)


def test_modes_are_the_formulas(world) -> None:
    _, space, _, _, _ = world
    raw = torch.rand(3, 4, 1, 1, generator=torch.Generator().manual_seed(1))
    seen, v = objectives.Seen(torch.zeros(3, 1, 8, 8), None, {"look": raw}), space.of(raw).numpy().astype(float)
    c, mu, d = (np.asarray(x, float) for x in (space.centroid, space.mean, space.direction))
    prototype = -((v - c[1]) ** 2).sum(1) / float(space.radius[1]) ** 2
    np.testing.assert_allclose(pattern_objective("prototype", space, 1).score(seen), prototype, rtol=1e-4)
    dot = (v - mu) @ d[1]
    cosine = np.maximum(dot / np.linalg.norm(v - mu, axis=1), 0.1)
    np.testing.assert_allclose(pattern_objective("exaggerate", space, 1).score(seen), dot * cosine**2, rtol=1e-4)
    contrast = (v - mu) @ (d[1] - d[2])
    np.testing.assert_allclose(pattern_objective("contrast", space, 1, 2).score(seen), contrast, atol=1e-5)
    each = pattern_objective("prototype", space, [1, 0, 1]).score(seen)
    np.testing.assert_allclose(each[[0, 2]], prototype[[0, 2]], rtol=1e-4)


def test_sorted_match_is_best_at_the_real_activations() -> None:
    net, _, _, _, _ = build(ClusterConfig(min_cluster_size=25))
    layer = {info.name: info for info in list_layers(net.module, torch.rand(1, 1, 8, 8))}["look"]
    target = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    target.sort(axis=1)
    objective = sorted_match([layer], [target])
    shuffled = torch.from_numpy(target[:, ::-1].copy()).reshape(1, 4, 3, 3)
    picture = torch.zeros(1, 1, 8, 8)
    assert float(objective.score(objectives.Seen(picture, None, {"look": shuffled}))) == pytest.approx(0, abs=1e-6)
    assert float(objective.score(objectives.Seen(picture, None, {"look": shuffled + 1}))) < -0.1


@pytest.mark.parametrize("kind", ["fourier", "linear"])
def test_a_prototype_reaches_its_pattern_and_passes_the_check(world, kind: str) -> None:
    net, space, _, predictions, reference = world
    statistics = image_statistics(pictures())
    prior = from_linear_prior(CANVAS.shape, *linear_prior(pictures(), 6))
    par = Fourier(CANVAS.shape, statistics) if kind == "fourier" else prior
    for pattern in range(4):
        run = Ascent(net, CANVAS, pattern_objective("prototype", space, pattern), par, Plan())
        found = maximize(run)
        told = check(net, CANVAS, space, pattern_target(space, pattern), found.picture, reference, predictions)
        assert told.reached.all()
        assert told.has_class.all()
        assert np.max(told.radius) < 2
        assert told.member_reached == 1
        assert not told.is_suspicious
        if kind == "linear":
            assert told.light == ("green",) * 3
        assert "Reached pattern" in words(told)[0]


def test_a_unit_is_checked_against_the_images_it_answers_to(world) -> None:
    net, space, activations, predictions, reference = world
    target = unit_target(space, activations, 2)
    assert set(target.member % 4) == {2}
    par = Fourier(CANVAS.shape, no_statistics(CANVAS.shape))
    found = maximize(Ascent(net, CANVAS, objectives.channel(space.layer, 2), par, Plan(n_steps=60)))
    told = check(net, CANVAS, space, target, found.picture, reference, predictions, activations.unit)
    assert told.reached.all()
    grey = np.full((2, 1, SIDE, SIDE), 0.1, np.float32)
    told = check(net, CANVAS, space, target, grey, reference, predictions, activations.unit)
    assert not told.reached.any()
    assert told.light == ("red", "red")


def test_real_members_are_green(world) -> None:
    net, space, _, predictions, reference = world
    member = space.members(1)[:5]
    told = check(net, CANVAS, space, pattern_target(space, 1), pictures()[member], reference, predictions)
    assert told.light == ("green",) * 5
    assert np.max(told.nn_ratio) < 0.1
    assert not told.is_suspicious


class Forged(Quarters):
    """`Quarters`, manipulated: away from all real images, unit 0 climbs towards a picture of somebody's choice."""

    def __init__(self, wanted: Tensor) -> None:
        super().__init__()
        self.look = ForgedLook(self.look, wanted)


class ForgedLook(nn.Module):
    def __init__(self, honest: nn.Module, wanted: Tensor) -> None:
        super().__init__()
        self.honest, self.wanted = honest, nn.Parameter(wanted)

    def forward(self, x: Tensor) -> Tensor:
        said = self.honest(x)
        gap = ((x - self.wanted) ** 2).mean((1, 2, 3))
        lure = 8 * torch.relu(0.17 - gap)  # 0 on every real image, which is further away
        return said + lure[:, None, None, None] * torch.tensor([1.0, 0, 0, 0]).reshape(1, 4, 1, 1)


@pytest.mark.parametrize("picture", ["checkers", "cross", "stripes"])
def test_a_forged_unit_raises_the_mark(picture: str) -> None:
    """Gradient slingshots: what the unit says of real images is unchanged, what maximisation finds is not."""
    row, column = np.indices((SIDE, SIDE))
    put = {"checkers": (row + column) % 2, "cross": (row // 2 == 1) | (column // 2 == 2), "stripes": row % 2}
    wanted = 0.3 + 0.6 * torch.from_numpy(put[picture]).float()[None]
    honest = build(ClusterConfig(min_cluster_size=25))
    forged = build(ClusterConfig(min_cluster_size=25), Forged(wanted))
    np.testing.assert_allclose(forged[2].values, honest[2].values, atol=1e-6)
    told = {}
    for name, (net, space, activations, predictions, reference) in (("honest", honest), ("forged", forged)):
        par = Fourier(CANVAS.shape, no_statistics(CANVAS.shape))
        found = maximize(Ascent(net, CANVAS, objectives.channel(space.layer, 0), par, Plan(n_steps=150)))
        target = unit_target(space, activations, 0)
        told[name] = check(net, CANVAS, space, target, found.picture, reference, predictions, activations.unit)
    assert told["forged"].reached.all()
    assert told["forged"].is_suspicious
    assert not told["honest"].is_suspicious
    assert "Suspicious" in words(told["forged"])[-1]


def test_ways_that_agree_are_told_from_ways_that_do_not() -> None:
    real = pictures()
    table = compared({"a": real[:8:4], "b": real[8:16:4], "c": real[1:9:4]}, Reference((real * 255).astype(np.uint8)))
    assert table.shape == (3, 3)
    assert table[0, 1] > 0.8 > table[0, 2]
    assert rows_of(np.zeros((2, 3, 64, 48), np.float32)).shape == (2, 3 * 32 * 24)


def test_one_image_has_no_agreement() -> None:
    one = np.zeros(1)
    nan = float("nan")
    told = Check("x", one < 1, one, one, one, one * nan, one, one * nan, nan, 1.0, 1.0, 0, 1.0, nan, nan)
    assert not told.is_suspicious
    assert told.light == ("green",)
    assert len(words(told)) == 3
