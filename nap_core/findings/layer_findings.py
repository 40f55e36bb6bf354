"""Layers that change nothing, and units that never answer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import listed
from nap_core.findings.records import Evidence, Finding
from nap_core.geometry.neighbors import nearest_among
from nap_core.types import Float, Int

LEAST_KEPT = 0.95  # share of an image's nearest images that stay the same
LEAST_DEAD = 0.05  # share of a layer's units
_N_NEAREST = 10
_MOST_IMAGES = 3000


def nearest_images(values: Float, looked: Int) -> NDArray[np.int64]:
    """Return [looked, neighbour] the ten nearest of the images `looked` by angle, the image itself left out."""
    rows = np.asarray(values[looked], np.float64)
    rows = rows - rows.mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    every = np.arange(len(rows))
    near, _ = nearest_among(rows, every, every, _N_NEAREST + 1)
    is_self = near == every[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # an equal image may have pushed it out of the list
    others: NDArray[np.int64] = near[~is_self].reshape(len(near), -1)
    return others


def kept_neighbors(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    """Return the share of nearest images [image, neighbour] that two layers have in common, in [0, 1]."""
    same = (before[:, :, None] == after[:, None, :]).any(axis=2)
    return float(same.mean())


def unchanged_layers(evidence: Evidence) -> list[Finding]:
    """Return one finding about all layers in which images lie as they lay in the layer before, or none."""
    if len(evidence.values) < 2 or evidence.n_images <= 4 * _N_NEAREST:
        return []
    n = min(evidence.n_images, _MOST_IMAGES)
    looked = np.unique(np.linspace(0, evidence.n_images - 1, n).astype(np.int32))
    varied = [bool(np.ptp(np.asarray(values[looked]), axis=0).any()) for values in evidence.values]
    near = [nearest_images(values, looked) if ok else None for values, ok in zip(evidence.values, varied, strict=True)]
    told, kept = [], []
    for (i, before), (j, after) in pairwise(enumerate(near)):
        if before is not None and after is not None and (share := kept_neighbors(before, after)) >= LEAST_KEPT:
            told.append(f"{evidence.patterns[j].layer} after {evidence.patterns[i].layer}")
            kept.append((share, j))
    if not told:
        return []
    share, at = max(kept)
    what = "One layer changes" if len(told) == 1 else f"{len(told)} layers change"
    sentence = (
        f"{what} next to nothing: {listed(told, 4)}. {share:.0%} of an image's nearest images stay the same, so one of "
        "the two is enough to look at."
    )
    figures = {"n_layers": float(len(told)), "kept": share}
    none = np.zeros(0, np.int32)
    return [Finding("unchanged", sentence, 0.2 + 0.1 * share, none, evidence.patterns[at].layer, figures=figures)]


def dead_units(values: Float, unit: Int) -> Int:
    """Return the units of a layer whose features have one and the same value for every image.

    Parameters
    ----------
    values
        [image, feature]
    unit
        [feature] the unit of each.
    """
    table = np.asarray(values)
    alive = np.zeros(int(unit.max(initial=-1)) + 1, np.bool_)
    np.logical_or.at(alive, unit, np.ptp(table, axis=0) > 1e-7 * np.maximum(np.abs(table).max(axis=0), 1e-12))
    return np.flatnonzero(~alive).astype(np.int32)


def dead_unit_findings(evidence: Evidence) -> list[Finding]:
    """Return one finding about all layers with many units that never answer, or none."""
    found = []
    for patterns, values, unit in zip(evidence.patterns, evidence.values, evidence.unit, strict=True):
        n, dead = int(unit.max(initial=-1)) + 1, len(dead_units(values, unit))
        if n and dead / n >= LEAST_DEAD:
            found.append((dead / n, dead, n, patterns))
    if not found:
        return []
    share, dead, n, worst = max(found, key=lambda one: one[0])
    others = [patterns.layer for *_, patterns in found if patterns is not worst]
    end = f"; also many in {listed(others, 4)}" if others else ""
    sentence = (
        f"{dead} of {n} units of {worst.layer} give one and the same value for all {evidence.n_images:,} images{end}."
    )
    figures = {"share": share, "n_dead": float(dead), "n_units": float(n)}
    return [Finding("dead", sentence, 0.15 + 0.2 * share, np.zeros(0, np.int32), worst.layer, figures=figures)]
