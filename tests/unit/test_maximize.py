"""The engine of synthetic images, against what can be worked out by hand, on networks of a few weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nap_core.activations.layers import list_layers
from nap_core.errors import ConfigError, SilentUnitError, UnknownNameError
from nap_core.explain import autoencoder, objectives
from nap_core.explain.autoencoder import Training, generator, train_generator
from nap_core.explain.canvas import Canvas, canvas, falling, image_statistics, no_statistics
from nap_core.explain.maximize import Ascent, Plan, maximize
from nap_core.explain.parametrisations import (
    PULL,
    Fourier,
    Maco,
    Pixel,
    from_linear_prior,
    linear_prior,
    parametrisation,
)
from nap_core.explain.transforms import Transforms, octave, suggested
from nap_core.inputs.models import Network, network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.types import LayerInfo

SHAPE = (1, 6, 6)
PLAIN = Preprocessing(None, None, (0.0,), (1.0,), channels=1)

pytestmark = pytest.mark.usefixtures("one_thread")


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.flat, self.fc = nn.Flatten(), nn.Linear(36, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flat(x))


class Small(nn.Module):
    """A convolution, an in-place ReLU, and a unit (3) that nothing reaches."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(channels, 4, 3), nn.ReLU(inplace=True), nn.Linear(4, 3)
        with torch.no_grad():
            self.conv.weight[3] = 0
            self.conv.bias[3] = -1

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(x)).mean((2, 3)))


def made(kind: type[nn.Module], *given: int) -> Network:
    torch.manual_seed(0)
    return network(kind(*given).eval(), PLAIN)


def layer(net: Network, name: str, shape: tuple[int, ...] = SHAPE) -> LayerInfo:
    found = {info.name: info for info in list_layers(net.module, torch.rand(1, *shape))}
    return found[name]


def blank(shape: tuple[int, ...] = SHAPE) -> Canvas:
    return Canvas(shape, np.zeros(shape[0]), np.ones(shape[0]))


def ascent(net: Network, objective: objectives.Objective, par=None, **plan) -> Ascent:
    shape = SHAPE if par is None else par.shape
    plan = {"n_steps": 12, "seeds": (0, 1)} | plan
    return Ascent(net, blank(shape), objective, par or Pixel(shape), Plan(**plan))


def test_a_linear_unit_finds_its_own_weights() -> None:
    net = made(Linear)
    grey = torch.full((1, *SHAPE), 0.5)
    objective = objectives.channel(layer(net, "fc"), 2) + 20.0 * objectives.near(grey)
    found = maximize(ascent(net, objective, Pixel(SHAPE, grey), n_steps=200))
    weight = net.module.fc.weight[2].detach().numpy()
    for picture in found.picture:
        step = picture.ravel() - 0.5
        assert step @ weight / np.linalg.norm(step) / np.linalg.norm(weight) > 0.99


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 7, 5), (4, 5, 8), (2, 9), (1, 8)])
@pytest.mark.parametrize("name", ["pixel", "fourier", "maco"])
def test_every_parametrisation_fits_every_shape_and_climbs(name: str, shape: tuple[int, ...]) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2))
    net = network(module.eval(), PLAIN)
    par = parametrisation(name, shape, no_statistics(shape))
    target = objectives.channel(LayerInfo("1", "Linear", (2,), 0, "vector"), 1)
    found = maximize(Ascent(net, blank(shape), target, par, Plan(n_steps=15, seeds=(3,))))
    assert found.picture.shape == (1, *shape)
    assert 0 <= found.picture.min() <= found.picture.max() <= 1
    assert found.score[0] > found.history[0, 0]


def test_the_spectrum_of_fourier_is_that_of_a_slow_transform() -> None:
    fall = falling((5, 6))
    assert fall.shape == (5, 4)
    for i in range(5):
        for j in range(4):
            f = np.hypot(min(i, 5 - i) / 5, j / 6)
            np.testing.assert_allclose(fall[i, j], 1 / max(f, 1 / 6))
    assert falling((9,)).shape == (5,)


def test_fourier_and_maco_start_like_the_data() -> None:
    pictures = np.random.default_rng(0).uniform(0.2, 0.8, (50, 3, 8, 7))
    pictures[:, 1] = pictures[:, 0] * 0.5 + 0.1
    statistics = image_statistics(pictures)
    random = [torch.Generator().manual_seed(0)]
    par = Fourier((3, 8, 7), statistics)
    starts = par.picture(par.start([torch.Generator().manual_seed(seed) for seed in range(300)])).numpy()
    assert np.abs(starts.mean(0) - pictures.mean(0)).max() < 0.05
    assert starts.std(0).min() > 0.02
    base = torch.from_numpy(pictures[:1]).float()
    edited = Fourier((3, 8, 7), statistics, base)
    assert (edited.picture(edited.start(random)) - base).abs().max() < 0.02
    maco = Maco((3, 8, 7), statistics)
    drawn = maco.picture(maco.start(random))[0].numpy()
    assert abs(drawn.std() / pictures.std() - 1) < 0.35


