"""How foreign images are to a layer: far from all it knows, or far from every class, or sure of nothing.

Five scores, each larger the more foreign, fitted on known images only:

- ``distance``: mean distance to the five nearest known images, as the layer is compared (by angle, mostly);
- ``raw distance``: the same between raw activations, as an image may be foreign by answering loudly or hardly at all;
- ``class distance``: Mahalanobis distance to the nearest class mean, one covariance for all classes, shrunk;
- ``membership``: 1 - strength in the HDBSCAN cluster of the nearest known image;
- ``outlier``: GLOSH of the place where the image would join the tree of the known.

Each is then told as a chance: the share of known images that score as high when they are held out, a fifth at a time.
The *fused* score is the mean of ``-log(chance)`` over the three distances of every layer and the model's own
uncertainty (1 - the largest softmax), one voice each. Membership and GLOSH are shown beside and have no voice: a tree
of the known says little of places it does not hold (photos against textures, per layer: membership AUROC .54 to .65,
the class distance .74 to .91).

References
----------
Sun, Ming, Zhu, Li: Out-of-distribution detection with deep nearest neighbors. ICML 2022.
Lee, Lee, Lee, Shin: A simple unified framework for detecting out-of-distribution samples. NeurIPS 2018.
Hendrycks, Gimpel: A baseline for detecting misclassified and out-of-distribution examples. ICLR 2017.
Ledoit, Wolf: A well-conditioned estimator for large-dimensional covariance matrices. Journal of Multivariate Analysis
88 (2004).
Fisher: Statistical Methods for Research Workers (1925), for the sum of logarithms of chances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import Table, blocks, distances, nearest
from nap_core.geometry.ordering import distinct_rows
from nap_core.geometry.spanning_tree import spanning_tree
from nap_core.patterns.cutting import clusters_of_tree
from nap_core.types import NOISE

N_NEAREST = 5
N_FOLDS = 5
MIN_CLUSTER_SIZE = 5
VOICES = ("distance", "raw distance", "class distance")
SHOWN = (*VOICES, "membership", "outlier")
SOFTMAX = "uncertainty"
RARE = 0.05
"""Share of the known images that are as strange, up to which an image looks foreign."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How well a score tells foreign from known images."""

    auroc: float  # chance that a foreign image scores higher than a known one, ties by half
    low: float  # 95 % bootstrap interval
    high: float


