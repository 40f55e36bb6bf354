"""How far the patterns of a layer agree with what is known of its images.

``quality planted demos dense photos`` are the sources of layers; without a name, all of them.
Every row is one layer and one method. AMI and ARI count every image, noise as one group; "assigned" is the AMI with
noise put where it is assigned. k-means and Ward are told the true number of groups, which no user knows; they see the
rows as the recipe `covering` does (centred, length 1).
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import RECIPES
from nap_core.geometry.scaling import scale
from nap_core.patterns.clustering import find_patterns
from nap_core.types import NOISE, Activations
from tests.benchmarks.cases import SOURCES, Case, cases
from tests.benchmarks.foreign import show

Labels = NDArray[np.int32]
METHODS = (*sorted(RECIPES), "k-means, told", "Ward, told")


@dataclass(frozen=True)
class Row:
    """What one method gives on one layer."""

    n_patterns: int
    coverage: float
    ami: float
    assigned: float
    ari: float
    seconds: float


def labels(case: Case, method: str) -> tuple[Labels, Labels]:
    """Labels and assigned labels."""
    unit = np.arange(case.values.shape[1])
    if method in RECIPES:
        patterns = find_patterns(Activations(case.layer, "none", case.values, unit), RECIPES[method])
        return patterns.label, patterns.assigned
    from sklearn.cluster import AgglomerativeClustering, KMeans

    n_groups = len(np.unique(case.target[case.target != NOISE]))
    rows = scale(case.values, unit, "none", "none", center=True, row_l2=True)
    told = KMeans(n_groups, n_init=3, random_state=0) if "means" in method else AgglomerativeClustering(n_groups)
    found = told.fit_predict(rows).astype(np.int32)
    return found, found


def measure(case: Case, method: str) -> Row:
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    began = time.perf_counter()
    label, assigned = labels(case, method)
    seconds = time.perf_counter() - began
    return Row(
        n_patterns=int(label.max(initial=NOISE)) + 1,
        coverage=float(np.mean(label != NOISE)),
        ami=float(adjusted_mutual_info_score(case.target, label)),
        assigned=float(adjusted_mutual_info_score(case.target, assigned)),
        ari=float(adjusted_rand_score(case.target, label)),
        seconds=seconds,
    )


def main(arguments: list[str]) -> None:
    unknown = set(arguments) - set(SOURCES)
    if unknown:
        raise SystemExit(f"No source {sorted(unknown)[0]!r}; there are {', '.join(SOURCES)}.")
    warnings.filterwarnings("ignore")
    print("| data | layer | truth | method | patterns | coverage | AMI | assigned | ARI | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases(arguments):
        for method in METHODS:
            if case.truth == "nothing" and "told" in method:
                continue
            row = measure(case, method)
            print(
                f"| {case.data} | {case.layer} | {case.truth} | {method} | {row.n_patterns} | {row.coverage:.2f} "
                f"| {row.ami:.3f} | {row.assigned:.3f} | {row.ari:.3f} | {row.seconds:.1f} |",
                flush=True,
            )
    if not arguments:
        show([])