def test_the_same_seed_gives_the_same_image_and_no_other_does() -> None:
    net = made(Small)
    target = objectives.channel(layer(net, "conv"), 1)
    moving = Transforms(jitter=0.1, scale=0.1, rotate=10, noise=0.05, colour=0.05, copies=2)
    state = torch.get_rng_state()
    one, two = (maximize(ascent(net, target, transforms=moving, seeds=(5, 6))) for _ in range(2))
    np.testing.assert_array_equal(one.picture, two.picture)
    assert np.abs(one.picture[0] - one.picture[1]).max() > 0
    torch.testing.assert_close(torch.get_rng_state(), state)


def test_stopping_and_going_on_ends_in_the_same_image() -> None:
    net = made(Small)
    run = ascent(net, objectives.channel(layer(net, "conv"), 1), transforms=Transforms(noise=0.1))
    whole, kept, told = maximize(run), [], []
    maximize(
        run, watch=lambda moment: kept.append(moment) or moment.n_done == 5, progress=lambda *now: told.append(now)
    )
    assert told == [(step, 12) for step in range(1, 6)]
    again = maximize(run, after=kept[-1])
    np.testing.assert_array_equal(again.picture, whole.picture)
    np.testing.assert_array_equal(again.history, whole.history)
    assert run.picture(kept[0]).shape == (2, *SHAPE)


def test_the_network_is_left_as_it_was() -> None:
    net = made(Small)
    net.module.train()
    net.module.head.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    asks = {name: parameter.requires_grad for name, parameter in net.module.named_parameters()}
    maximize(ascent(net, objectives.logit(1)))
    with pytest.raises(SilentUnitError):
        maximize(ascent(net, objectives.channel(layer(net, "relu"), 3)))
    with pytest.raises(KeyboardInterrupt):
        maximize(ascent(net, objectives.logit(1)), progress=_interrupt)
    for name, value in net.module.state_dict().items():
        torch.testing.assert_close(value, before[name])
    assert {name: parameter.requires_grad for name, parameter in net.module.named_parameters()} == asks
    assert all(parameter.grad is None for parameter in net.module.parameters())
    assert net.module.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.module.modules())


def _interrupt(done: int, total: int) -> None:
    raise KeyboardInterrupt


