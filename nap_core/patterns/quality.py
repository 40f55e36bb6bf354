"""What may be believed of a pattern, in figures: does it last, come back, stand apart, and whose images are in it.

Every figure is one number per pattern and speaks of members only; images of no pattern are left out, but for the gaps,
which take those of density where they are assigned. None needs a class; those that do are NaN without.

References
----------
Campello, Moulavi, Zimek, Sander: Hierarchical density estimates for data clustering, visualization, and outlier
detection. ACM TKDD 10 (2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.geometry.ordering import canonical_order
from nap_core.patterns.agreement import class_counts
from nap_core.patterns.clustering import compared
from nap_core.patterns.exemplars import selected_clusters
from nap_core.patterns.gaps import Gaps, compared_label, gaps
from nap_core.patterns.stability import Stability, stability_word
from nap_core.patterns.validity import dbcv, silhouette
from nap_core.types import NOISE, Activations, Float, Int, Patterns, frozen_array

_FLOATS = ("persistence", "silhouette", "dbcv", "stability", "filled", "purity", "entropy", "error_rate", "lift")


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What the layer itself says of its patterns, before any class is asked."""

    persistence: Float  # [pattern] in [0, 1]; see `relative_persistence`
    silhouette: Float  # [pattern] in [-1, 1]; NaN where there is one pattern only
    dbcv: Float  # [pattern] in [-1, 1]; NaN where there is one pattern only
    gaps: Gaps

    def __post_init__(self) -> None:
        for name in ("persistence", "silhouette", "dbcv"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        assert len(self.persistence) == len(self.silhouette) == len(self.dbcv) == len(self.gaps.island)


@dataclass(frozen=True, slots=True, eq=False)
class PatternQuality:
    """How sure one may be of each pattern of a layer; [pattern] throughout."""

    layer: str
    size: Int  # members
    persistence: Float  # in [0, 1], comparable between layers; see `relative_persistence`
    silhouette: Float  # in [-1, 1], on mutual reachability in the layer's own space
    dbcv: Float  # in [-1, 1], in the layer's own space
    stability: Float  # mean Jaccard in [0, 1]; NaN where it was not asked for
    layout: str  # what the stability repeats: "fresh", "kept", or "" where it was not asked for
    neighbor: Int  # the pattern with least of a gap between, or NOISE
    filled: Float  # images in that gap, as a share of an even spread: 0 empty, 1 no gap
    is_apart: NDArray[np.bool_]  # whether a gap parts it from every neighbour
    purity: Float  # share of members of its commonest class, in [0, 1]
    entropy: Float  # of its members' classes, in bits
    error_rate: Float  # share of members that the model gets wrong, in [0, 1]
    lift: Float  # error rate over that of all images of the layer; 1 as many as anywhere

    def __post_init__(self) -> None:
        for name in _FLOATS:
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        for name in ("size", "neighbor"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32))
        object.__setattr__(self, "is_apart", frozen_array(self.is_apart, np.bool_))
        assert {len(getattr(self, name)) for name in (*_FLOATS, "neighbor", "is_apart")} == {len(self.size)}

    @property
    def words(self) -> list[str]:
        """[pattern] stable, doubtful, unstable, or unknown."""
        return [stability_word(float(value)) for value in self.stability]


def relative_persistence(patterns: Patterns) -> Float:
    """Return [pattern] the share of the distance scale over which a member stays in it, in [0, 1].

    A pattern appears at some distance and loses its images at smaller ones: the mean of 1 - (distance at which an image
    leaves, or the pattern splits) / (distance at which it appeared). hdbscan's own persistence is divided by the
    largest density anywhere in the layer, so that one pair of near-equal images makes all patterns of that layer look
    short-lived; this one depends on the pattern alone, and compares between layers.
    """
    tree = patterns.tree
    born = dict(zip(tree.child.tolist(), tree.lambda_val.tolist(), strict=True))
    lasting = np.zeros(patterns.n_patterns, np.float32)
    for pattern, cluster in enumerate(selected_clusters(tree, patterns.label)):
        leaving = tree.parent == cluster
        stay = 1.0 - born.get(int(cluster), 0.0) / tree.lambda_val[leaving]
        lasting[pattern] = np.average(stay, weights=tree.child_size[leaving])
    return np.clip(lasting, 0.0, 1.0)


def measures(activations: Activations, patterns: Patterns, config: ClusterConfig) -> Measures:
    """Measure the patterns that `config` found in `activations`; the order of the images does not matter."""
    order = canonical_order(activations.values)
    values = compared(replace(activations, values=activations.values[order]), config)
    label = patterns.label[order]
    return Measures(
        persistence=relative_persistence(patterns),
        silhouette=silhouette(values, label, config.min_samples, config.metric),
        dbcv=dbcv(values, label, config.metric),
        gaps=gaps(values, compared_label(patterns, config)[order]),
    )


def _shares(counts: NDArray[Any]) -> tuple[Float, Float]:
    """Return purity and entropy of the rows of [pattern, class]; NaN where a pattern has no image of known class."""
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    bits = share * np.log2(share, out=np.zeros_like(share), where=share > 0)
    return share.max(axis=1, initial=0.0).astype(np.float32), np.abs(bits.sum(axis=1)).astype(np.float32)


def _errors(patterns: Patterns, wrong: NDArray[np.bool_], can_be_wrong: NDArray[np.bool_]) -> tuple[Float, Float]:
    """Return the share of wrong answers in each pattern, and how many times that of all images it is."""
    n = patterns.n_patterns

    def count(images: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(patterns.label[images & (patterns.label != NOISE)], minlength=n)

    asked = count(can_be_wrong)
    rate = np.divide(count(wrong), asked, out=np.full(n, np.nan), where=asked > 0)
    overall = wrong.sum() / max(1, can_be_wrong.sum())
    lift = rate / overall if overall else np.full(n, np.nan)
    return rate.astype(np.float32), lift.astype(np.float32)


def pattern_quality(
    patterns: Patterns,
    found: Measures,
    stability: Stability | None = None,
    target: NDArray[Any] | None = None,
    wrong: NDArray[np.bool_] | None = None,
) -> PatternQuality:
    """Bring together what is known of each pattern.

    Parameters
    ----------
    target
        [image] classes, `NOISE` where unknown; none by default.
    wrong
        [image] whether the model's answer is wrong; none where there are no answers. Only images of known class count.
    """
    n = patterns.n_patterns
    unknown = np.full(n, np.nan, np.float32)
    target = np.full(patterns.n_images, NOISE) if target is None else target
    counts = class_counts(patterns.label, target, n, int(target.max(initial=NOISE)) + 1)[:-1, :-1]
    purity, entropy = _shares(counts) if counts.shape[1] else (unknown, unknown)
    rate, lift = (unknown, unknown) if wrong is None else _errors(patterns, wrong, target != NOISE)
    neighbor, filled = found.gaps.fullest()
    return PatternQuality(
        layer=patterns.layer,
        size=patterns.size,
        persistence=found.persistence,
        silhouette=found.silhouette,
        dbcv=found.dbcv,
        stability=unknown if stability is None else stability.mean,
        layout="" if stability is None else stability.layout,
        neighbor=neighbor,
        filled=filled,
        is_apart=found.gaps.apart,
        purity=purity,
        entropy=entropy,
        error_rate=rate,
        lift=lift,
    )
