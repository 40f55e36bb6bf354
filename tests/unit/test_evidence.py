"""Units, places, causes and robustness of patterns, against networks and tables whose truth was put there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nap_core.activations.layers import list_layers
from nap_core.activations.pooling import pool
from nap_core.configs import ClusterConfig
from nap_core.errors import ConfigError
from nap_core.explain.attributions import METHODS, agreement, grad_cam
from nap_core.explain.canvas import Canvas
from nap_core.explain.causes import causes, n_changed
from nap_core.explain.head import PatternHead
from nap_core.explain.places import can_be_placed, enlarged, place_maps
from nap_core.explain.robustness import LEVELS, attack, robustness
from nap_core.explain.space import PatternSpace, pattern_space
from nap_core.inputs.models import Network, load_model, network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.unit_rules import template, unit_rule
from nap_core.study import Study
from nap_core.study.evidence import pattern_causes, pattern_places, pattern_robustness, pattern_rule, pattern_template
from nap_core.types import Activations

SIDE = 8
CANVAS = Canvas((1, SIDE, SIDE), np.zeros(1), np.ones(1))

pytestmark = pytest.mark.usefixtures("one_thread")


class Corners(nn.Module):
    """Eight maps: in the first four, the picture under a window that is one quarter; four that say little."""

    def __init__(self, kind: str = "conv") -> None:
        super().__init__()
        window = torch.zeros(8, SIDE, SIDE)
        for unit in range(4):
            top, left = 4 * (unit // 2), 4 * (unit % 2)
            window[unit, top : top + 4, left : left + 4] = 1
        window[4:] = 0.01
        self.window, self.kind = nn.Parameter(window), kind
        self.look, self.head = nn.Identity(), nn.Linear(8, 4, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(4, 8) * 20)

    def forward(self, x: Tensor) -> Tensor:
        maps = x * self.window
        if self.kind == "token":
            tokens = self.look(maps.flatten(2).transpose(1, 2))
            return self.head(tokens.mean(1))
        return self.head(self.look(maps).mean((2, 3)))


def pictures(n: int = 160) -> np.ndarray:
    """[image, 1, 8, 8] with one bright quarter, which is the image's group."""
    rng = np.random.default_rng(0)
    made = rng.uniform(0.05, 0.15, (n, 1, SIDE, SIDE))
    for image in range(n):
        top, left = 4 * (image % 4 // 2), 4 * (image % 4 % 2)
        made[image, 0, top : top + 4, left : left + 4] += rng.uniform(0.3, 0.4)
    return made.astype(np.float32)


def build(config: ClusterConfig, kind: str = "conv") -> tuple[Network, PatternSpace, np.ndarray]:
    net = network(Corners(kind).eval(), Preprocessing(None, None, (0.0,), (1.0,), channels=1))
    x = torch.from_numpy(pictures())
    layer = {info.name: info for info in list_layers(net.module, x[:2])}["look"]
    with torch.no_grad():
        maps = x * net.module.window
        raw = maps.flatten(2).transpose(1, 2) if kind == "token" else maps
        values = pool(raw, layer.kind, "mean").numpy()
    activations = Activations("look", "mean", values, np.arange(8))
    patterns = find_patterns(activations, config)
    return net, pattern_space(layer, activations, patterns, config, "mean"), values


PLAIN = ClusterConfig(scaling="none", min_cluster_size=20)
ANGLES = ClusterConfig(scaling="none", center=True, row_l2=True, min_cluster_size=20)


def of_group(space: PatternSpace, group: int) -> int:
    return int(space.label[group])


@pytest.mark.parametrize("config", [PLAIN, ANGLES, ClusterConfig(scaling="zscore", min_cluster_size=20)])
@pytest.mark.parametrize("kind", ["conv", "token"])
def test_places_add_up_to_the_score(config: ClusterConfig, kind: str) -> None:
    net, space, _ = build(config, kind)
    assert space.layer.kind == kind
    for group in range(4):
        maps = place_maps(net, CANVAS, space, of_group(space, group), pictures()[:12])
        assert maps.error < 1e-5
        if config == PLAIN:
            own = maps.map[group]
            top, left = 4 * (group // 2), 4 * (group % 2)
            assert own[top : top + 4, left : left + 4].sum() > 0.99 * own.sum()


def test_grad_cam_of_the_head_is_the_map() -> None:
    net, space, _ = build(PLAIN)
    before = [(name, value.clone(), value.requires_grad) for name, value in net.module.named_parameters()]
    with PatternHead(net, CANVAS, space) as head:
        for pattern in range(space.n_patterns):
            cam = grad_cam(head, pattern, pictures()[:8])
            maps = place_maps(net, CANVAS, space, pattern, pictures()[:8])
            assert np.corrcoef(cam.ravel(), maps.map.ravel())[0, 1] > 0.99999
        with torch.no_grad():
            score = head(torch.from_numpy(pictures()))
    expected = (space.values - space.mean) @ space.direction.T
    np.testing.assert_allclose(score.numpy(), expected, atol=1e-5)
    for (name, value, asks), (_, after) in zip(before, net.module.named_parameters(), strict=True):
        assert torch.equal(value, after), name
        assert asks == after.requires_grad
    assert not net.module.look._forward_hooks


@pytest.mark.parametrize("name", METHODS)
def test_methods_that_know_nothing_of_patterns_find_the_same_quarter(name: str) -> None:
    net, space, _ = build(PLAIN)
    base = np.full((1, SIDE, SIDE), 0.1, np.float32)
    with PatternHead(net, CANVAS, space) as head:
        found = METHODS[name][1](head, of_group(space, 3), pictures()[3:4], base)
    assert found.shape == (1, SIDE, SIDE)
    assert found[0, 4:, 4:].sum() > 0.8 * found.sum()


def test_layers_without_places_say_why() -> None:
    net, space, _ = build(PLAIN)
    vector = PatternSpace(
        **{name: getattr(space, name) for name in space.__slots__}
        | {"layer": {info.name: info for info in list_layers(net.module, torch.rand(2, 1, 8, 8))}["head"]}
    )
    assert "plain vectors" in can_be_placed(vector)
    with pytest.raises(ConfigError, match="plain vectors"):
        place_maps(net, CANVAS, vector, 0, pictures()[:1])


def test_agreement_of_maps() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((3, 10, 10))
    np.testing.assert_array_equal(agreement(maps, 3 * maps + 1), 1)
    np.testing.assert_array_equal(agreement(maps, -maps), 0)
    chance = agreement(rng.random((200, 10, 10)), rng.random((200, 10, 10))).mean()
    assert 0.08 < chance < 0.14
    assert enlarged(np.ones((2, 4, 4), np.float32), (8, 8)).shape == (2, 8, 8)


def test_an_attack_stays_within_its_level_and_the_range() -> None:
    net, space, _ = build(PLAIN)
    start = torch.from_numpy(pictures()[:6])
    with PatternHead(net, CANVAS, space) as head:
        for level in (1 / 255, 0.3):
            moved = attack(head, start, of_group(space, 0), level)
            assert float((moved - start).abs().max()) <= level + 1e-6
            assert float(moved.min()) >= 0
            assert float(moved.max()) <= 1
            assert not torch.equal(moved, start)


def test_the_radius_is_where_the_bright_quarter_is_no_longer_brightest() -> None:
    """A quarter is .35 brighter than the others: half of that down and half up makes them equal."""
    net, space, _ = build(PLAIN)
    pattern, levels = of_group(space, 1), (0.05, 0.12, 0.25)
    told = robustness(net, CANVAS, space, pattern, pictures()[1:41:4], levels=levels)
    np.testing.assert_allclose(told.radius, 0.25)
    assert not told.moved[:, :2].any()
    assert (np.abs(told.picture - pictures()[1:41:4]).max(axis=(1, 2, 3)) <= 0.25 + 1e-6).all()
    assert (told.class_radius == 0.25).all()
    into = robustness(net, CANVAS, space, pattern, pictures()[1:9:4], into=of_group(space, 2), levels=levels)
    assert (into.moved[:, 2]).all()
    assert (into.prediction[:, 3] == 2).all()
    assert np.isinf(robustness(net, CANVAS, space, pattern, pictures()[1:2], levels=(1 / 255,)).radius).all()


def test_a_rule_of_two_units_is_found_and_judged_on_other_images() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(800, 30)).astype(np.float32)
    inside = np.arange(800) < 160
    values[inside, 17] += 3
    values[inside, 5] -= 3
    values[160:400, 17] += 3  # either alone is not enough
    values[400:640, 5] -= 3
    rule = unit_rule(values, inside)
    assert {(condition.feature, condition.is_high) for condition in rule.conditions} == {(17, True), (5, False)}
    assert rule.precision > 0.8
    assert rule.recall > 0.8
    assert rule.n_held_out == 80
    assert unit_rule(values, np.arange(800) < 3).conditions == ()


def test_units_without_meaning_make_a_rule_that_fails_on_other_images() -> None:
    rng = np.random.default_rng(1)
    rule = unit_rule(rng.normal(size=(400, 20)), np.arange(400) < 40)
    assert not rule.precision > 0.4


def test_a_template_of_units_that_agree() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 40)).astype(np.float32)
    inside = np.arange(400) < 60
    values[:60, :6] = 2 + 0.02 * rng.normal(size=(60, 6))
    found = template(values, inside, np.arange(6), tolerance=0.2)
    assert set(range(6)) <= set(found.feature.tolist())
    assert set(found.feature[:6].tolist()) == set(range(6))
    assert found.found > 0.9
    assert found.false < 0.05


