"""Parts of the benchmark of synthetic images that ask the engine itself: a published recipe beside it, units by depth.

The recipe is that of torch-lucent (github.com/greentfrapp/lucent, render.render_vis with its defaults), re-created here
in a few lines as an oracle: waves of sd .01 scaled by 1/f, ImageNet's colour correlation, Adam at .05, and padding,
jitter, scale, rotation and jitter again before every step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nap_core.errors import SilentUnitError
from nap_core.explain import objectives
from nap_core.explain.canvas import Canvas, falling
from nap_core.explain.maximize import maximize
from nap_core.explain.reading import reading
from nap_core.explain.recipes import Bench, ascent
from nap_core.explain.wishes import Wish, usual_plan
from nap_core.study import Study
from nap_core.study.framing import study_canvas
from nap_core.study.synthetic import bench, wish_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nap_core.inputs.models import Network
    from nap_core.types import LayerInfo

_COLOUR = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))  # root of ImageNet's colour covariance


def published(
    network: Network, there: Canvas, layer: LayerInfo, unit: int, n_steps: int, seed: int
) -> tuple[float, float]:
    """The unit's mean in the picture that the published recipe ends with, and seconds of all processors."""
    import torch

    began = time.process_time()
    random = torch.Generator().manual_seed(seed)
    fall = torch.from_numpy(falling(there.size).astype(np.float32)) * float(np.sqrt(np.prod(there.size)))
    waves = (0.01 * torch.randn(1, there.shape[0], *fall.shape, 2, generator=random)).requires_grad_(True)
    adam = torch.optim.Adam([waves], lr=0.05)
    target = objectives.channel(layer, unit)
    with reading(network, [layer.name], there) as read:
        for _ in range(n_steps):
            adam.zero_grad()
            loss = -target.score(read(_moved(_picture(waves, fall, there), random))).sum()
            torch.autograd.backward(loss)
            adam.step()
        with torch.no_grad():
            score = float(target.score(read(_picture(waves, fall, there))))
    return score, time.process_time() - began


def _picture(waves: Tensor, fall: Tensor, there: Canvas) -> Tensor:
    import torch

    spectrum = torch.view_as_complex(waves.contiguous()) * fall
    plain = torch.fft.irfft2(spectrum, s=there.size, norm="ortho") / 4
    if there.shape[0] == 3:
        root = torch.tensor(_COLOUR)
        plain = torch.einsum("nc...,dc->nd...", plain, root / root.norm(dim=0).max())
    return plain.sigmoid()


def _moved(picture: Tensor, random: torch.Generator) -> Tensor:
    import torch
    from torch.nn.functional import interpolate, pad
    from torchvision.transforms.functional import rotate

    def draw(high: int) -> int:
        return int(torch.randint(high, (1,), generator=random))

    def jittered(x: Tensor, by: int) -> Tensor:
        top, left = draw(by), draw(by)
        return x[..., top : x.shape[-2] - by + top, left : x.shape[-1] - by + left]

    size = picture.shape[-2:]
    x = jittered(pad(picture, (12, 12, 12, 12), value=0.5), 8)
    x = interpolate(x, scale_factor=1 + (draw(11) - 5) / 50, mode="bilinear")
    x = jittered(rotate(x, float(draw(21) - 10)), 4)
    return interpolate(x, size=size, mode="bilinear")


N_RUNS = 3
"""Runs of recipe and engine in turn, each with its own seed, of which the middle one counts."""


def against_recipe(study: Study, network: Network, layer: str, units: list[int], n_steps: int = 128) -> Iterator[str]:
    """Rows of a table: the same units and steps by the recipe and by the engine, in one run and in turn."""
    there, info = study_canvas(study, network), next(info for info in study.layers if info.name == layer)
    table = bench(study, network, layer)
    published(network, there, info, units[0], 2, 0)  # the first step of Adam loads much of torch
    _engine(table, info, units[0], 2, 0)
    for unit in units:
        runs = [
            (*published(network, there, info, unit, n_steps, seed), *_engine(table, info, unit, n_steps, seed))
            for seed in range(N_RUNS)
        ]
        recipe, seconds, own, own_seconds = np.median(np.array(runs), axis=0)
        times = f"{own / recipe:.2f}" if recipe > 0 else ""
        yield (
            f"| {layer} | {unit} | {recipe:.2f} | {own:.2f} | {times} "
            f"| {seconds:.2f} | {own_seconds:.2f} | {own_seconds / seconds:.2f} |"
        )


def _engine(table: Bench, layer: LayerInfo, unit: int, n_steps: int, seed: int) -> tuple[float, float]:
    """The unit's mean in the picture that the engine ends with, and seconds of all processors."""
    plan = usual_plan(table.canvas.size, n_steps, (seed,))
    run = ascent(table, Wish(layer.name, unit=unit, parametrisation="fourier", plan=plan))
    began = time.process_time()
    score = float(maximize(run).score[0])
    return score, time.process_time() - began


def by_depth(study: Study, network: Network, n_units: int, n_steps: int = 64) -> Iterator[str]:
    """Rows of a table: units of every layer, evenly taken; how many are reached, and how far above real images."""
    for info in study.layers:
        values, unit_of = study.activations(info.name).values, study.activations(info.name).unit
        table, silent, reached, ratio = bench(study, network, info.name), 0, [], []
        units = np.linspace(0, info.n_units - 1, min(n_units, info.n_units)).astype(int)
        for unit in units:
            wish = wish_for(study, network, info.name, unit=int(unit), parametrisation="fourier", n_steps=n_steps)
            try:
                made = maximize(ascent(table, wish))
            except SilentUnitError:
                silent += 1
                continue
            real = float(values[:, np.flatnonzero(unit_of == unit)[0]].max())
            reached.append(float((made.score >= real).mean()))
            ratio.append(float(np.median(made.score)) / real if real > 0 else float("nan"))
        yield (
            f"| {info.name} | {info.kind} | {len(units)} | {silent} | {np.mean(reached or [np.nan]):.2f} "
            f"| {np.nanmedian(ratio or [np.nan]):.2f} |"
        )
