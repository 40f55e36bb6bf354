"""One engine for all synthetic images: objective × parametrisation × transforms.

The network's weights stay as they are and ask for no gradient while it runs. Every image has one random generator, made
of its seed, for its start, its movements and its noise, so the same seed gives the same image and torch's own generator
is not drawn from. A run is a row of `Moment`s: it can be watched, stopped at any of them, and continued from it later
with the same result. A unit behind a ReLU is off, and has no slope, at many a start; such a start is led towards the
real images that the unit answers to, until it wakes. One that answers to nothing is said to, and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nap_core.errors import ConfigError, NotFiniteError, SilentUnitError
from nap_core.explain.canvas import Canvas
from nap_core.explain.objectives import Objective
from nap_core.explain.parametrisations import Parametrisation
from nap_core.explain.reading import Seen, frozen, reading
from nap_core.explain.transforms import STILL, Transforms, octave
from nap_core.types import Float, Int, Progress, frozen_array

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nap_core.inputs.models import Network

PREVIEW_STEPS, USUAL_STEPS = 64, 128
N_STARTS = 6  # starts that are tried, each wider than the one before, until the objective has a slope
N_WAKING = 64  # steps that starts without a slope are led then, at most


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run goes; every field belongs to the key of what it makes."""

    n_steps: int = USUAL_STEPS
    seeds: tuple[int, ...] = (0, 1, 2)  # one image each
    n_octaves: int = 1
    transforms: Transforms = STILL

    def __post_init__(self) -> None:
        if not 1 <= self.n_steps <= 10_000 or not 1 <= len(self.seeds) <= 1024 or not 1 <= self.n_octaves <= 6:
            raise ConfigError(
                f"{self.n_steps} steps, {len(self.seeds)} seeds, {self.n_octaves} octaves: choose 1 … 10,000 steps, "
                "1 … 1,024 seeds and 1 … 6 octaves."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A run after a step: what there is to see, and all that is needed to go on."""

    n_done: int
    score: Float  # [image] at this step, with its movements
    parameters: Tensor
    optimiser: tuple[Tensor, Tensor]  # Adam's running means of the slope and of its square
    generators: tuple[Tensor, ...]  # states
    history: tuple[Float, ...]  # [step] of [image]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureImage:
    """Synthetic images of one objective, one per seed."""

    picture: Float  # [image, channel, …] in [0, 1]
    score: Float  # [image] of the picture as it is, not moved
    history: Float  # [step, image] with the movements of each step
    seed: Int  # [image]
    objective: str
    parametrisation: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", frozen_array(self.picture, np.float32, np.ndim(self.picture)))
        object.__setattr__(self, "score", frozen_array(self.score, np.float32))
        object.__setattr__(self, "history", frozen_array(self.history, np.float32, 2))
        object.__setattr__(self, "seed", frozen_array(self.seed, np.int32))
        assert len(self.picture) == len(self.score) == len(self.seed) == self.history.shape[1]


@dataclass(frozen=True, eq=False)
class Ascent:
    """What is maximised, over what, on which network."""

    network: Network
    canvas: Canvas
    objective: Objective
    parametrisation: Parametrisation
    plan: Plan
    waking: Objective | None = None  # of the same layers: what leads a start to where the objective has a slope

    def moments(self, after: Moment | None = None) -> Iterator[Moment]:
        """Yield a moment after every step; close the generator to stop, give a moment to go on behind it.

        Raises
        ------
        SilentUnitError
            If nothing in the picture changes the objective.
        NotFiniteError
            If the objective is NaN or infinite.
        """
        modules = [self.parametrisation.module] if self.parametrisation.module is not None else []
        with reading(self.network, self.objective.layers, self.canvas) as read, frozen(*modules):
            yield from self._climb(read, after)

    def picture(self, moment: Moment) -> Float:
        """[image, channel, …] what the images look like at a moment."""
        import torch

        with torch.no_grad():
            return self.parametrisation.picture(moment.parameters).float().cpu().numpy()

    def _climb(self, read: Callable[[Tensor], Seen], after: Moment | None) -> Iterator[Moment]:
        import torch

        generators = [torch.Generator().manual_seed(seed) for seed in self.plan.seeds]
        first = None
        if after is None:
            parameters, first = self._begin(read, generators)
            history = list[Float]()
            means = torch.zeros_like(parameters), torch.zeros_like(parameters)
        else:
            parameters, history, means = after.parameters, list(after.history), after.optimiser
            for generator, state in zip(generators, after.generators, strict=True):
                generator.set_state(state)
        for step in range(len(history), self.plan.n_steps):
            score, gradient = first or self._slope(read, parameters, generators, step)
            first = None
            parameters, means = self._step(parameters, gradient, means, step)
            history.append(score)
            states = tuple(generator.get_state() for generator in generators)
            yield Moment(step + 1, score, parameters, means, states, tuple(history))

    def _begin(
        self, read: Callable[[Tensor], Seen], generators: Sequence[torch.Generator]
    ) -> tuple[Tensor, tuple[Float, Tensor]]:
        """Return a start at which every image has a slope, wider from try to try where there is none, and the slope."""
        first = start = self.parametrisation.start(generators)
        for number in range(N_STARTS):
            states = [generator.get_state() for generator in generators]
            score, gradient = self._slope(read, start, generators, 0)
            flat = _is_flat(gradient)
            if not flat.any():
                return start, (score, gradient)
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)
            wider = start + (2.0**number) * (self.parametrisation.start(generators) - start)
            start = _where(flat, wider, start)
        return self._wake(read, _where(flat, first, start), generators)

    def _wake(
        self, read: Callable[[Tensor], Seen], start: Tensor, generators: Sequence[torch.Generator]
    ) -> tuple[Tensor, tuple[Float, Tensor]]:
        """Lead the images that have no slope until every one has, and return that start and its slope."""
        import torch

        if self.waking is not None:
            led = replace(self, objective=self.waking, plan=replace(self.plan, n_steps=N_WAKING))
            means = torch.zeros_like(start), torch.zeros_like(start)
            for step in range(N_WAKING):
                score, gradient = self._slope(read, start, generators, 0)
                flat = _is_flat(gradient)
                if not flat.any():
                    return start, (score, gradient)
                _, way = led._slope(read, start, generators, step)
                moved, means = led._step(start, way, means, step)
                start = _where(flat, moved, start)
        raise SilentUnitError(
            f"Nothing in the picture changes '{self.objective.text}': {N_STARTS} starts were tried, each further from "
            "the last, and none has a slope. The unit is silent; choose one that answers to some image of the study."
        )

    def _slope(
        self, read: Callable[[Tensor], Seen], parameters: Tensor, generators: Sequence[torch.Generator], step: int
    ) -> tuple[Float, Tensor]:
        """Return [image] scores and the gradient of their sum."""
        import torch

        plan, parameters = self.plan, parameters.detach().requires_grad_(True)
        with torch.enable_grad():
            picture = self.parametrisation.picture(parameters)
            picture = octave(picture, step * plan.n_octaves // plan.n_steps, plan.n_octaves)
            moved = plan.transforms.apply(picture, generators, 1 - step / plan.n_steps)
            if moved.ndim == 4 and moved.shape[1] > 1:
                moved = moved.contiguous(memory_format=torch.channels_last)  # convolutions are fastest in it
            score = self.objective.score(read(moved)).reshape(-1, len(plan.seeds)).mean(0)
            if not bool(torch.isfinite(score).all()):
                raise NotFiniteError(f"'{self.objective.text}' is NaN or infinite after {step} steps; check the layer.")
            (gradient,) = torch.autograd.grad(score.sum(), parameters, allow_unused=True)
        gradient = torch.zeros_like(parameters) if gradient is None else gradient
        return score.detach().float().cpu().numpy(), torch.nan_to_num(gradient)

    def _step(
        self, parameters: Tensor, gradient: Tensor, means: tuple[Tensor, Tensor], step: int
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return new parameters and means; the old ones stay as they are, so that a moment costs no copy."""
        remaining = 1 - step / self.plan.n_steps
        moved = self.parametrisation.moved(parameters, gradient, remaining)
        if moved is not None:
            return moved, means
        moved, means = adam_step(parameters, gradient, means, step + 1, self.parametrisation.rate)
        return moved * (1 - self.parametrisation.fade * remaining), means


def _is_flat(gradient: Tensor) -> Tensor:
    """[row] whether nothing changes the score."""
    return gradient.flatten(1).abs().amax(1) == 0


def _where(row: Tensor, value: Tensor, other: Tensor) -> Tensor:
    """Return the rows of `value` where `row` is true, and of `other` elsewhere."""
    return value.where(row.reshape(-1, *(1,) * (value.ndim - 1)), other)


def adam_step(
    parameters: Tensor, gradient: Tensor, means: tuple[Tensor, Tensor], number: int, rate: float
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return parameters and means after step `number` (from 1) of Adam upwards.

    `torch.optim.Adam` writes into its tensors; a run that can be continued from any step would have to copy all of them
    at every step.

    References
    ----------
    Kingma, Ba: Adam: a method for stochastic optimization. ICLR 2015.
    """
    first, second = means[0].lerp(gradient, 0.1), (0.999 * means[1]).addcmul_(gradient, gradient, value=0.001)
    size = second.sqrt().div_((1 - 0.999**number) ** 0.5).add_(1e-8)
    return parameters.addcdiv(first, size, value=rate / (1 - 0.9**number)), (first, second)


def maximize(
    ascent: Ascent,
    *,
    progress: Progress | None = None,
    watch: Callable[[Moment], bool] | None = None,
    after: Moment | None = None,
) -> FeatureImage:
    """Run to the end, or until `watch` says stop, and return the images.

    Parameters
    ----------
    progress
        Called with steps done and steps planned.
    watch
        Called with every moment, for instance to show `Ascent.picture`; returns True to stop there.
    after
        A moment of an earlier run with the same ascent, to go on behind it.

    Raises
    ------
    SilentUnitError, NotFiniteError
        See `Ascent.moments`.
    """
    last = after
    with closing(ascent.moments(after)) as moments:  # type: ignore[type-var]
        for last in moments:
            if progress:
                progress(last.n_done, ascent.plan.n_steps)
            if watch and watch(last):
                break
    assert last is not None
    return feature_image(ascent, last)


def feature_image(ascent: Ascent, moment: Moment) -> FeatureImage:
    """Return the images as they are at a moment, with the score they have when nothing moves them."""
    import torch

    picture = ascent.picture(moment)
    with reading(ascent.network, ascent.objective.layers, ascent.canvas) as read, torch.no_grad():
        score = ascent.objective.score(read(torch.from_numpy(picture)))
    return FeatureImage(
        picture=picture,
        score=score.float().cpu().numpy(),
        history=np.stack(moment.history),
        seed=np.array(ascent.plan.seeds),
        objective=ascent.objective.text,
        parametrisation=ascent.parametrisation.name,
    )
