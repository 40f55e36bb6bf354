"""What a map costs: UMAP from the neighbours of the clustering beside plain umap-learn, and the first one of a process.

The layouts take turns on the same rows; the figure is the median over the rounds. For the first map, every row is a new
process, timed from its start: a page that imports nothing heavy, then a small map, with and without the warming.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import RECIPES
from nap_core.embedding import embed
from nap_core.types import Activations
from tests.benchmarks.planted import planted

COVERING = RECIPES["covering"]


def rows(n: int, n_units: int) -> NDArray[np.float32]:
    """Return groups of known number among background, as a layer would have them."""
    made = planted(n_units, 60, background=0.1).values
    draw = np.random.default_rng(0)
    chosen = draw.integers(0, len(made), n)
    noise = draw.normal(scale=0.1 * made.std(), size=(n, n_units))
    return np.asarray(made[chosen] + noise, np.float32)


def plain(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """umap-learn as its guide shows it."""
    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: NDArray[np.float32] = UMAP().fit_transform(values)
    return found


def layer(values: NDArray[np.float32]) -> Activations:
    return Activations("layer", "mean", values, np.arange(values.shape[1]))


def timed(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def layouts(n: int, n_units: int, rounds: int) -> None:
    """Print seconds and the multiple of plain UMAP, and whether the layout is the same for the same images."""
    values = rows(n, n_units)
    ways = {
        "umap.UMAP().fit_transform": lambda: plain(values),
        "the map, UMAP": lambda: embed(layer(values), COVERING),
        "the map, PCA, shown meanwhile": lambda: embed(layer(values), COVERING, "pca"),
    }
    for way in ways.values():
        way()
    seconds = [{name: timed(way) for name, way in ways.items()} for _ in range(rounds)]
    print(f"{n:,} × {n_units:,}{'':22}seconds  times plain")
    for name in ways:
        ratio = np.median([turn[name] / turn["umap.UMAP().fit_transform"] for turn in seconds])
        print(f"{name:34}{np.median([turn[name] for turn in seconds]):8.2f}{ratio:13.2f}", flush=True)
    first, order = embed(layer(values), COVERING).position, np.random.default_rng(1).permutation(n)
    again, shuffled = embed(layer(values), COVERING).position, embed(layer(values[order]), COVERING).position
    print(f"twice the same: {np.array_equal(first, again)}; in another order: {np.array_equal(first[order], shuffled)}")


_FIRST = """
import time, numpy as np
began = time.perf_counter()
from nap_core.embedding import embed
from nap_core.configs import RECIPES
from nap_core.types import Activations
{warm}
values = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)
began = time.perf_counter()
embed(Activations("layer", "mean", values, np.arange(64)), RECIPES["covering"])
print(time.perf_counter() - began)
"""


def first_map(rounds: int) -> None:
    """Print seconds that the first map of a process takes."""
    warm = "from nap_core.embedding import warm_up; warm_up()"
    for name, code, is_new in (
        ("first map of an installation", "", True),
        ("first map of a process", "", False),
        ("the same, warmed up before", warm, False),
    ):
        found = [_first_seconds(code, is_new) for _ in range(rounds)]
        print(f"{name:34}{np.median(found):8.2f}", flush=True)


def _first_seconds(code: str, is_new: bool) -> float:
    """Return the seconds of the first map in a process; in a new installation, nothing compiled is kept."""
    with tempfile.TemporaryDirectory() as folder:
        where = {"NUMBA_CACHE_DIR": folder} if is_new else {}
        command = [sys.executable, "-c", _FIRST.format(warm=code)]
        return float(subprocess.check_output(command, text=True, env=os.environ | where).split()[-1])


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks embedding", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    first_map(chosen.rounds)
    layouts(chosen.rows, chosen.units, chosen.rounds)