def test_the_units_that_make_a_pattern_move_its_members_and_others_do_not() -> None:
    net, space, values = build(PLAIN)
    told = []
    for group in range(4):
        member, other = pictures()[group::4][:20], pictures()[(group + 1) % 4 :: 4][:20]
        levels = (values.mean(axis=0), values[group::4].mean(axis=0))
        told.append(causes(net, CANVAS, space, of_group(space, group), [0, 1, 2, 3], member, other, levels))
    assert sum(one.left for one in told) >= 3  # without their units all look alike, so one pattern gets them all
    assert all(one.joined == 1 for one in told)
    assert all(one.left_random == one.joined_random == one.answered_random == 0 for one in told)
    assert np.median([one.ratio for one in told]) > 3
    assert not net.module.look._forward_hooks
    with torch.no_grad():
        assert (net.module(torch.from_numpy(pictures()[2::4])).argmax(1) == 2).all()
    assert [n_changed(n) for n in (1, 16, 48, 512)] == [1, 4, 10, 10]


def test_evidence_of_a_study_is_kept(tmp_path) -> None:
    folder = tmp_path / "digits"
    shutil.copytree(Study.demo("digits").folder, folder)
    study, net = Study.open(folder), load_model("digits")
    pattern = int(study.patterns("stage3").size.argmax())
    assert pattern_rule(study, "stage3", pattern) == pattern_rule(study, "stage3", pattern)
    assert pattern_rule(study, "stage3", pattern).recall > 0.7
    assert pattern_template(study, "stage3", pattern).false < 0.2
    told = pattern_causes(study, net, "stage3", pattern)
    assert told == pattern_causes(study, net, "stage3", pattern)
    found = pattern_places(study, net, "stage2", int(study.patterns("stage2").size.argmax()))
    assert found.maps.error < 1e-5
    assert found.maps.map.shape == (6, 4, 4)
    assert set(found.agreement) == {"grad_cam", "gradients", "occlusion"}
    image, firm = pattern_robustness(study, net, "stage3", pattern)
    assert len(image) == len(firm.radius) == 16
    assert set(firm.level.tolist()) == {np.float32(level) for level in LEVELS}
    n_entries = len(list((folder / "results").glob("??/*")))
    pattern_robustness(study, net, "stage3", pattern)
    assert len(list((folder / "results").glob("??/*"))) == n_entries
