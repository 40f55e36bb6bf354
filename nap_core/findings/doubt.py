"""How likely each label is wrong: several readings of the classes, weighted, beside the chance of a slip.

An image's label is either one of those slips, and then another class at random, or it follows what the sources hold
of the image. How much each source is worth, and how common slips are, is what makes the labels given most likely. So
sources that know nothing lose their weight, images that are merely hard stay likely enough as they are, and the doubt
is a probability: the mean doubt of the images that are told is the share of them expected to be wrong.

Where slips run along certain pairs of classes so clearly that chance would not do it, they are counted pair by pair;
without that proof, images of a class that merely looks like another one would be taken for slips.

References
----------
McFadden: Conditional logit analysis of qualitative choice behavior. Frontiers in Econometrics (1974).
Bootkrajang, Kaban: Label-noise robust logistic regression and its applications. ECML PKDD (2012).
Northcutt, Jiang, Chuang: Confident learning: estimating uncertainty in dataset labels. JAIR 70 (2021), for slips by
pairs of classes.
Wilks: The large-sample distribution of the likelihood ratio. Ann. Math. Stat. 9 (1938), for when they are counted.
Efron, Tibshirani, Storey, Tusher: Empirical Bayes analysis of a microarray experiment. JASA 96 (2001), for the choice
by local false discovery rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nap_core.findings.readings import Table
from nap_core.types import Int

_PENALTY = 1e-4
_LEVEL = 1e-3  # chance that slips at random look like slips along pairs
_PRIOR_IMAGES = 100  # of each class, whose slips are at random, added when slips are counted by pairs
_ROUNDS = 12
_MOST_LIKELY_SLIPS = (1e-4, 0.45)
_FIRST_GUESS = 0.03
_MOST_LOG_ODDS = 0.0  # no more slips than rightly given labels
_LEAST_LOG_ODDS = -9.0
_MOST_ENTRIES = 20_000_000  # images × classes × readings that are fitted at once; of more images an even sample


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """What is believed of every image and its label."""

    likely: Table  # [image, class] probability of the class, from the readings alone
    doubt: Table  # [image] probability that the label given is wrong
    weight: Table  # [reading] worth, in log odds per standard deviation of the reading
    slips: Table  # [class, given] share of a class's images that got each label; rows sum to 1


def _softmax(score: Table) -> Table:
    powers = np.exp(score - score.max(axis=1, keepdims=True))
    shares: Table = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def _loss(parameters: Table, table: Table, target: Int) -> tuple[float, Table]:
    """Return mean negative log likelihood of the labels, and its gradient.

    Parameters
    ----------
    parameters
        [reading + 1] weights, then the log odds of a slip.
    table
        [image, class, reading]
    """
    weight, slips = parameters[:-1], _sigmoid(parameters[-1])
    (n, n_classes, _), every = table.shape, np.arange(len(table))
    likely = _softmax(table @ weight)
    own = likely[every, target]
    at_random = (1 - own) / (n_classes - 1)
    total = (1 - slips) * own + slips * at_random
    pull = own * (1 - slips - slips / (n_classes - 1)) / total / n
    step = table[every, target] - np.einsum("nk,nkr->nr", likely, table, optimize=True)
    gradient = 2 * _PENALTY * weight - pull @ step
    by_slips = -float(((at_random - own) / total).mean()) * slips * (1 - slips)
    return float(-np.log(total).mean() + _PENALTY * (weight**2).sum()), np.append(gradient, by_slips)


def weigh(readings: Sequence[Table], target: Int) -> Doubt:
    """Return how likely each label is wrong.

    Parameters
    ----------
    readings
        [reading][image, class] what each source holds, larger for likelier classes; none may have seen the image's
        own label.
    target
        [image] classes from 0 on, two at least.
    """
    n, n_classes = readings[0].shape
    n_fitted = max(1, min(n, _MOST_ENTRIES // (n_classes * len(readings))))
    fitted = np.unique(np.linspace(0, n - 1, n_fitted).astype(np.int64))
    table, given = np.stack([one[fitted] for one in readings], axis=2), target[fitted]
    weight, slips = _at_random(table, given)
    if n_classes * (n_classes - 1) < len(given):  # no more kinds of slips than labels
        by_pairs = _by_pairs(table, given, weight, slips)
        if _is_better((weight, slips), by_pairs, table, given):
            weight, slips = by_pairs
    likely = _softmax(sum((w * one for w, one in zip(weight, readings, strict=True)), np.zeros((n, n_classes))))
    true, _ = _given_the_label(likely, slips, target)
    return Doubt(likely, 1 - true[np.arange(n), target], weight, slips)


def _at_random(table: Table, target: Int) -> tuple[Table, Table]:
    """Return the weights and the slips if every other class is as likely as the next."""
    from scipy.optimize import minimize

    _, n_classes, n_readings = table.shape
    first = np.append(np.full(n_readings, 1 / n_readings), np.log(_FIRST_GUESS / (1 - _FIRST_GUESS)))
    bounds = [*[(0.0, None)] * n_readings, (_LEAST_LOG_ODDS, _MOST_LOG_ODDS)]
    best = minimize(_loss, first, (table, target), "L-BFGS-B", jac=True, bounds=bounds).x
    return best[:-1], _even(_sigmoid(best[-1]), n_classes)


def _even(share: float, n_classes: int) -> Table:
    """Return [class, given] slips of which `share` of each class fall evenly on the other ones."""
    return np.where(np.eye(n_classes, dtype=np.bool_), 1 - share, share / (n_classes - 1))


def _given_the_label(likely: Table, slips: Table, target: Int) -> tuple[Table, Table]:
    """Return [image, class] how likely each class is when the label is known too, and [image] how likely the label."""
    both = likely * slips.T[target]
    total = np.maximum(both.sum(axis=1), 1e-300)
    return both / total[:, None], total


def _by_pairs(table: Table, target: Int, weight: Table, slips: Table) -> tuple[Table, Table]:
    """Return the weights and the slips if each pair of classes has a share of its own (expectation, maximisation)."""
    from scipy.optimize import minimize

    n, n_classes, n_readings = table.shape

    def loss(weight: Table) -> tuple[float, Table]:
        likely = _softmax(table @ weight)
        true, total = _given_the_label(likely, slips, target)
        gradient = 2 * _PENALTY * weight - np.einsum("nk,nkr->r", true - likely, table, optimize=True) / n
        return float(-np.log(total).mean() + _PENALTY * (weight**2).sum()), gradient

    for _ in range(_ROUNDS):
        bounds, few = [(0.0, None)] * n_readings, {"maxiter": 8}
        weight = minimize(loss, weight, method="L-BFGS-B", jac=True, bounds=bounds, options=few).x
        true, _ = _given_the_label(_softmax(table @ weight), slips, target)
        share = float(np.clip(1 - true[np.arange(n), target].mean(), *_MOST_LIKELY_SLIPS))
        count = np.array([true[target == label].sum(axis=0) for label in range(n_classes)]).T
        count += _PRIOR_IMAGES * _even(share, n_classes)
        slips = count / count.sum(axis=1, keepdims=True)
    return weight, slips


def _is_better(one: tuple[Table, Table], other: tuple[Table, Table], table: Table, target: Int) -> bool:
    """Whether the labels are so much likelier by the other weights and slips that the freedom alone does not do it."""
    from scipy.stats import chi2

    plain, free = (np.log(_given_the_label(_softmax(table @ w), s, target)[1]).sum() for w, s in (one, other))
    n_classes = table.shape[1]
    return bool(chi2.sf(2 * (free - plain), n_classes * (n_classes - 1)) < _LEVEL)


def most_doubtful(doubt: Table, mean: float, least: float) -> Int:
    """Return the images of largest doubt, largest first: as many as have this mean doubt, and each this much."""
    order = np.argsort(-doubt, kind="stable").astype(np.int32)
    so_far = np.cumsum(doubt[order]) / np.arange(1, len(order) + 1)
    chosen: Int = order[: int(((so_far >= mean) & (doubt[order] >= least)).sum())]
    return chosen
