"""What the clustering's parameters do: one tree, cut in every way, and how much of each cut comes back.

A cut takes milliseconds where the tree is there. Beside the number of patterns and the share of images in them, each
setting is asked what stability asks: a fifth of the images is left out, the rest is cut again in the same layout. The
share of all images that come back, members weighted with their pattern's Jaccard, counts both: an image of no pattern
does not come back, and neither does one whose pattern dissolves. A setting is suggested, and never taken by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.patterns.agreement import adjusted_mutual_information
from nap_core.patterns.space import Index, Space, cut, tree_of
from nap_core.patterns.stability import best_jaccard, draws
from nap_core.types import NOISE, Float, Int, Progress, frozen_array

SIZES = (3, 5, 8, 12, 20, 30, 50, 80)
METHODS = ("leaf", "eom")
N_DRAWS = 10
AS_GOOD = 0.05
"""Settings whose share of images that come back is at most so much below the best count as good as the best."""


@dataclass(frozen=True, slots=True, eq=False)
class Dial:
    """What each setting gives; [setting], by method, then by size."""

    method: tuple[str, ...]  # "leaf" or "eom"
    min_cluster_size: Int
    n_patterns: Int
    coverage: Float  # in [0, 1]
    comes_back: Float  # share of all images, in [0, 1]
    ami: Float  # agreement with the classes, noise as one group; NaN without classes

    def __post_init__(self) -> None:
        for name in ("min_cluster_size", "n_patterns"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32))
        for name in ("coverage", "comes_back", "ami"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        assert {len(getattr(self, name)) for name in self.__slots__} == {len(self.method)}

    def suggested(self, current: int | None = None) -> int | None:
        """Return the setting with most patterns among those of which almost as much comes back as of the best.

        Of equally many patterns it is `current`, if that is one of these settings, else the one of which most comes
        back; None where no setting finds a pattern.
        """
        if not (self.n_patterns > 0).any():
            return None
        good = self.comes_back >= self.comes_back.max() - AS_GOOD
        most = np.where(good & (self.n_patterns > 0), self.n_patterns, -1)
        if current is not None and most[current] == most.max():
            return current
        return int(np.lexsort((-self.comes_back, -most))[0])

    def config(self, setting: int, base: ClusterConfig) -> ClusterConfig:
        """Return `base` with this setting."""
        return replace(
            base,
            min_cluster_size=int(self.min_cluster_size[setting]),
            cluster_selection_method=self.method[setting],
        )


def settings(n_images: int, config: ClusterConfig) -> list[ClusterConfig]:
    """Return the cuts that are tried: both methods, minimum sizes up to a quarter of the images, and `config`'s own."""
    sizes = {size for size in SIZES if size <= n_images / 4} | {min(config.min_cluster_size, max(2, n_images))}
    return [
        replace(config, cluster_selection_method=method, min_cluster_size=size)
        for method in METHODS
        for size in sorted(sizes)
    ]


def _labels(space: Space, tree: tuple[Index, Float], config: ClusterConfig) -> NDArray[np.int32]:
    if not len(tree[1]) or len(space.order) < config.min_cluster_size:
        return np.full(len(space.order), NOISE, np.int32)
    label: NDArray[np.int32] = cut(space, *tree, config).label[np.argsort(space.order)]
    return label


def dial(
    space: Space,
    tree: tuple[Index, Float],
    config: ClusterConfig,
    target: NDArray[Any] | None = None,
    *,
    n_draws: int = N_DRAWS,
    progress: Progress | None = None,
) -> Dial:
    """Try every setting.

    Parameters
    ----------
    space, tree
        Where the images lie, and the spanning tree there: edges and weights.
    config
        The clustering whose cut is varied.
    target
        [image] classes, `NOISE` where unknown.
    """
    n = len(space.order)
    tried = settings(n, config)
    labels = [_labels(space, tree, setting) for setting in tried]
    n_patterns = [int(label.max(initial=NOISE)) + 1 for label in labels]
    back = np.zeros((n_draws, len(tried)))
    for draw, images in enumerate(draws(n, n_draws, seed=config.seed)):
        part = space.subset(images)
        again = tree_of(part, config)
        for i, setting in enumerate(tried):
            here = labels[i][images]
            jaccard = np.nan_to_num(best_jaccard(here, _labels(part, again, setting), n_patterns[i]))
            size = np.bincount(here[here != NOISE], minlength=n_patterns[i])
            back[draw, i] = jaccard @ size / len(images)
        if progress:
            progress(draw + 1, n_draws)
    known = target if target is not None else np.full(n, NOISE)
    return Dial(
        method=tuple(setting.cluster_selection_method for setting in tried),
        min_cluster_size=np.array([setting.min_cluster_size for setting in tried], np.int32),
        n_patterns=np.array(n_patterns, np.int32),
        coverage=np.array([np.mean(label != NOISE) for label in labels], np.float32),
        comes_back=back.mean(axis=0).astype(np.float32),
        ami=np.array([adjusted_mutual_information(label, known) for label in labels], np.float32),
    )
