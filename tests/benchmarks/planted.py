"""Activations with known groups: what must be found is known, and so is what must not.

Every group is a set of units that answer strongly; sizes fall by a power, spreads differ by a factor of four, all
images share units that answer to everything, and rectification leaves most values at zero, as in a real layer. The
background are images whose units answer as often and as strongly, but not together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOISE = -1


@dataclass(frozen=True)
class Planted:
    """Activations and their truth."""

    name: str
    values: NDArray[np.float32]  # [image, unit]
    target: NDArray[np.int32]  # [image] group, or NOISE for background


def sizes(n_groups: int, n_images: int, smallest: int = 8) -> NDArray[np.int64]:
    """Sizes that fall by a power, of at least `smallest`, and sum to `n_images`."""
    share = np.arange(1, n_groups + 1) ** -0.8
    spare = n_images - smallest * n_groups
    size = smallest + np.floor(spare * share / share.sum()).astype(np.int64)
    size[0] += n_images - size.sum()
    return size


def planted(
    n_units: int, n_groups: int, n_images: int = 1500, background: float = 0.1, noise: float = 1.0, seed: int = 0
) -> Planted:
    """Plant `n_groups` groups in `n_units` units, with a share of `background` images that belong to none."""
    rng = np.random.default_rng([seed, n_units, n_groups])
    n_background = int(n_images * background)
    target = np.repeat(np.arange(n_groups), sizes(n_groups, n_images - n_background))
    prototype = rng.gamma(2.0, 1.0, (n_groups, n_units)) * (rng.random((n_groups, n_units)) < 0.15)
    spread = noise * 2.0 ** rng.uniform(-1, 1, n_groups)
    common = rng.gamma(2.0, 0.5, n_units) * (rng.random(n_units) < 0.3)
    inner = rng.normal(size=(n_groups, 4, n_units)) * prototype[:, None] / 2  # four ways to differ within a group
    values = prototype[target] + np.einsum("ik,iku->iu", rng.normal(size=(len(target), 4)), inner[target])
    values += spread[target, None] * rng.normal(size=values.shape)
    strays = np.stack([rng.choice(values[:, unit], n_background) for unit in range(n_units)], axis=1)
    values = np.maximum(np.concatenate([values, strays]) + common * rng.normal(1, 0.3, (n_images, 1)), 0)
    target = np.append(target, np.full(n_background, NOISE))
    order = rng.permutation(n_images)
    return Planted(
        f"{n_groups} groups, {n_units} units", values[order].astype(np.float32), target[order].astype(np.int32)
    )


def background(members: NDArray[np.floating], n: int, kind: str, random: np.random.Generator) -> NDArray[np.float64]:
    """Return `n` rows of no group: ``even`` within the range of every unit, or ``normal`` with its spread."""
    if kind == "even":
        return random.uniform(members.min(axis=0), members.max(axis=0), (n, members.shape[1]))
    return members.mean(axis=0) + members.std(axis=0) * random.normal(size=(n, members.shape[1]))


def among_background(n_units: int, n_groups: int, share: float, kind: str, n_images: int = 1200) -> Planted:
    """Plant clear groups of unequal size and density in a background that takes a `share` of all images."""
    random = np.random.default_rng([n_units, n_groups])
    n_strays = int(n_images * share)
    target = np.repeat(np.arange(n_groups), sizes(n_groups, n_images - n_strays))
    spread = 0.35 * 2.0 ** random.uniform(-0.7, 0.7, n_groups)
    members = random.normal(size=(n_groups, n_units))[target]
    members = members + spread[target, None] * random.normal(size=members.shape)
    values = np.concatenate([members, background(members, n_strays, kind, random)])
    target = np.append(target, np.full(n_strays, NOISE))
    order = random.permutation(n_images)
    name = f"{n_groups} groups, {share:.0%} {kind}"
    return Planted(name, values[order].astype(np.float32), target[order].astype(np.int32))


def structureless(n_units: int, n_images: int = 1500, seed: int = 0) -> Planted:
    """Gaussian noise: there is nothing to be found."""
    values = np.random.default_rng([seed, n_units]).normal(size=(n_images, n_units))
    return Planted(f"nothing, {n_units} units", values.astype(np.float32), np.full(n_images, NOISE, np.int32))
