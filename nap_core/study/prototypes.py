"""Synthetic images of many patterns of a layer at once.

A step of many small images costs little more than a step of one, so the patterns of a layer are climbed in batches.
Each wish is kept under its own key, the one that `nap_core.study.synthetic.synthetic` looks under: a run that is broken
off goes on with what is missing, and what was made one by one is not made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nap_core.configs import ClusterConfig
from nap_core.errors import NotFiniteError, SilentUnitError
from nap_core.explain.maximize import USUAL_STEPS, maximize
from nap_core.explain.recipes import Bench, parted, together
from nap_core.explain.wishes import Wish
from nap_core.study.study import Study
from nap_core.study.synthetic import Made, bench, has_images, keep, made_of, synthetic, wish_for
from nap_core.types import Progress

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

_PLACES_AT_ONCE = 48 * 32 * 32
"""Places of all images of a batch together; above it a step takes longer by as much as there are more of them."""


def prototype_wishes(
    study: Study,
    network: Network,
    layer: str,
    patterns: Sequence[int] | None = None,
    config: ClusterConfig | None = None,
    *,
    parametrisation: str = "",
    n_steps: int = USUAL_STEPS,
    seeds: Sequence[int] = (0, 1, 2),
) -> list[Wish]:
    """Return the wishes for what typical members of some patterns of a layer look like to it; of all when None."""
    if patterns is None:
        patterns = range(study.patterns(layer, config).n_patterns)
    if not len(patterns):
        return []
    first = wish_for(
        study,
        network,
        layer,
        pattern=int(patterns[0]),
        parametrisation=parametrisation,
        n_steps=n_steps,
        seeds=seeds,
    )
    return [replace(first, pattern=int(pattern)) for pattern in patterns]


def prototypes(
    study: Study,
    network: Network,
    layer: str,
    patterns: Sequence[int] | None = None,
    config: ClusterConfig | None = None,
    *,
    parametrisation: str = "",
    n_steps: int = USUAL_STEPS,
    seeds: Sequence[int] = (0, 1, 2),
    progress: Progress | None = None,
    training: Progress | None = None,
) -> Iterator[Made]:
    """Yield images of what typical members of a layer's patterns look like to it; see `synthetic_together`."""
    wishes = prototype_wishes(
        study, network, layer, patterns, config, parametrisation=parametrisation, n_steps=n_steps, seeds=seeds
    )
    return synthetic_together(study, network, wishes, config, progress=progress, training=training)


def synthetic_together(
    study: Study,
    network: Network,
    wishes: Sequence[Wish],
    config: ClusterConfig | None = None,
    *,
    progress: Progress | None = None,
    training: Progress | None = None,
) -> Iterator[Made]:
    """Yield the images of wishes with their check, in the order of the wishes, as soon as a batch of them is made.

    Parameters
    ----------
    wishes
        They differ in their patterns only, and are of one of the modes `recipes.TOGETHER`. One of which nothing can be
        drawn, because no start has a slope, is left out; `synthetic` says why.
    progress
        Called with steps done and planned, of all wishes together that are not kept yet.
    training
        Of the generator, where one has to be trained first.

    Raises
    ------
    StudyError
        If it is not the study's network, or the study has no pictures.
    ConfigError
        If the wishes cannot be made together.
    UnknownNameError
        If there is no such pattern.
    """
    missing = [wish for wish in wishes if not has_images(study, network, wish, config)]
    if not missing:
        yield from (synthetic(study, network, wish, config) for wish in wishes)
        return
    table = bench(study, network, missing[0].layer, config, progress=training)
    together(table, missing)  # says what is wrong before anything is made
    at_once = _at_once(table, missing[0])
    made, n_done = dict[Wish, Made | None](), 0
    for wish in wishes:
        if wish in missing[n_done:]:
            batch = missing[n_done : n_done + at_once]
            made |= _made(study, table, batch, config, _within(progress, n_done, len(missing)))
            n_done += len(batch)
        found = made[wish] if wish in made else synthetic(study, network, wish, config)
        if found is not None:
            yield found


def _at_once(table: Bench, wish: Wish) -> int:
    places = int(np.prod(table.canvas.size)) * len(wish.plan.seeds)
    return max(1, _PLACES_AT_ONCE // places)


def _within(progress: Progress | None, n_done: int, n_wishes: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total: progress(n_done * total + done, n_wishes * total)


def _made(
    study: Study, table: Bench, wishes: Sequence[Wish], config: ClusterConfig | None, progress: Progress | None
) -> dict[Wish, Made | None]:
    """Return what was made for each wish, and keep it; None where there was nothing to climb."""
    report = None if progress is None else lambda done, total: progress(done * len(wishes), total)
    try:
        images = parted(table, wishes, maximize(together(table, wishes), progress=report))
    except (SilentUnitError, NotFiniteError):
        if len(wishes) == 1:
            return {wishes[0]: None}
        alone = [_made(study, table, [wish], config, None) for wish in wishes]
        return {wish: made for found in alone for wish, made in found.items()}
    found = {wish: made_of(study, table, wish, images, config) for wish, images in zip(wishes, images, strict=True)}
    for made in found.values():
        keep(study, table.network, made, config)
    return dict(found)
