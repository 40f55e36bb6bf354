"""The same picture twice: to the last pixel, or nearly (saved again, made smaller, a little lighter).

A mirrored, turned or cropped picture counts as another one, and so does another shot of the same scene; pictures
without anything in them count as none. A perceptual hash of 64 bits names candidates, small copies of the pictures
decide. Duplicates make a pattern look
firmer than it is, and one of different classes means a wrong label.

References
----------
Krawetz: Kind of like that (dHash). The Hacker Factor Blog (2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.findings.records import Evidence, Finding
from nap_core.inputs.properties import ImageProperties
from nap_core.types import NOISE, Float, Int, frozen_array

MOST_BITS = 10  # of 64 in which two hashes of one picture may differ
MOST_DIFFERENCE = 0.3  # of two copies of one picture, as a share of what the picture itself varies
MOST_RELATIVE = 0.26  # the same, as a share of the difference to like pictures of the set: digits are all alike
_EXACT = 0.02  # a difference that needs no comparison with like pictures
_N_OTHERS, _NTH = 512, 4  # pictures looked at for that, and which of them in order of likeness is taken
_BLOCK = 4_000_000
_FLAT = 4.0  # of 255: pictures that vary less show nothing that could be the same


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """Groups of pictures that are one and the same."""

    image: Int  # [member] group by group, in image order
    group: Int  # [member] from 0 on
    is_exact: NDArray[np.bool_]  # [group] whether all copies are the same to the last pixel of the small copy

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", frozen_array(self.image, np.int32))
        object.__setattr__(self, "group", frozen_array(self.group, np.int32))
        object.__setattr__(self, "is_exact", frozen_array(self.is_exact, np.bool_))
        assert len(self.image) == len(self.group)
        assert len(self.is_exact) == int(self.group.max(initial=-1)) + 1


def _candidates(fingerprint: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return [pair, 2] images whose hashes differ in few bits."""
    n, found = len(fingerprint), []
    step = max(1, _BLOCK // max(1, n))
    for start in range(0, n, step):
        bits = np.bitwise_count(fingerprint[start : start + step, None] ^ fingerprint[None, start:])
        a, b = np.nonzero(bits <= MOST_BITS)
        found.append(np.stack([a, b], axis=1)[a < b] + start)
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)


