"""What is maximised: one number per image, of what the layers say. Objectives add and scale, and give new objectives.

References
----------
Olah, Mordvintsev, Schubert: Feature visualization. Distill (2017), for neuron, channel, direction, diversity.
Ghiasi et al.: What do vision transformers learn? A visual exploration. arXiv 2212.06727 (2022), for `vit_feature`.
Zhu, Cangelosi: activation maximisation for convolutional networks and transformers alike. arXiv 2508.07281 (2025).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nap_core.errors import ConfigError, UnknownNameError
from nap_core.explain.reading import Seen
from nap_core.types import Float, LayerInfo

if TYPE_CHECKING:
    from torch import Tensor

LEAST_COSINE = 0.1
"""Below this the cosine of `along` no longer falls, so that a start that looks elsewhere still has a slope."""


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """A number per image that is to become large."""

    text: str  # says which; part of the key of what is made with it
    layers: tuple[str, ...]  # that it reads
    score: Callable[[Seen], Tensor]  # → [image]

    def __add__(self, other: Objective) -> Objective:
        layers = tuple(dict.fromkeys(self.layers + other.layers))
        return Objective(f"{self.text} + {other.text}", layers, lambda seen: self.score(seen) + other.score(seen))

    def __sub__(self, other: Objective) -> Objective:
        return self + (-1.0) * other

    def __mul__(self, weight: float) -> Objective:
        return Objective(f"{weight:g} × ({self.text})", self.layers, lambda seen: self.score(seen) * weight)

    __rmul__ = __mul__


def places(raw: Tensor, kind: str) -> Tensor:
    """Return a layer's output as [image, unit, place]; a vector layer has one place."""
    if kind == "vector":
        return raw.unsqueeze(2)
    return raw.flatten(2) if kind == "conv" else raw.flatten(1, -2).transpose(1, 2)


def check_unit(layer: LayerInfo, unit: int) -> None:
    """Raise `UnknownNameError` unless the layer has this unit."""
    if not 0 <= unit < layer.n_units:
        raise UnknownNameError(
            f"No unit {unit} in layer '{layer.name}'; it has 0 … {layer.n_units - 1}. Choose one of them."
        )


def channel(layer: LayerInfo, unit: int) -> Objective:
    """Return the unit's mean over all places."""
    check_unit(layer, unit)
    return Objective(
        f"channel {unit} of {layer.name}",
        (layer.name,),
        lambda seen: places(seen.raw[layer.name], layer.kind)[:, unit].mean(1),
    )


