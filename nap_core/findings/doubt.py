"""How likely each label is wrong: several readings of the classes, weighted, beside the chance of a slip.

An image's label is either one of those slips, and then any other class at random, or it follows what the sources hold
of the image. How much each source is worth, and how common slips are, is what makes the labels given most likely. So
sources that know nothing lose their weight, images that are merely hard stay likely enough as they are, and the doubt
is a probability: the mean doubt of the images that are told is the share of them expected to be wrong.

References
----------
McFadden: Conditional logit analysis of qualitative choice behavior. Frontiers in Econometrics (1974).
Bootkrajang, Kaban: Label-noise robust logistic regression and its applications. ECML PKDD (2012).
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
    slips: float  # share of labels given at random, in [0, 0.5]


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
    from scipy.optimize import minimize

    n, n_classes = readings[0].shape
    n_fitted = max(1, min(n, _MOST_ENTRIES // (n_classes * len(readings))))
    fitted = np.unique(np.linspace(0, n - 1, n_fitted).astype(np.int64))
    table = np.stack([one[fitted] for one in readings], axis=2)
    first = np.append(np.full(len(readings), 1 / len(readings)), np.log(_FIRST_GUESS / (1 - _FIRST_GUESS)))
    bounds = [*[(0.0, None)] * len(readings), (_LEAST_LOG_ODDS, _MOST_LOG_ODDS)]
    best = minimize(_loss, first, (table, target[fitted]), "L-BFGS-B", jac=True, bounds=bounds).x
    likely = _softmax(sum((w * one for w, one in zip(best[:-1], readings, strict=True)), np.zeros((n, n_classes))))
    own, slips = likely[np.arange(n), target], _sigmoid(best[-1])
    slipped = slips * (1 - own) / (n_classes - 1)
    return Doubt(likely, slipped / np.maximum((1 - slips) * own + slipped, 1e-300), best[:-1], slips)


def most_doubtful(doubt: Table, mean: float, least: float) -> Int:
    """Return the images of largest doubt, largest first: as many as have this mean doubt, and each this much."""
    order = np.argsort(-doubt, kind="stable").astype(np.int32)
    so_far = np.cumsum(doubt[order]) / np.arange(1, len(order) + 1)
    chosen: Int = order[: int(((so_far >= mean) & (doubt[order] >= least)).sum())]
    return chosen
