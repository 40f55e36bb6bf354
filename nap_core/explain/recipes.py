"""From a wish to an ascent: which objective, over which parametrisation, with what the study's images are like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nap_core.errors import ConfigError
from nap_core.explain import objectives
from nap_core.explain.canvas import Canvas, ImageStatistics
from nap_core.explain.maximize import Ascent
from nap_core.explain.objectives import Objective, places
from nap_core.explain.parametrisations import Generator, Parametrisation, parametrisation
from nap_core.explain.pattern_objectives import pattern_objective, sorted_match
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


def ascent(bench: Bench, wish: Wish) -> Ascent:
    """Return what makes the images of a wish.

    Raises
    ------
    UnknownNameError, ConfigError
        If there is no such pattern, unit or class, or the layer cannot be asked in this mode.
    """
    return Ascent(bench.network, bench.canvas, objective(bench, wish), _over(bench, wish), wish.plan)


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


def _over(bench: Bench, wish: Wish) -> Parametrisation:
    if wish.parametrisation in ("generator", "linear"):
        return bench.generator(wish.parametrisation)
    base = _start(bench, wish) if wish.mode == "edit" else None
    return parametrisation(wish.parametrisation, bench.canvas.shape, bench.statistics, base)


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