def neuron(layer: LayerInfo, unit: int) -> Objective:
    """Return the unit at the middle place (of a row of tokens with a class token: the middle patch)."""
    check_unit(layer, unit)

    def score(seen: Seen) -> Tensor:
        raw = seen.raw[layer.name]
        if layer.kind == "conv":
            sides = raw.shape[2:]
            return raw[:, unit].flatten(1)[
                :, sum(side // 2 * int(np.prod(sides[i + 1 :])) for i, side in enumerate(sides))
            ]
        return places(raw, layer.kind)[:, unit, _middle_token(raw)]

    return Objective(f"neuron {unit} of {layer.name}", (layer.name,), score)


def _middle_token(raw: Tensor) -> int:
    """The middle of a grid of tokens, or of a row that is a square with a class token in front."""
    if raw.ndim != 3:
        return 0 if raw.ndim == 2 else int(np.prod(raw.shape[1:-1])) // 2 + raw.shape[-2] // 2
    side = int(np.sqrt(raw.shape[1] - 1))
    return 1 + side * (side // 2) + side // 2 if side * side == raw.shape[1] - 1 else raw.shape[1] // 2


def token(layer: LayerInfo, unit: int, number: int) -> Objective:
    """Return the unit in one token of a row of tokens; 0 is the class token where there is one.

    Raises
    ------
    UnknownNameError
        If the layer has no such token.
    """
    check_unit(layer, unit)
    n_tokens = int(np.prod(layer.output_shape[:-1])) if layer.kind == "token" else 0
    if not 0 <= number < n_tokens:
        has = f"it has 0 … {n_tokens - 1}" if n_tokens else f"it is of kind '{layer.kind}' and has none"
        raise UnknownNameError(f"No token {number} in layer '{layer.name}'; {has}. Choose another one.")
    return Objective(
        f"token {number}, unit {unit} of {layer.name}",
        (layer.name,),
        lambda seen: places(seen.raw[layer.name], "token")[:, unit, number],
    )


def vit_feature(layer: LayerInfo, unit: int) -> Objective:
    """Return a unit's mean over the patch tokens, the class token left out; best a hidden unit of an MLP."""
    check_unit(layer, unit)
    if layer.kind != "token" or len(layer.output_shape) != 2 or layer.output_shape[0] < 2:
        raise ConfigError(f"Layer '{layer.name}' has no row of patch tokens; use the objective 'channel' for it.")
    return Objective(
        f"feature {unit} of {layer.name}", (layer.name,), lambda seen: seen.raw[layer.name][:, 1:, unit].mean(1)
    )


def logit(number: int) -> Objective:
    """Return one of the network's outputs as it is; a probability would also rise when the other classes fall.

    Raises
    ------
    UnknownNameError
        When it is read, if the network has no such output.
    """

    def score(seen: Seen) -> Tensor:
        output = seen.output
        if output is None or output.ndim != 2 or not 0 <= number < output.shape[1]:
            has = "gives no classes" if output is None or output.ndim != 2 else f"has 0 … {output.shape[1] - 1}"
            raise UnknownNameError(f"No logit {number}; this network {has}. Choose another one.")
        return output[:, number]

    return Objective(f"logit {number}", (), score)


def along(values: Tensor, direction: Tensor) -> Tensor:
    """Return dot × clamp(cos, .1)² of [image, feature] with a direction: the dot alone wanders, the cosine is small."""
    import torch

    dot = (values * direction).sum(1)
    cosine = dot / (torch.linalg.vector_norm(values, dim=1) * torch.linalg.vector_norm(direction, dim=-1) + 1e-8)
    found: Tensor = dot * cosine.clamp_min(LEAST_COSINE) ** 2
    return found


def direction(layer: LayerInfo, vector: Float) -> Objective:
    """Return how far the layer's mean over places goes along `vector` [unit], and how straight."""
    import torch

    target = torch.from_numpy(np.array(vector, np.float32))

    def score(seen: Seen) -> Tensor:
        return along(places(seen.raw[layer.name], layer.kind).mean(2), target.to(seen.picture.device))

    return Objective(f"direction of {layer.name}", (layer.name,), score)


def diversity(layer: LayerInfo) -> Objective:
    """Return how little each image's texture is like that of the others in the batch, in [-1, 1].

    It is the negative mean cosine of their Gram matrices [unit, unit]; 0 for a single image.
    """
    import torch

    def score(seen: Seen) -> Tensor:
        place = places(seen.raw[layer.name], layer.kind)
        gram = torch.nn.functional.normalize((place @ place.transpose(1, 2)).flatten(1), dim=1)
        likeness = gram @ gram.T
        return -(likeness.sum(1) - likeness.diagonal()) / max(1, len(gram) - 1)

    return Objective(f"diversity of {layer.name}", (layer.name,), score)


def smooth() -> Objective:
    """Return the negative total variation: the mean absolute step between neighbours, in the range of pictures."""

    def score(seen: Seen) -> Tensor:
        steps = [seen.picture.diff(dim=axis).abs().flatten(1).mean(1) for axis in range(2, seen.picture.ndim)]
        total: Tensor = steps[0]
        for step in steps[1:]:
            total = total + step
        negative: Tensor = -total
        return negative

    return Objective("smooth", (), score)


def near(reference: Tensor) -> Objective:
    """Return the negative mean square difference from pictures [1 or image, channel, …] (accentuation).

    References
    ----------
    Hamblin et al.: Feature accentuation: revealing "what" features respond to in natural images. arXiv 2402.10039.
    """

    def score(seen: Seen) -> Tensor:
        there = reference.to(seen.picture)
        there = (
            there.expand_as(seen.picture)
            if len(there) == 1
            else there.repeat(len(seen.picture) // len(there), *(1,) * (there.ndim - 1))
        )
        return -((seen.picture - there) ** 2).flatten(1).mean(1)

    return Objective("near", (), score)
