"""How long clustering takes beside other programs, how it grows, and whether all agree.

``clustering engines [CASE …] [--with METHOD …]`` times the tree and its labels side by side; cases are
``groups-10000x512`` (well parted), ``strays-10000x512`` (overlapping, a tenth in no group), ``nothing-10000x512`` and
``photos``. hdbscan's default takes minutes and is asked for by ``--with hdbscan``. Weights and labels are compared with
those of its exact ``algorithm="generic"``.
``clustering growth [ROWS …] [--with RECIPE …]`` lets a study of 512 units cluster itself.
``clustering recut [CASE …]`` cuts a kept tree.
``clustering approximate [CASE …]`` measures what the approximate mode and a sample miss.

Every method and size runs in a process of its"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.planted import planted, structureless

Values = NDArray[np.float32]
SIZE, SAMPLES = 5, 5
CASES = ("groups-5000x512", "groups-10000x512", "groups-10000x2048", "strays-10000x512", "nothing-10000x512", "photos")
ROWS = (1_000, 3_000, 10_000, 30_000, 50_000, 100_000)


@dataclass(frozen=True)
class Fit:
    """What one method needed, and what it found."""

    seconds: float
    cpu: float  # seconds of all its threads
    peak: float  # GiB above what the process held before
    weight: NDArray[Any]  # [row - 1] of the spanning tree, sorted; empty where it is not known
    label: NDArray[Any]


def parted(n: int, n_features: int, n_groups: int = 60) -> Values:
    """Groups that nothing lies between."""
    random = np.random.default_rng([n, n_features])
    center = 5 * random.normal(size=(n_groups, n_features))
    values: Values = center[random.integers(n_groups, size=n)].astype(np.float32)
    for rows in np.array_split(np.arange(n), -(-n // 10_000)):
        values[rows] += random.normal(size=(len(rows), n_features)).astype(np.float32)
    return values


def rows_of(case: str) -> Values:
    if case == "photos":
        from tests.benchmarks.cases import photo_study

        both = [photo_study(folder).activations("features.18").values for folder in ("imagenet_multi", "dtd_textures")]
        return np.concatenate(both).astype(np.float32)
    kind, _, shape = case.partition("-")
    n, n_features = (int(part) for part in shape.split("x"))
    if kind == "groups":
        return parted(n, n_features)
    return planted(n_features, 60, n).values if kind == "strays" else structureless(n_features, n).values


def ours(values: Values) -> tuple[Any, Any]:
    from nap_core.geometry.spanning_tree import spanning_tree
    from nap_core.patterns.cutting import clusters_of_tree

    edge, weight = spanning_tree(values, SAMPLES)
    return weight, clusters_of_tree(edge, weight, SIZE, "eom").label


def _whole(recipe: str) -> Callable[[Values], tuple[Any, Any]]:
    def find(values: Values) -> tuple[Any, Any]:
        from nap_core.configs import RECIPES
        from nap_core.patterns.clustering import find_patterns
        from nap_core.types import Activations

        layer = Activations("layer", "mean", values, np.arange(values.shape[1]))
        return None, find_patterns(layer, RECIPES[recipe]).label

    return find


def hdbscan(values: Values, **options: Any) -> tuple[Any, Any]:
    from hdbscan import HDBSCAN

    fitted = HDBSCAN(min_cluster_size=SIZE, min_samples=SAMPLES, gen_min_span_tree=True, **options).fit(values)
    return fitted._min_spanning_tree[:, 2], fitted.labels_


def generic(values: Values) -> tuple[Any, Any]:
    return hdbscan(values.astype(np.float64), algorithm="generic")


def product_and_prim(values: Values) -> tuple[Any, Any]:
    from nap_core.geometry.neighbors import pairwise
    from nap_core.geometry.spanning_tree import grown_tree
    from nap_core.patterns.cutting import clusters_of_tree

    matrix = pairwise(values)
    core = np.partition(matrix, SAMPLES, axis=1)[:, SAMPLES].copy()
    edge = grown_tree(matrix, core)
    weight = np.maximum(matrix[edge[:, 0], edge[:, 1]], core[edge].max(axis=1))
    order = np.argsort(weight, kind="stable")
    return weight, clusters_of_tree(edge[order], weight[order], SIZE, "eom").label


def fast_exact(values: Values) -> tuple[Any, Any]:
    """Its KD-tree, which it uses by default up to 30 columns only."""
    from fast_hdbscan.boruvka import parallel_boruvka
    from fast_hdbscan.hdbscan import clusters_from_spanning_tree
    from fast_hdbscan.numba_kdtree import build_kdtree
    from numba import get_num_threads

    weights = np.empty(1, np.float32)
    edges, _, _ = parallel_boruvka(build_kdtree(values), get_num_threads(), SAMPLES, weights, False)
    return edges[:, 2], clusters_from_spanning_tree(edges, min_cluster_size=SIZE)[0]


def fast_default(values: Values) -> tuple[Any, Any]:
    from fast_hdbscan import HDBSCAN

    fitted = HDBSCAN(min_cluster_size=SIZE, min_samples=SAMPLES).fit(values)
    return fitted._min_spanning_tree[:, 2], fitted.labels_


METHODS: dict[str, Callable[[Values], tuple[Any, Any]]] = {
    "engine": ours,
    "published, whole": _whole("published"),
    "covering, whole": _whole("covering"),
    "generic": generic,
    "product + Prim": product_and_prim,
    "fast_hdbscan, exact": fast_exact,
    "fast_hdbscan, default": fast_default,
    "hdbscan": hdbscan,
}


def resident() -> float:
    """GiB that this process holds at most so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def fit(case: str, method: str) -> Fit:
    """Run in a process of its own."""
    values, run = rows_of(case), METHODS[method]
    run(parted(600, 64))  # imports and compiles
    before, seconds, cpu = resident(), [], []
    while not seconds or (len(seconds) < 3 and sum(seconds) < 10):
        began, cpu_began = time.perf_counter(), time.process_time()
        weight, label = run(values)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - cpu_began)
    tree = np.empty(0) if weight is None else np.sort(np.asarray(weight, np.float64))
    return Fit(min(seconds), min(cpu), resident() - before, tree, np.asarray(label))


