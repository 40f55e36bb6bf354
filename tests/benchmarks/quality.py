"""How far the patterns of a layer agree with what is known of its images.

``quality planted background demos dense photos`` are the sources of layers; without a name, all of them, then how well
foreign images are told, and how right the findings are.
Every row is one layer and one method. AMI and ARI count every image, noise as one group; "assigned" is the AMI with
noise put where it is assigned. "Background told" is the share of the planted images of no group that are noise, "kept"
that of the others that are not. "Stability" is the median over the patterns of how much of a pattern comes again when
ten subsamples of 80 % are clustered afresh (Jaccard), "stable" the share of patterns with at least .75.
"Verdict" is the product's on the layer. k-means and Ward are told the true number of groups, which no user knows; they
see the rows as the recipe `covering` does (centred, length 1).
"""

from __future__ import annotations

import time
import warnings
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import RECIPES, ClusterConfig
from nap_core.geometry.scaling import scale
from nap_core.patterns.clustering import compared, find_patterns
from nap_core.patterns.gaps import compared_label, gaps
from nap_core.patterns.stability import STABLE, stability
from nap_core.patterns.verdict import verdict
from nap_core.types import NOISE, Activations, Patterns
from tests.benchmarks import findings
from tests.benchmarks.cases import SOURCES, Case, cases
from tests.benchmarks.foreign import show

Labels = NDArray[np.int32]
N_DRAWS, N_SHUFFLES = 10, 2  # fewer than the product, for the time
METHODS = (*sorted(RECIPES), "k-means, told", "Ward, told")


@dataclass(frozen=True)
class Row:
    """What one method gives on one layer."""

    n_patterns: int
    coverage: float
    ami: float
    assigned: float
    ari: float
    told: float  # share of the background that is noise; NaN without background
    kept: float  # share of the other images that is in a pattern
    stability: float  # median over the patterns; NaN where the method has none
    stable: float  # share of patterns
    verdict: str
    seconds: float


def told_number(case: Case, method: str) -> Labels:
    """Labels of a method that is told the true number of groups."""
    from sklearn.cluster import AgglomerativeClustering, KMeans

    n_groups = len(np.unique(case.target[case.target != NOISE]))
    rows = scale(case.values, np.arange(case.values.shape[1]), "none", "none", center=True, row_l2=True)
    told = KMeans(n_groups, n_init=3, random_state=0) if "means" in method else AgglomerativeClustering(n_groups)
    return told.fit_predict(rows).astype(np.int32)


def believed(activations: Activations, patterns: Patterns, config: ClusterConfig) -> tuple[float, float, str]:
    """Median stability, share of stable patterns, and the verdict on the layer."""
    found = gaps(compared(activations, config), compared_label(patterns, config))
    word = verdict(activations, patterns, found, config, n_permutations=N_SHUFFLES).word
    if not patterns.n_patterns:
        return np.nan, np.nan, word
    jaccard = np.nan_to_num(stability(activations, patterns.label, config, n_draws=N_DRAWS).mean)
    return float(np.median(jaccard)), float(np.mean(jaccard >= STABLE)), word


def share(inside: NDArray[np.bool_]) -> float:
    """The share that is true; NaN of nothing."""
    return float(inside.mean()) if len(inside) else np.nan


def measure(case: Case, method: str) -> Row:
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    began, recipe = time.perf_counter(), RECIPES.get(method)
    activations = Activations(case.layer, "none", case.values, np.arange(case.values.shape[1]))
    if recipe is None:
        label = assigned = told_number(case, method)
    else:
        patterns = find_patterns(activations, recipe)
        label, assigned = patterns.label, patterns.assigned
    seconds = time.perf_counter() - began
    certainty = (np.nan, np.nan, "") if recipe is None else believed(activations, patterns, recipe)
    return Row(
        int(label.max(initial=NOISE)) + 1,
        float(np.mean(label != NOISE)),
        float(adjusted_mutual_info_score(case.target, label)),
        float(adjusted_mutual_info_score(case.target, assigned)),
        float(adjusted_rand_score(case.target, label)),
        share(label[case.target == NOISE] == NOISE),
        share(label[case.target != NOISE] != NOISE),
        *certainty,
        seconds,
    )


def written(value: object) -> str:
    """A number with three places, nothing for NaN."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3f}"
    return str(value)


def main(arguments: list[str]) -> None:
    unknown = set(arguments) - set(SOURCES)
    if unknown:
        raise SystemExit(f"No source {sorted(unknown)[0]!r}; there are {', '.join(SOURCES)}.")
    warnings.filterwarnings("ignore")
    print(
        "| data | layer | truth | method | patterns | coverage | AMI | assigned | ARI | background told | kept "
        "| stability | stable | verdict | s |"
    )
    print("|---" * 15 + "|")
    for case in cases(arguments):
        for method in METHODS:
            if case.truth == "nothing" and "told" in method:
                continue
            figures = " | ".join(written(value) for value in astuple(measure(case, method)))
            print(f"| {case.data} | {case.layer} | {case.truth} | {method} | {figures} |", flush=True)
    if not arguments:
        show([])
        print()
        findings.main([])