class Late(nn.Module):
    """Two ReLUs of the mean: one always on, one that only bright pictures reach, and no start."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.fc, self.relu = nn.Flatten(), nn.Linear(36, 2), nn.ReLU()
        with torch.no_grad():
            self.fc.weight.fill_(1 / 36)
            self.fc.bias.copy_(torch.tensor([0.0, -0.75]))

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.fc(self.flat(x)))


def test_a_unit_that_is_off_at_every_start_is_woken() -> None:
    net = made(Late)
    unit = layer(net, "relu")
    run = ascent(net, objectives.channel(unit, 1), n_steps=60)
    with pytest.raises(SilentUnitError):
        maximize(run)
    found = maximize(replace(run, waking=objectives.channel(unit, 0)))
    assert (found.history[0] > 0).all()
    assert (found.score > 0.1).all()
    np.testing.assert_array_equal(found.picture, maximize(replace(run, waking=objectives.channel(unit, 0))).picture)


def test_a_silent_unit_is_said_and_not_drawn() -> None:
    net = made(Small)
    with pytest.raises(SilentUnitError, match="Nothing in the picture changes 'channel 3 of relu'"):
        maximize(ascent(net, objectives.channel(layer(net, "relu"), 3)))


def test_objectives_read_what_their_names_say() -> None:
    net = made(Small)
    x = torch.rand(2, *SHAPE)
    conv, head = layer(net, "conv"), layer(net, "head")
    with torch.no_grad():
        raw, logits = net.module.conv(x), net.module(x)
    from nap_core.explain.reading import reading

    def value(objective: objectives.Objective) -> Tensor:
        with reading(net, objective.layers, blank()) as read:
            return objective.score(read(x))

    torch.testing.assert_close(value(objectives.channel(conv, 2)), raw[:, 2].mean((1, 2)))
    torch.testing.assert_close(value(objectives.neuron(conv, 2)), raw[:, 2, 2, 2])
    torch.testing.assert_close(value(objectives.logit(1)), logits[:, 1])
    torch.testing.assert_close(value(objectives.channel(head, 1)), logits[:, 1])
    torch.testing.assert_close(value(2 * objectives.logit(1) - objectives.logit(0)), 2 * logits[:, 1] - logits[:, 0])
    direction = torch.tensor([1.0, 0, 0, 0])
    mean = raw.mean((2, 3))
    cosine = (mean[:, 0] / mean.norm(dim=1)).clamp_min(0.1)
    torch.testing.assert_close(value(objectives.direction(conv, direction.numpy())), mean[:, 0] * cosine**2)
    gram = torch.einsum("iup,ivp->iuv", raw.flatten(2), raw.flatten(2)).flatten(1)
    expected = -torch.cosine_similarity(gram[:1], gram[1:])
    torch.testing.assert_close(value(objectives.diversity(conv)), expected.expand(2))
    steps = x.diff(dim=2).abs().mean((1, 2, 3)) + x.diff(dim=3).abs().mean((1, 2, 3))
    torch.testing.assert_close(value(objectives.smooth()), -steps)


def test_tokens_and_patch_features() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.mlp = nn.Conv2d(1, 5, 3, 3), nn.Linear(5, 7)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.patch(x).flatten(2).transpose(1, 2)
            return self.mlp(torch.cat([tokens[:, :1] * 0, tokens], 1))[:, 0]

    net = made(Tokens)
    mlp, x = layer(net, "mlp"), torch.rand(2, *SHAPE)
    with torch.no_grad():
        raw = net.module.mlp(torch.cat([torch.zeros(2, 1, 5), net.module.patch(x).flatten(2).transpose(1, 2)], 1))
    seen = objectives.Seen(x, None, {"mlp": raw})
    torch.testing.assert_close(objectives.vit_feature(mlp, 4).score(seen), raw[:, 1:, 4].mean(1))
    torch.testing.assert_close(objectives.token(mlp, 4, 2).score(seen), raw[:, 2, 4])
    torch.testing.assert_close(objectives.neuron(mlp, 4).score(seen), raw[:, 4, 4])  # of a 2 × 2 grid behind the class
    with pytest.raises(UnknownNameError, match="it has 0 … 4"):
        objectives.token(mlp, 4, 5)
    with pytest.raises(ConfigError, match="no row of patch tokens"):
        objectives.vit_feature(layer(net, "patch"), 1)


def test_unknown_units_are_named() -> None:
    net = made(Small)
    with pytest.raises(UnknownNameError, match="it has 0 … 3"):
        objectives.channel(layer(net, "conv"), 4)
    with pytest.raises(UnknownNameError, match="this network has 0 … 2"):
        maximize(ascent(net, objectives.logit(3)))


def test_transforms_that_move_nothing_change_nothing() -> None:
    picture = torch.rand(2, 3, 9, 8)
    random = [torch.Generator().manual_seed(i) for i in range(2)]
    assert Transforms().apply(picture, random, 1.0) is picture
    assert Transforms(rotate=9.0, noise=0.1, quiet=0.25).apply(picture, random, 0.25) is picture
    assert Transforms(rotate=9.0, noise=0.1, quiet=0.25).apply(picture, random, 0.26) is not picture
    still = Transforms(rotate=1e-9, copies=2).apply(picture, random, 1.0)
    torch.testing.assert_close(still, picture.repeat(2, 1, 1, 1), atol=1e-5, rtol=0)
    assert not suggested((28, 28)).is_moving
    assert suggested((224, 224)).is_moving
    with pytest.raises(ConfigError):
        Transforms(jitter=0.9)


def test_octaves_go_from_coarse_to_fine() -> None:
    picture = torch.rand(1, 1, 16, 16)
    rough = [octave(picture, number, 3).diff(dim=3).abs().mean() for number in range(3)]
    assert rough[0] < rough[1] < rough[2]
    assert octave(picture, 2, 3) is picture
    net = made(Small)
    found = maximize(ascent(net, objectives.channel(layer(net, "conv"), 1), n_octaves=2))
    assert found.score.min() > found.history[0].max()


WHOLE = Training(n_codes=6, n_steps=200, batch_size=32)
BY_PLACE = Training(n_codes=2, coded_side=4, n_steps=200, n_alone=100, batch_size=32)


@pytest.mark.parametrize(("training", "n_codes"), [(WHOLE, 6), (BY_PLACE, 2 * 4 * 4)])
def test_a_generator_makes_pictures_like_the_data_and_keeps_its_weights(training: Training, n_codes: int) -> None:
    rng = np.random.default_rng(0)
    pictures = np.zeros((96, 1, 8, 8), np.float32)
    for picture in pictures:
        picture[0, :, rng.integers(1, 7)] = 0.9  # one upright line
    net = made(Small)
    layers = [layer(net, "conv", (1, 8, 8))]
    weights = train_generator(net, blank((1, 8, 8)), layers, pictures, training)
    again = train_generator(net, blank((1, 8, 8)), layers, pictures, training)
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    par = generator((1, 8, 8), training, weights)
    assert par.codes.shape == (96, n_codes) == (96, par.n_codes)
    copy = par.picture(par.codes).numpy()
    assert ((copy - pictures) ** 2).mean() < 0.7 * pictures.var(axis=0).mean()
    before = [value.clone() for value in par.module.state_dict().values()]
    run = Ascent(net, blank((1, 8, 8)), objectives.logit(0), par, Plan(n_steps=10, seeds=(0, 1)))
    found = maximize(run)
    assert found.picture.shape == (2, 1, 8, 8)
    assert all(torch.equal(a, b) for a, b in zip(before, par.module.state_dict().values(), strict=True))
    assert not any(parameter.requires_grad for parameter in par.module.parameters())


def test_a_training_that_was_broken_off_ends_in_the_same_weights(monkeypatch) -> None:
    monkeypatch.setattr(autoencoder, "_KEPT_EVERY", 4)
    pictures = np.random.default_rng(0).uniform(size=(70, 1, 7, 6)).astype(np.float32)
    net, there = made(Small), blank((1, 7, 6))
    training = Training(n_codes=5, coded_side=4, n_steps=14, n_alone=9, batch_size=16)
    asked = (net, there, [layer(net, "conv", (1, 7, 6))], pictures, training)
    whole, kept = train_generator(*asked), []

    def stop(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_generator(*asked, progress=stop, keep=lambda state: kept.append({n: a.copy() for n, a in state.items()}))
    assert [int(state["n_done"]) for state in kept] == [4, 8]
    told = []
    again = train_generator(*asked, progress=lambda *now: told.append(now), after=kept[-1])
    assert told[0] == (9, 14)
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def test_images_of_a_pattern_start_at_its_most_typical_members() -> None:
    codes = torch.zeros(12, 2)
    codes[:6] = torch.tensor([[1.0, 1], [1.1, 1], [1, 1.1], [0.9, 1], [1, 0.9], [3, 3]])
    par = replace(from_linear_prior((1, 2, 2), np.zeros(4, np.float32), np.ones((2, 4), np.float32)), codes=codes)
    home = par.at_home([np.arange(6), np.arange(6, 12)])
    start = home.start([torch.Generator().manual_seed(seed) for seed in (0, 1, 0, 1)])
    assert (start[:2] - 1).abs().max() < 0.2
    assert start[2:].abs().max() < 0.1
    away, flat = torch.tensor([[0.5, 1.0], [1.0, 0.5], [0.0, 0.0], [0.0, 0.0]]), torch.zeros(4, 2)
    nearest = torch.tensor([[0.9, 1.0], [1.0, 0.9], [0.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(home.moved(away, flat, 1.0), away.lerp(nearest, PULL))
    assert par.homes == ()


def test_the_published_rule_of_the_generator() -> None:
    par = from_linear_prior((1, 2, 2), np.zeros(4, np.float32), np.eye(4, dtype=np.float32))
    z, slope = torch.tensor([[0.0, 1.0, 2.9, -1.0]]), torch.tensor([[4.0, 0.0, 2.0, -2.0]])
    moved = par.moved(z, slope, 0.5)
    expected = 0.99 * (z + 0.15 * slope / 2).clamp(-3, 3)
    torch.testing.assert_close(moved, expected)


def test_a_linear_prior_spans_the_data() -> None:
    rng = np.random.default_rng(0)
    pictures = 1 / (1 + np.exp(-rng.normal(size=(200, 3)) @ rng.normal(size=(3, 16)) * 0.3)).reshape(200, 1, 4, 4)
    mean, parts = linear_prior(pictures, 8)
    par = from_linear_prior((1, 4, 4), mean, parts[:3])
    drawn = par.picture(torch.randn(500, 3, generator=torch.Generator().manual_seed(0))).numpy()
    np.testing.assert_allclose(drawn.std(0), pictures.std(0), rtol=0.25)


def test_the_canvas_is_the_range_of_the_preprocessing() -> None:
    net = network(nn.Identity(), Preprocessing(None, None, (0.5,), (0.25,), channels=1))
    there = canvas(net, torch.rand(2, 1, 4, 4))
    picture = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(there.inputs(picture), (picture - 0.5) / 0.25)
    torch.testing.assert_close(there.pictures(there.inputs(picture)), picture)

    def own(x: object) -> Tensor:
        return torch.zeros(1)

    own.key = "own"
    unknown = canvas(network(nn.Identity(), own), torch.tensor([[[[-3.0, 5.0]]]]))
    assert (unknown.low[0], unknown.high[0]) == (-3, 5)
