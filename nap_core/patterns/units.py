"""Which units set some images of a layer apart from the rest: how far, how surely; which images drive one most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.types import Float, Int, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class UnitContrast:
    """The features in which some images differ most from the rest, the largest difference first."""

    feature: Int  # [row] column of the activations
    effect: Float  # [row] Cohen's d: difference of means in pooled standard deviations; positive is higher inside
    auroc: Float  # [row] chance that an image inside is higher than one outside, in [0, 1]
    p: NDArray[np.float64]  # [row] Welch's t-test, corrected over all features (Benjamini-Hochberg), in [0, 1]
    inside: Float  # [row] mean activation of the images
    outside: Float  # [row] mean activation of the rest

    def __post_init__(self) -> None:
        object.__setattr__(self, "feature", frozen_array(self.feature, np.int32, 1))
        for name in ("effect", "auroc", "inside", "outside"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32, 1))
        object.__setattr__(self, "p", frozen_array(self.p, np.float64, 1))


def unit_contrast(values: NDArray[Any], inside: NDArray[np.bool_], most: int = 8) -> UnitContrast:
    """Return the features in which the images `inside` differ most from the rest.

    Parameters
    ----------
    values
        [image, feature] raw activations, finite.
    inside
        [image] at least two images inside and two outside, else nothing is returned.
    most
        Features returned; those that vary nowhere are never among them.

    References
    ----------
    Cohen: Statistical power analysis for the behavioral sciences (1988), for the effect size.
    Benjamini, Hochberg: Controlling the false discovery rate. J. R. Stat. Soc. B 57 (1995).
    """
    inside = np.asarray(inside, bool)
    n_in, n_out = int(inside.sum()), int((~inside).sum())
    if min(n_in, n_out) < 2:
        nothing = np.empty(0, np.float32)
        return UnitContrast(np.empty(0, np.int32), nothing, nothing, np.empty(0), nothing, nothing)
    from scipy.stats import false_discovery_control, t

    mean_in, mean_out = _means(values, inside)
    spread_in = np.square(values[inside] - mean_in).sum(axis=0) / (n_in - 1)
    spread_out = np.square(values[~inside] - mean_out).sum(axis=0) / (n_out - 1)
    pooled = np.sqrt(((n_in - 1) * spread_in + (n_out - 1) * spread_out) / (n_in + n_out - 2))
    varies = pooled > 1e-6 * max(float(np.abs(values).max()), 1e-30)
    effect = np.divide(mean_in - mean_out, pooled, out=np.zeros_like(pooled), where=varies)
    error_in, error_out = spread_in / n_in, spread_out / n_out
    error = error_in + error_out
    freedom = np.divide(
        error**2,
        error_in**2 / (n_in - 1) + error_out**2 / (n_out - 1),
        out=np.full_like(error, n_in + n_out - 2),
        where=varies,
    )
    distance = np.divide(np.abs(mean_in - mean_out), np.sqrt(error), out=np.zeros_like(error), where=varies)
    p = false_discovery_control(2 * t.sf(distance, freedom))
    top = np.argsort(-np.abs(effect), kind="stable")[:most]
    top = top[varies[top]]
    auroc = [_auroc(values[:, feature], inside) for feature in top]
    return UnitContrast(top, effect[top], np.array(auroc), p[top], mean_in[top], mean_out[top])


def _means(values: NDArray[Any], inside: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean_in: NDArray[np.float64] = values[inside].mean(axis=0, dtype=np.float64)
    mean_out: NDArray[np.float64] = values[~inside].mean(axis=0, dtype=np.float64)
    return mean_in, mean_out


def _auroc(value: NDArray[Any], inside: NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    n_in, n_out = int(inside.sum()), int((~inside).sum())
    above = rankdata(value)[inside].sum() - n_in * (n_in + 1) / 2
    return float(above / (n_in * n_out))


def strongest(value: NDArray[Any], k: int, *, weakest: bool = False) -> Int:
    """Return the `k` images with the largest (or smallest) of `value` [image], ties in image order."""
    order: Int = np.argsort(value if weakest else -np.asarray(value, np.float64), kind="stable")[:k].astype(np.int32)
    return order