def _centred(small: NDArray[Any]) -> Float:
    """[picture, value] pixels with the picture's mean at 0."""
    rows = small.reshape(len(small), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows


def _difference(a: Float, b: Float) -> Float:
    """[row] root mean square difference of centred pictures, as a share of what the flatter of the two varies."""
    spread = np.minimum(a.std(axis=-1), b.std(axis=-1))
    difference: Float = np.sqrt(((a - b) ** 2).mean(axis=-1)) / np.maximum(spread, 1e-6)
    return np.where(spread > _FLAT, difference, np.inf).astype(np.float32)


def _likeness_of_others(small: NDArray[np.uint8], images: NDArray[np.int64]) -> dict[int, float]:
    """Return for each of `images` its difference to the most alike pictures of an even sample of the set."""
    others = _centred(small[np.unique(np.linspace(0, len(small) - 1, _N_OTHERS).astype(int))])
    nth, spread = min(_NTH, len(others) - 1), others.std(axis=1)
    found: dict[int, float] = {}
    for start in range(0, len(images), _N_OTHERS):
        block = images[start : start + _N_OTHERS]
        rows = _centred(small[block])
        own = rows.std(axis=1)[:, None]
        square = own**2 + spread**2 - 2 * (rows @ others.T) / rows.shape[1]
        least = np.minimum(own, spread)
        difference = np.where(least > _FLAT, np.sqrt(np.maximum(square, 0)) / np.maximum(least, 1e-6), np.inf)
        found |= dict(zip(block.tolist(), np.partition(difference, nth, axis=1)[:, nth].tolist(), strict=True))
    return found


def _pair_difference(rows: Float, pairs: NDArray[np.int64]) -> Float:
    """[pair] difference of the two pictures of each pair."""
    parts = [pairs[start : start + 1024] for start in range(0, len(pairs), 1024)]
    return np.concatenate([np.zeros(0, np.float32), *(_difference(rows[p[:, 0]], rows[p[:, 1]]) for p in parts)])


def _same(small: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those pairs whose small copies show one picture, in whatever light."""
    coarse = small.reshape(len(small), 8, 4, 8, 4, 3).mean(axis=(2, 4, 5)).reshape(len(small), -1)
    pairs = pairs[_pair_difference(_centred(coarse), pairs) < MOST_DIFFERENCE]  # what is alike is alike from afar
    difference = _pair_difference(_centred(small), pairs)
    same: NDArray[np.bool_] = difference < _EXACT
    near = np.flatnonzero(~same & (difference < MOST_DIFFERENCE))
    others = _likeness_of_others(small, np.unique(pairs[near]))
    for i in near:
        a, b = (int(image) for image in pairs[i])
        same[i] = difference[i] < MOST_RELATIVE * min(others[a], others[b])
    return pairs[same]


def find_duplicates(properties: ImageProperties) -> Duplicates:
    """Return the groups of pictures that are one and the same; every other picture is left out."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    small = properties.small
    pairs = _same(small, _candidates(properties.fingerprint))
    n = len(small)
    _, component = connected_components(
        coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n)), directed=False
    )
    size = np.bincount(component, minlength=1)
    image = np.flatnonzero(size[component] > 1)
    _, group = np.unique(component[image], return_inverse=True)
    order = np.argsort(group, kind="stable")
    image, group = image[order], group[order]
    n_groups = int(group.max(initial=-1)) + 1
    exact = [
        len(np.unique(small[image[group == g]].reshape(int((group == g).sum()), -1), axis=0)) == 1
        for g in range(n_groups)
    ]
    return Duplicates(image.astype(np.int32), group.astype(np.int32), np.array(exact, np.bool_))


def duplicates(evidence: Evidence) -> list[Finding]:
    """Return a finding for pictures that are there twice with different classes, and one for all others."""
    if evidence.properties is None:
        return []
    found = find_duplicates(evidence.properties)
    torn = np.array(
        [_is_torn(evidence.target[found.image[found.group == g]]) for g in range(len(found.is_exact))], bool
    )
    findings = []
    for is_torn in (True, False):
        groups = np.flatnonzero(torn == is_torn)
        if len(groups):
            findings.append(_finding(evidence, found, groups, is_torn))
    return findings


def _is_torn(target: Int) -> bool:
    return len(np.unique(target[target != NOISE])) > 1


def _finding(evidence: Evidence, found: Duplicates, groups: NDArray[np.int64], is_torn: bool) -> Finding:
    here = np.isin(found.group, groups)
    image, exact = found.image[here], int(found.is_exact[groups].sum())
    n, near = len(groups), len(groups) - exact
    what = "One picture is" if n == 1 else f"{n:,} pictures are"
    kinds = (
        "the same to the last pixel"
        if not near
        else "nearly the same"
        if not exact
        else f"{exact:,} the same to the last pixel, {near:,} nearly"
    )
    end = ", under different classes: at most one of them can be right" if is_torn else ""
    sentence = f"{what} there more than once ({kinds}){end}; {len(image):,} images in all."
    share = len(image) / evidence.n_images
    score = 0.75 + 0.1 * min(1.0, 10 * share) if is_torn else 0.4 + 0.3 * min(1.0, 5 * share)
    notes = tuple(f"picture {g + 1}" for g in np.unique(found.group[here], return_inverse=True)[1])
    figures = {"n_groups": float(n), "n_exact": float(exact), "n_images": float(len(image))}
    return Finding("duplicates", sentence, score, image, figures=figures, note=notes)