def separation(score: NDArray[Any], is_foreign: NDArray[np.bool_], n_draws: int = 1000, seed: int = 0) -> Separation:
    """Return the AUROC of a score and its bootstrap interval, known and foreign images drawn apart.

    Parameters
    ----------
    score
        [image] larger the more foreign.
    is_foreign
        [image] True for at least one and False for at least one.
    """
    known, foreign = score[~is_foreign], score[is_foreign]
    random = np.random.default_rng(seed)
    drawn = [
        _auroc(random.choice(known, len(known)), random.choice(foreign, len(foreign))) for _ in range(max(1, n_draws))
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Separation(_auroc(known, foreign), float(low), float(high))


def _auroc(known: NDArray[Any], foreign: NDArray[Any]) -> float:
    ordered = np.sort(known)
    below, upto = np.searchsorted(ordered, foreign, "left"), np.searchsorted(ordered, foreign, "right")
    return float((below + upto).mean() / (2 * len(known)))


def near_distance(known: Table, rows: Table) -> Table:
    """Return [row] the mean distance to the `N_NEAREST` nearest of `known`."""
    middle = known.mean(axis=0)
    table, k = known - middle, min(N_NEAREST, len(known))
    found = np.empty(len(rows))
    for part in blocks(len(rows), len(known)):
        apart = distances(rows[part] - middle, table)
        found[part] = np.partition(apart, k - 1, axis=1)[:, :k].mean(axis=1)
    return found


def class_distance(known: Table, group: NDArray[Any], rows: Table) -> Table:
    """Return [row] the squared Mahalanobis distance to the nearest mean of a group.

    Parameters
    ----------
    known, group
        [image, feature] and [image] its class; images of `NOISE` are left out.
    """
    from scipy.linalg import cholesky, solve_triangular
    from sklearn.covariance import ledoit_wolf

    known, group = known[group != NOISE], group[group != NOISE]
    numbers, position = np.unique(group, return_inverse=True)
    mean = np.stack([known[position == number].mean(axis=0) for number in range(len(numbers))])
    covariance = ledoit_wolf(known - mean[position], assume_centered=True)[0]
    usual = max(float(np.trace(covariance)) / len(covariance), 1e-30)
    factor = cholesky(covariance + 1e-9 * usual * np.eye(len(covariance)), lower=True)
    origin = mean.mean(axis=0)
    whitened, center = (solve_triangular(factor, (part - origin).T, lower=True).T for part in (rows, mean))
    apart: Table = distances(whitened, center).astype(np.float64).min(axis=1) ** 2
    return apart


def tree_scores(known: Table, rows: Table) -> tuple[Table, Table]:
    """Return [row] 1 - membership strength and GLOSH of where new rows would join HDBSCAN's tree of `known`.

    A new row joins the cluster of its nearest known row, at the density of the sparser of the two.
    """
    core = nearest(known, N_NEAREST)[1]
    place, group, _ = distinct_rows(known)
    edge, weight = spanning_tree(known[place], N_NEAREST, group=group)
    found = clusters_of_tree(edge, weight, MIN_CLUSTER_SIZE, "eom")
    middle = known.mean(axis=0)
    apart = distances(rows - middle, known - middle)
    first, k = apart.argmin(axis=1), min(N_NEAREST, len(known))
    reach = np.maximum(np.partition(apart, k - 1, axis=1)[:, k - 1], core[first, -1])
    density = 1.0 / np.maximum(reach, 1e-12)
    tree, n = found.tree, len(known)
    leaves = tree.child < n
    parent = np.zeros(n, np.int64)
    parent[tree.child[leaves]] = tree.parent[leaves]
    deepest = dict.fromkeys(np.unique(tree.parent).tolist(), 0.0)
    edges = zip(tree.parent.tolist(), tree.child.tolist(), tree.lambda_val.tolist(), strict=True)
    for cluster, child, at in sorted(edges, reverse=True):  # a cluster's number is larger than its parent's
        deepest[cluster] = max(deepest[cluster], at, deepest.get(child, 0.0))
    most = np.array([deepest[int(parent[image])] for image in first])
    share = np.minimum(density / np.maximum(most, 1e-30), 1.0)
    member = found.label[first] != NOISE
    return 1.0 - np.where(member, share, 0.0), 1.0 - share


Scores = dict[str, Table]


def layer_scores(
    compared: Table, raw: Table, group: NDArray[Any], rows: NDArray[Any], raw_rows: NDArray[Any]
) -> Scores:
    """Return the scores of new rows in one layer, name → [row]; without a class, ``class distance`` is left out.

    Parameters
    ----------
    compared, raw
        [image, feature] known images as they are compared, and as they are.
    group
        [image] class of the known images, or `NOISE`.
    rows, raw_rows
        [row, feature] the new ones, likewise.
    """
    found = {"distance": near_distance(compared, rows), "raw distance": near_distance(raw, raw_rows)}
    if (group != NOISE).any():
        found["class distance"] = class_distance(compared, group, rows)
    found["membership"], found["outlier"] = tree_scores(compared, rows)
    return found


def scored_by_folds(
    compared: Table, raw: Table, group: NDArray[Any], rows: NDArray[Any], raw_rows: NDArray[Any], seed: int = 0
) -> tuple[Scores, Scores]:
    """Return the scores of new rows and those of the known images, name → [row] and name → [image].

    A fifth of the known images at a time is left out and scored by the others. New rows are scored by each of these
    five fits, and the mean is taken: scored by all images at once they would find nearer ones than those left out do.

    Parameters
    ----------
    compared, raw, group, rows, raw_rows
        As in `layer_scores`.
    """
    n, n_folds = len(raw), min(N_FOLDS, len(raw))
    fold = np.random.default_rng(seed).permutation(n) % n_folds
    new: Scores = {}
    own: Scores = {}
    for number in range(n_folds):
        out, kept = fold == number, fold != number
        asked, asked_raw = np.concatenate([compared[out], rows]), np.concatenate([raw[out], raw_rows])
        for name, score in layer_scores(compared[kept], raw[kept], group[kept], asked, asked_raw).items():
            n_out = int(out.sum())
            own.setdefault(name, np.full(n, np.inf))[out] = score[:n_out]
            new[name] = new.get(name, 0.0) + score[n_out:] / n_folds
    return new, own


def surprise(score: NDArray[Any], of_known: NDArray[Any]) -> Table:
    """Return [row] ``-log`` of the share of known images that score as high, the row itself counted among them."""
    ordered = np.sort(of_known)
    as_high = len(ordered) - np.searchsorted(ordered, score, side="left")
    found: Table = -np.log((as_high + 1) / (len(ordered) + 1))
    return found


def own_surprise(of_known: NDArray[Any]) -> Table:
    """Return [image] the surprise of known images among themselves: as if each were new, and the others known."""
    ordered = np.sort(of_known)
    as_high = len(ordered) - np.searchsorted(ordered, of_known, side="left")
    found: Table = -np.log(as_high / len(ordered))
    return found


def fused(voices: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> tuple[Table, Table]:
    """Return the mean surprise of the rows and of the known images.

    Parameters
    ----------
    voices
        Name → scores of the rows, and of the known images held out.
    """
    rows = np.mean([surprise(score, of_known) for score, of_known in voices.values()], axis=0)
    known = np.mean([own_surprise(of_known) for _, of_known in voices.values()], axis=0)
    return rows, known
