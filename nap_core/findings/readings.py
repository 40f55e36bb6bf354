"""What is held of each image without its own label: a number per class, from several sources.

All layers together are read by a ridge regression, whose held-out answers come in closed form, and which reads a class
through a shortcut that would mislead its nearest neighbours. Each layer for itself is read by those neighbours, which
see classes of several kinds where a straight line does not. The network's own answer knows more than a few images of a
class can teach, where its classes are those of the data set.

References
----------
Allen: The relationship between variable selection and data augmentation and a method for prediction (PRESS).
Technometrics 16 (1974).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nap_core.findings.layer_findings import nearest_images
from nap_core.findings.records import Evidence
from nap_core.types import Float, Int

_MOST_COLUMNS = 1024
_STRENGTHS = 10.0 ** np.arange(-4, 1.1)
_PRIOR_IMAGES = 2  # added to each image's neighbours, spread over the classes as in the data set

Table = NDArray[np.float64]


def _columns(values: Float, most: int) -> Table:
    """Return the features of a layer as at most `most` columns: standardised, then turned to their main directions."""
    table = np.asarray(values, np.float64)
    table = table - table.mean(axis=0)
    spread = table.std(axis=0)
    varied = spread > 1e-6 * max(float(spread.max(initial=0)), 1e-12)
    scaled: Table = table[:, varied] / spread[varied]
    if scaled.shape[1] <= most:
        return scaled
    _, directions = np.linalg.eigh(scaled.T @ scaled)
    turned: Table = scaled @ directions[:, -most:]
    return turned


def held_out_votes(columns: Table, target: Int, n_classes: int) -> Table:
    """Return [image, class] how far a ridge regression fitted without the image speaks for each class, about 0 to 1.

    The strength of the ridge is the one of least held-out error.

    Parameters
    ----------
    columns
        [image, column]
    target
        [image] classes from 0 on; every image has one.
    """
    n = len(columns)
    share = np.bincount(target, minlength=n_classes) / n
    wanted = np.eye(n_classes)[target] - share
    left, singular, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    along, best = left.T @ wanted, (np.inf, wanted)
    for strength in _STRENGTHS:
        kept = singular**2 / (singular**2 + strength * n)
        leverage = np.minimum((left * kept * left).sum(axis=1) + 1 / n, 1 - 1e-9)[:, None]
        votes = ((left * kept) @ along - leverage * wanted) / (1 - leverage)
        error = float(((votes - wanted) ** 2).mean())
        if error < best[0]:
            best = (error, votes)
    return best[1] + share


def neighbor_votes(near: NDArray[np.int64], target: Int, n_classes: int) -> Table:
    """Return [image, class] the logarithm of a class's share among an image's neighbours [image, neighbour]."""
    count = np.zeros((len(target), n_classes))
    np.add.at(count, (np.arange(len(target))[:, None], target[near]), 1)
    share = np.bincount(target, minlength=n_classes) / len(target)
    voted: Table = np.log((count + _PRIOR_IMAGES * share) / (near.shape[1] + _PRIOR_IMAGES))
    return voted


def _of_network(belief: Float) -> list[Table]:
    """Return the network's answer, and which classes it lacks, if it lacks some.

    For a class it lacks it holds nothing: the second reading lets the data say how much that is.
    """
    known = np.isfinite(belief)
    if not known.any() or not (known == known[0]).all():
        return []
    held = np.where(known, belief, belief[:, known[0]].mean(axis=1, keepdims=True)).astype(np.float64)
    return [held] if known.all() else [held, np.where(known, 0.0, held.std())]


def readings(evidence: Evidence, judged: Int, target: Int, classes: Int) -> list[Table]:
    """Return what each source holds of the judged images, each [judged, class] with a spread of 1 or none.

    Parameters
    ----------
    judged
        [judged] images.
    target
        [judged] their classes, as positions in `classes`.
    classes
        [class] the data set's numbers.
    """
    layers, n_classes = [np.asarray(values)[judged] for values in evidence.values], len(classes)
    most = max(32, _MOST_COLUMNS // len(layers))
    columns = np.concatenate([_columns(values, most) for values in layers], axis=1)
    found = [held_out_votes(columns, target, n_classes)]
    n_near = 2 * int(np.median(np.bincount(target, minlength=n_classes)))
    every = np.arange(len(judged), dtype=np.int32)
    found += [neighbor_votes(nearest_images(values, every)[:, :n_near], target, n_classes) for values in layers]
    if evidence.belief is not None:
        found += _of_network(evidence.belief[judged][:, classes])
    return [one / spread if (spread := float(one.std())) > 1e-9 else np.zeros_like(one) for one in found]
