"""From a wish to an ascent: which objective, over which parametrisation, with what the study's images are like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nap_core.errors import ConfigError, listed
from nap_core.explain import objectives
from nap_core.explain.canvas import Canvas, ImageStatistics
from nap_core.explain.maximize import Ascent, FeatureImage
from nap_core.explain.objectives import Objective, places
from nap_core.explain.parametrisations import Generator, Parametrisation, parametrisation
from nap_core.explain.pattern_objectives import MODES, among, pattern_objective, sorted_match
from nap_core.explain.reading import reading
from nap_core.explain.space import PatternSpace
from nap_core.explain.wishes import Wish
from nap_core.types import Float, Int, LayerInfo

if TYPE_CHECKING:
    from torch import Tensor

    from nap_core.inputs.models import Network

NEARNESS = 40.0
"""Weight of the mean square difference from the picture that an edit starts from."""
N_MATCHED = 48
"""Members whose sorted activations a distribution is matched to."""
N_MATCHED_LAYERS = 3
N_WAKING_IMAGES = 9
"""Real images that a unit answers most to, among which its picture is led where it answers to no start."""


@dataclass(frozen=True, eq=False)
class Bench:
    """All that the making of an image of one layer stands on."""

    network: Network
    canvas: Canvas
    space: PatternSpace
    layers: Mapping[str, LayerInfo]  # of the study, in execution order
    statistics: ImageStatistics
    pictures: Callable[[Int], Float]  # images → [image, channel, …] in [0, 1]
    generator: Callable[[str], Generator]  # "generator" or "linear", made when first asked for
    prediction: Int | None = None  # [image] the network's class of the study's images, or NOISE
    unit: Int | None = None  # [feature] of the space, as in `Activations`


def ascent(bench: Bench, wish: Wish) -> Ascent:
    """Return what makes the images of a wish.

    Raises
    ------
    UnknownNameError, ConfigError
        If there is no such pattern, unit or class, or the layer cannot be asked in this mode.
    """
    return Ascent(
        bench.network, bench.canvas, objective(bench, wish), _over(bench, wish), wish.plan, _waking(bench, wish)
    )


TOGETHER = tuple(MODES)
"""Modes of patterns of which several can be climbed in one run."""


def together(bench: Bench, wishes: Sequence[Wish]) -> Ascent:
    """Return one run that makes the images of several wishes, one wish after the other.

    Every image climbs for itself, from the start that its seed gives it, as it does in a run of its own; what differs
    is only the rounding of sums over a larger batch.

    Raises
    ------
    ConfigError
        If the wishes differ in more than their patterns, or are not of one of the modes `TOGETHER`.
    """
    first = wishes[0]
    if any(replace(wish, pattern=first.pattern, other=first.other) != first for wish in wishes):
        raise ConfigError("Wishes that are made together must differ in their patterns only; make them one by one.")
    if first.pattern is None or first.mode not in TOGETHER:
        raise ConfigError(f"Only patterns in the modes {listed(TOGETHER)} are made together; make these one by one.")
    n = len(first.plan.seeds)
    pattern = [int(wish.pattern or 0) for wish in wishes for _ in range(n)]
    other = None if first.other is None else [int(wish.other or 0) for wish in wishes for _ in range(n)]
    plan = replace(first.plan, seeds=first.plan.seeds * len(wishes))
    target = pattern_objective(first.mode, bench.space, pattern, other)
    return Ascent(bench.network, bench.canvas, target, _over(bench, *wishes), plan)


def parted(bench: Bench, wishes: Sequence[Wish], images: FeatureImage) -> list[FeatureImage]:
    """Return the images of each wish out of what a run of `together` made."""
    n = len(wishes[0].plan.seeds)
    parts = [slice(number * n, (number + 1) * n) for number in range(len(wishes))]
    return [
        FeatureImage(
            picture=images.picture[part],
            score=images.score[part],
            history=images.history[:, part],
            seed=images.seed[part],
            objective=objective(bench, wish).text,
            parametrisation=images.parametrisation,
        )
        for wish, part in zip(wishes, parts, strict=True)
    ]


def objective(bench: Bench, wish: Wish) -> Objective:
    """Return what a wish maximises, with images kept apart from each other where it asks for that."""
    found = _asked(bench, wish)
    return found + wish.diversity * objectives.diversity(bench.space.layer) if wish.diversity else found


def _asked(bench: Bench, wish: Wish) -> Objective:
    if wish.logit is not None:
        return objectives.logit(wish.logit)
    if wish.token is not None and wish.unit is not None:
        return objectives.token(bench.space.layer, wish.unit, wish.token)
    if wish.unit is not None:
        makers = {"channel": objectives.channel, "neuron": objectives.neuron, "feature": objectives.vit_feature}
        return makers[wish.mode](bench.space.layer, wish.unit)
    assert wish.pattern is not None
    if wish.mode == "distribution":
        return pattern_objective("prototype", bench.space, wish.pattern) + _match(bench, wish.pattern)
    if wish.mode == "edit":
        return pattern_objective("prototype", bench.space, wish.pattern) + NEARNESS * objectives.near(
            _start(bench, wish)
        )
    return pattern_objective(wish.mode, bench.space, wish.pattern, wish.other)


def _waking(bench: Bench, wish: Wish) -> Objective | None:
    """Return what leads to the real images that a unit answers most to; None where it answers to none more."""
    if wish.unit is None or bench.unit is None:
        return None
    level = bench.space.values[:, bench.unit == wish.unit].max(axis=1, initial=-np.inf)
    if np.ptp(level) == 0:
        return None
    return among(bench.space, np.argsort(-level, kind="stable")[:N_WAKING_IMAGES])


def _over(bench: Bench, *wishes: Wish) -> Parametrisation:
    wish = wishes[0]
    if wish.parametrisation in ("generator", "linear"):
        found = bench.generator(wish.parametrisation)
        members = [_of_one_class(bench, wish.pattern) for wish in wishes if wish.pattern is not None]
        return found.at_home(members) if members else found
    base = _start(bench, wish) if wish.mode == "edit" else None
    return parametrisation(wish.parametrisation, bench.canvas.shape, bench.statistics, base)


def _of_one_class(bench: Bench, pattern: int) -> Int:
    """Return those members of a pattern in which the network sees what it sees in most."""
    member = bench.space.members(pattern)
    if bench.prediction is None or not len(member):
        return member
    seen = bench.prediction[member]
    number, count = np.unique(seen, return_counts=True)
    found: Int = member[seen == number[count.argmax()]]
    return found


def _start(bench: Bench, wish: Wish) -> Tensor:
    import torch

    if wish.image is None:
        raise ConfigError("An edit starts from a real picture; name the image.")
    return torch.from_numpy(bench.pictures(np.array([wish.image], np.int32)))


def _match(bench: Bench, pattern: int) -> Objective:
    """Return the match with the sorted activations of members, in the layer and the one or two before it."""
    import torch

    names = list(bench.layers)
    upto = names[: names.index(bench.space.layer.name) + 1]
    chosen = [name for name in upto if bench.layers[name].kind in ("conv", "token")][-N_MATCHED_LAYERS:]
    if not chosen:
        raise ConfigError("No layer of the study has places up to this one, so there is no texture to match.")
    member = bench.space.members(pattern)
    taken = member[np.linspace(0, len(member) - 1, min(N_MATCHED, len(member))).astype(int)]
    with reading(bench.network, chosen, bench.canvas) as read, torch.no_grad():
        seen = read(torch.from_numpy(bench.pictures(taken)))
    layers = [bench.layers[name] for name in chosen]
    return sorted_match(layers, _sorted_means(seen.raw, layers))


def _sorted_means(raw: Mapping[str, Tensor], layers: Sequence[LayerInfo]) -> list[Float]:
    """Return [unit, place] per layer: activations sorted over the places, then averaged over the images."""
    found = []
    for layer in layers:
        value = places(raw[layer.name], layer.kind).float().sort(dim=2).values
        found.append(value.mean(0).cpu().numpy())
    return found