def apart(task: Callable[..., Any], *given: Any) -> Any:
    """Run a task in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(task, *given).result()


def weights_apart(weight: NDArray[Any], exact: NDArray[Any]) -> str:
    if not len(weight) or not len(exact):
        return "–"
    if not np.isfinite(weight).all():
        return "not one tree"
    return f"{float((np.abs(weight - exact) / np.maximum(exact, 1e-12)).max()):.0e}"


def engines(cases: list[str], extra: list[str]) -> None:
    from sklearn.metrics import adjusted_rand_score

    chosen = [name for name in METHODS if name != "hdbscan" or name in extra]
    if importlib.util.find_spec("fast_hdbscan") is None:
        print("fast_hdbscan is not installed and is left out.\n")
        chosen = [name for name in chosen if not name.startswith("fast")]
    titles = ("rows", "method", "seconds", "times ours", "the same, CPU", "peak, GiB", "weights apart", "ARI")
    print(f"| {' | '.join(titles)} |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases:
        found: dict[str, Fit] = {}
        for method in chosen:
            slow = case.startswith(("nothing", "strays")) and method == "fast_hdbscan, exact"
            if not slow or method in extra:
                found[method] = apart(fit, case, method)
        exact = found["generic"]
        for method, one in found.items():
            same = "" if "whole" in method else f"{adjusted_rand_score(exact.label, one.label):.3f}"
            print(
                f"| {case} | {method} | {one.seconds:.2f} | {one.seconds / found['engine'].seconds:.1f} "
                f"| {one.cpu / found['engine'].cpu:.1f} "
                f"| {one.peak:.2f} | {weights_apart(one.weight, exact.weight)} | {same} |",
                flush=True,
            )


def write_rows(n: int, path: str) -> None:
    """Write what a layer of 512 units may hold: groups of very unlike sizes, overlapping, a tenth in none."""
    np.save(path, planted(512, max(6, min(200, n // 100)), n).values)


def study_cluster(path: str, recipe: str) -> tuple[float, float, int, float]:
    """Seconds, peak in GiB, patterns and coverage of a study of these rows that clusters itself."""
    from nap_core.configs import RECIPES
    from nap_core.study import Study

    with tempfile.TemporaryDirectory() as folder:
        ours(parted(600, 64))  # imports
        study = Study.from_activations(f"{folder}/s", {"layer": np.load(path)}, config=RECIPES[recipe])
        began = time.perf_counter()
        study.cluster()
        seconds = time.perf_counter() - began
        found = study.patterns("layer")
        return seconds, resident(), found.n_patterns, found.coverage


def growth(sizes: list[int], recipes: list[str]) -> None:
    print("| recipe | rows | seconds | times the size before | peak of the process, GiB | patterns | coverage |")
    print("|---|---|---|---|---|---|---|")
    before: dict[str, float] = {}
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            apart(write_rows, n, f"{folder}/rows.npy")
            for recipe in recipes:
                seconds, peak, n_patterns, coverage = apart(study_cluster, f"{folder}/rows.npy", recipe)
                times = f"{seconds / before[recipe]:.1f}" if recipe in before else ""
                print(
                    f"| {recipe} | {n:,} | {seconds:.1f} | {times} | {peak:.2f} | {n_patterns} | {coverage:.0%} |",
                    flush=True,
                )
                before[recipe] = seconds


def recut(cases: list[str]) -> None:
    """Cut a kept tree in all ways."""
    from nap_core.geometry.spanning_tree import spanning_tree
    from nap_core.patterns.cutting import clusters_of_tree

    print("| rows | tree, ms | method | minimum size | epsilon | cut, ms |\n|---|---|---|---|---|---|")
    for case in cases:
        values = rows_of(case)
        began = time.perf_counter()
        edge, weight = spanning_tree(values, SAMPLES)
        whole = time.perf_counter() - began
        for method, size, epsilon in (("leaf", 5, 0.0), ("eom", 5, 0.0), ("eom", 50, 0.0), ("eom", 5, 1.0)):
            began = time.perf_counter()
            clusters_of_tree(edge, weight, size, method, epsilon)
            cut = time.perf_counter() - began
            print(f"| {case} | {1e3 * whole:.0f} | {method} | {size} | {epsilon} | {1e3 * cut:.0f} |")


def approximate(cases: list[str]) -> None:
    """How far the approximate mode, and a sample of three in ten, agree with all images compared exactly."""
    from sklearn.metrics import adjusted_rand_score

    from nap_core.configs import RECIPES, recipe
    from nap_core.patterns.clustering import find_patterns
    from nap_core.types import Activations

    print("| rows | recipe | way | patterns | exact | ARI, members | ARI, assigned |\n|---|---|---|---|---|---|---|")
    for case in cases:
        values = rows_of(case)
        layer = Activations("layer", "mean", values, np.arange(values.shape[1]))
        for name in sorted(RECIPES):
            exact = find_patterns(layer, RECIPES[name])
            for way in ({"search": "approximate"}, {"cluster_sample": 3 * len(values) // 10}):
                found = find_patterns(layer, recipe(name, **way))
                print(
                    f"| {case} | {name} | {', '.join(way)} | {found.n_patterns} | {exact.n_patterns} "
                    f"| {adjusted_rand_score(exact.label, found.label):.3f} "
                    f"| {adjusted_rand_score(exact.assigned, found.assigned):.3f} |",
                    flush=True,
                )


def main(arguments: list[str]) -> None:
    what, rest = (arguments[0], arguments[1:]) if arguments else ("engines", [])
    extra = rest[rest.index("--with") + 1 :] if "--with" in rest else []
    named = rest[: rest.index("--with")] if "--with" in rest else rest
    if what == "engines":
        engines(named or list(CASES), extra)
    elif what == "growth":
        growth([int(n) for n in named] or list(ROWS), extra or ["covering", "published"])
    elif what == "recut":
        recut(named or ["groups-10000x512", "strays-10000x512"])
    elif what == "approximate":
        approximate(named or ["groups-10000x512", "strays-10000x512"])
    else:
        raise SystemExit(f"No part {what!r}; there are engines, growth, recut, approximate.")
