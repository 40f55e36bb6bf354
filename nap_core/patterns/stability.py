"""Whether a pattern comes back when some images are left out.

Thirty times a fifth of the images is left out at random, the rest is grouped by the same recipe, and each pattern is
compared with the group that is most like it: the images both hold, divided by the images that either holds, among those
that were drawn. The mean of that over the draws is the pattern's stability.

Two ways, because a layout by UMAP costs more than all the rest. ``layout="fresh"`` repeats everything, and is what the
words stable, doubtful and unstable were meant for. ``layout="kept"`` lays the images out, or finds their neighbours,
once, and draws from that: it asks only whether the cut is stable, and is too kind, because a layout shows the same
islands again even where the data have none.

Where a sample is clustered and the others are assigned, a fresh draw takes a sample of its own, smaller by a fifth,
from the images it holds, and the assigned images are compared as well: what hangs on the sample does not come back.

References
----------
Hennig: Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis 52 (2007).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig, is_sampled
from nap_core.errors import ConfigError
from nap_core.patterns.clustering import find_patterns
from nap_core.patterns.space import Space, cluster_space, labels_of
from nap_core.types import NOISE, Activations, Float, Progress, frozen_array

N_DRAWS = 30
SHARE = 0.8
"""Share of the images that is kept in each draw."""

STABLE, DOUBTFUL = 0.75, 0.5
"""Mean Jaccard from which a pattern is called stable, or doubtful (Hennig 2007)."""

LAYOUTS = ("fresh", "kept")


def stability_word(jaccard: float) -> str:
    """Return ``stable``, ``doubtful`` or ``unstable``; ``unknown`` for NaN."""
    if not np.isfinite(jaccard):
        return "unknown"
    return "stable" if jaccard >= STABLE else "doubtful" if jaccard >= DOUBTFUL else "unstable"


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """How well patterns came back."""

    jaccard: Float  # [draw, pattern] in [0, 1]; NaN where no image of the pattern was drawn
    n_found: NDArray[np.int32]  # [draw] patterns in the draw
    layout: str  # "fresh" or "kept"
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "jaccard", frozen_array(self.jaccard, np.float32, 2))
        object.__setattr__(self, "n_found", frozen_array(self.n_found, np.int32))
        assert len(self.jaccard) == len(self.n_found)

    @property
    def mean(self) -> Float:
        """[pattern] the stability, in [0, 1]."""
        drawn = np.isfinite(self.jaccard)
        total = np.where(drawn, self.jaccard, 0).sum(axis=0)
        n = drawn.sum(axis=0)
        mean: Float = np.divide(total, n, out=np.full(len(n), np.nan, np.float32), where=n > 0)
        return mean

    @property
    def words(self) -> list[str]:
        """[pattern] stable, doubtful or unstable."""
        return [stability_word(float(value)) for value in self.mean]


def best_jaccard(label: NDArray[Any], again: NDArray[Any], n_patterns: int) -> Float:
    """Return [pattern] the Jaccard of each pattern of `label` and the group of `again` most like it.

    Parameters
    ----------
    label, again
        [image] two groupings of the same images; noise is a member of no group in either.
    """
    n_again = int(again.max(initial=NOISE)) + 1
    shared = np.zeros((n_patterns + 1, n_again + 1), np.int64)
    np.add.at(shared, (label, again), 1)
    own = shared.sum(axis=1)[:n_patterns]
    either = own[:, None] + shared.sum(axis=0)[None, :n_again] - shared[:n_patterns, :n_again]
    share = shared[:n_patterns, :n_again] / np.maximum(either, 1)
    best: Float = share.max(axis=1, initial=0.0).astype(np.float32)
    best[own == 0] = np.nan
    return best


def draws(n_images: int, n_draws: int = N_DRAWS, share: float = SHARE, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Give `n_draws` random subsets of the images, ascending; the same for the same `seed`."""
    for random in np.random.default_rng(seed).spawn(n_draws):
        yield np.sort(random.choice(n_images, max(1, round(share * n_images)), replace=False))


def _fresh(activations: Activations, config: ClusterConfig, images: NDArray[np.int64]) -> NDArray[np.int32]:
    rows = replace(activations, values=activations.values[images])
    if is_sampled(config, activations.n_images):
        fewer = max(1, round(config.cluster_sample * len(images) / activations.n_images))
        return find_patterns(rows, replace(config, cluster_sample=fewer)).label
    return labels_of(cluster_space(rows, config), config)


def stability(
    activations: Activations,
    label: NDArray[Any],
    config: ClusterConfig,
    *,
    layout: str = "fresh",
    n_draws: int = N_DRAWS,
    seed: int = 0,
    space: Space | None = None,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Stability:
    """Group `n_draws` random subsets again and compare.

    Parameters
    ----------
    activations
        Raw pooled values [image, feature].
    label
        [image] the patterns that `config` finds in them.
    layout
        ``fresh`` or ``kept``; the same where the recipe reduces and scales nothing.
    space
        The layout that is kept, where it is known already.
    n_jobs
        Threads; the result does not depend on it.

    Raises
    ------
    ConfigError
        If `layout` is neither.
    """
    import joblib

    if layout not in LAYOUTS:
        raise ConfigError(f"layout={layout!r} is not one of fresh, kept; choose one of these.")
    space = None if layout == "fresh" else space or cluster_space(activations, config)
    n_patterns = int(np.max(label, initial=NOISE)) + 1

    def again(images: NDArray[np.int64]) -> tuple[Float, int]:
        found = labels_of(space.subset(images), config) if space else _fresh(activations, config, images)
        return best_jaccard(label[images], found, n_patterns), int(found.max(initial=NOISE)) + 1

    work = joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    jaccard, n_found = [], []
    for row, n in work(joblib.delayed(again)(images) for images in draws(len(label), n_draws, seed=seed)):
        jaccard.append(row)
        n_found.append(n)
        if progress:
            progress(len(n_found), n_draws)
    return Stability(np.array(jaccard).reshape(n_draws, n_patterns), np.array(n_found), layout, seed)
