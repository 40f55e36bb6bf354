"""Does a layer have patterns, or is it a continuum that the clustering cut up?

Two questions, each answered by what is there and by what chance gives. How many patterns, and how large a share of the
images, does the same recipe find when the units are shuffled independently of each other, so that every unit keeps its
values and nothing is left of their company? And how many of the images lie in islands, with a gap all around?

The number of patterns alone says little: a recipe that covers cuts noise into more patterns than it finds among planted
groups. The islands decide, and only where more images lie in them than in most of the shuffled layers; not in all of
these, as a single unit with two peaks parts the images whoever its company.

References
----------
Hopkins, Skellam: A new method for determining the type of distribution of plant individuals. Annals of Botany (1954).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.geometry.neighbors import blocks, centred, distances
from nap_core.geometry.ordering import canonical_order
from nap_core.patterns.clustering import compared, find_patterns
from nap_core.patterns.gaps import Gaps, compared_label, gaps
from nap_core.types import NOISE, Activations, Float, Int, Patterns, Progress, frozen_array

N_PERMUTATIONS = 5
MOSTLY = 0.5
"""Share of the images in islands from which a layer has patterns."""

HARDLY = 0.05
"""Share of the images in islands below which it has none."""

_ASKED = 1_000  # images whose nearest neighbour `clumping` looks at


@dataclass(frozen=True, slots=True, eq=False)
class LayerVerdict:
    """What a layer is, and what chance makes of it; [permutation] arrays are empty where nothing could be shuffled."""

    layer: str
    n_patterns: int
    coverage: float  # in [0, 1]
    n_islands: int
    parted: float  # share of the images in islands, in [0, 1]; see `parted_share`
    clumping: float  # Hopkins: 0.5 as if units were independent, towards 1 the more images gather
    chance_n_patterns: Int  # [permutation]
    chance_coverage: Float  # [permutation]
    chance_parted: Float  # [permutation]
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "chance_n_patterns", frozen_array(self.chance_n_patterns, np.int32))
        for name in ("chance_coverage", "chance_parted"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        assert len(self.chance_n_patterns) == len(self.chance_coverage) == len(self.chance_parted)

    @property
    def usual_parted(self) -> float:
        """The share of images in islands that chance gives: the median over the permutations, 0 without any."""
        return float(np.median(self.chance_parted)) if len(self.chance_parted) else 0.0

    @property
    def word(self) -> str:
        """``patterns``, ``weak patterns``, ``a continuum``, or ``no patterns`` where none were found."""
        if not self.n_patterns:
            return "no patterns"
        if self.n_islands < 2 or self.parted < HARDLY or self.parted <= self.usual_parted:
            return "a continuum"
        return "patterns" if self.parted >= MOSTLY else "weak patterns"


def parted_share(label: Int, found: Gaps) -> float:
    """Return the share of all images that lie in an island; `label` [image] is what the gaps were found between.

    The largest island counts only where it is one pattern: cut into several, it is the continuum that is left over.
    """
    if found.n_islands < 2:
        return 0.0
    inside = label != NOISE
    island = np.where(inside, found.island[label], NOISE)
    if np.count_nonzero(found.island == 0) > 1:
        inside &= island != 0
    return float(inside.mean())


def shuffled(activations: Activations, random: np.random.Generator) -> Activations:
    """Return the rows with every unit's values in an order of its own; features of one unit stay together."""
    values = np.array(activations.values)
    for unit in np.unique(activations.unit):
        columns = np.flatnonzero(activations.unit == unit)
        values[:, columns] = values[np.ix_(random.permutation(len(values)), columns)]
    return replace(activations, values=values)


def _nearest_distance(rows: NDArray[Any], table: NDArray[Any], own: NDArray[Any] | None, metric: str) -> float:
    total = 0.0
    for part in blocks(len(rows), len(table)):
        far = distances(rows[part], table, metric)
        if own is not None:
            far[np.arange(len(far)), own[part]] = np.inf
        total += float(far.min(axis=1).sum(dtype=np.float64))
    return total


def clumping(values: NDArray[Any], by_chance: NDArray[Any], random: np.random.Generator, metric: str) -> float:
    """Return Hopkins' statistic with shuffled rows for the random places: 0.5 nothing gathers, towards 1 images do.

    Random places in a box lie far from everything in many dimensions, and would call every layer clustered.

    Parameters
    ----------
    values, by_chance
        [image, feature] as compared: the layer's rows, and those of shuffled units.
    """
    table = centred(values)
    asked = random.permutation(len(table))[:_ASKED]
    origin = np.asarray(values, np.float64).mean(axis=0)
    there = _nearest_distance(np.asarray(by_chance, np.float64)[asked] - origin, table, None, metric)
    here = _nearest_distance(table[asked], table, asked, metric)
    return there / (there + here) if there + here else 0.5


def verdict(
    activations: Activations,
    patterns: Patterns,
    found: Gaps,
    config: ClusterConfig,
    *,
    n_permutations: int = N_PERMUTATIONS,
    progress: Progress | None = None,
) -> LayerVerdict:
    """Ask chance as often as `n_permutations`, through the same recipe, and judge the layer.

    Parameters
    ----------
    activations
        Raw pooled values [image, feature].
    patterns, found
        What `config` finds in them, and the gaps between these.
    """
    order = canonical_order(activations.values)
    rows = replace(activations, values=activations.values[order])
    random = np.random.default_rng(config.seed)
    n_permutations = n_permutations if len(np.unique(activations.unit)) > 1 and len(order) > 2 else 0
    seen, gathered = [], 0.5
    for done in range(n_permutations):
        noise = shuffled(rows, random)
        again, values = find_patterns(noise, config), compared(noise, config)
        if not done:
            gathered = clumping(compared(rows, config), values, random, config.metric)
        label = compared_label(again, config)
        seen.append((again.n_patterns, again.coverage, parted_share(label, gaps(values, label))))
        if progress:
            progress(done + 1, n_permutations)
    chance = np.array(seen).reshape(-1, 3)
    return LayerVerdict(
        layer=activations.layer,
        n_patterns=patterns.n_patterns,
        coverage=patterns.coverage,
        n_islands=found.n_islands,
        parted=parted_share(compared_label(patterns, config), found),
        clumping=gathered,
        chance_n_patterns=chance[:, 0].astype(np.int32),
        chance_coverage=chance[:, 1].astype(np.float32),
        chance_parted=chance[:, 2].astype(np.float32),
        seed=config.seed,
    )
