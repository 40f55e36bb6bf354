"""Reading layers on Dask's workers: the same bytes as here, also when a worker is killed midway."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pytest

from nap_core.activations.extract import extract
from nap_core.activations.workers import check_shared, shard_size, shard_starts, workers
from nap_core.configs import RECIPES
from nap_core.errors import MissingPackageError, UnreadableLayerError, WorkerError
from nap_core.store import Store
from nap_core.study import Study
from tests.unit.test_extract import LAYERS, Network, Pictures, stored, toy

distributed = pytest.importorskip("distributed", reason="dask is optional: pip install 'dask[distributed]'")


class Drawn:
    """Pictures that keep their number in every part; one of them may kill the process that draws it, once."""

    source = "drawn"

    def __init__(self, n: int, deadly: int = -1, mark: Path | None = None) -> None:
        self.whole, self.deadly, self.mark = Pictures(n), deadly, mark
        self.numbers = np.arange(n)

    @property
    def fingerprint(self) -> str:
        return self.whole.fingerprint

    def __len__(self) -> int:
        return len(self.numbers)

    def subset(self, images: np.ndarray) -> Drawn:
        part = Drawn(len(self.whole), self.deadly, self.mark)
        part.numbers = self.numbers[images]
        return part

    def picture(self, image: int) -> Any:
        if self.numbers[image] == self.deadly and self.mark and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.whole.picture(int(self.numbers[image]))


@pytest.fixture(scope="module")
def client():
    """Two worker processes, as on two machines."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # AppTest leaves a page there, which a new process would run
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected
    sys.modules["__main__"] = main


def test_the_bytes_are_those_of_a_run_on_one_machine(tmp_path: Path, client: Any) -> None:
    images, told = Drawn(700), []
    here = extract(Network(toy()), images, LAYERS, store=Store(tmp_path / "here"), batch_size=48)
    there = extract(
        Network(toy()),
        images,
        LAYERS,
        store=Store(tmp_path / "there"),
        batch_size=48,
        client=client,
        progress=lambda *done: told.append(done),
    )
    assert here == there
    assert stored(Store(tmp_path / "there"), there) == stored(Store(tmp_path / "here"), here)
    assert told[-1] == (700, 700)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_worker_that_is_killed_costs_only_its_shard(tmp_path: Path, client: Any) -> None:
    images, mark = Drawn(900), tmp_path / "killed"
    here = extract(Network(toy()), images, LAYERS, store=Store(tmp_path / "here"), batch_size=32)
    killing = Drawn(900, 400, mark)
    there = extract(Network(toy()), killing, LAYERS, store=Store(tmp_path / "there"), batch_size=32, client=client)
    assert mark.exists()
    assert stored(Store(tmp_path / "there"), there) == stored(Store(tmp_path / "here"), here)


def test_a_stopped_run_goes_on_behind_the_finished_shards(tmp_path: Path, client: Any) -> None:
    images, store = Drawn(1024), Store(tmp_path / "there")

    def stop(done: int, total: int) -> None:
        if done >= 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(Network(toy()), images, LAYERS, store=store, client=client, progress=stop)
    told: list[int] = []
    there = extract(
        Network(toy()), images, LAYERS, store=store, client=client, progress=lambda done, total: told.append(done)
    )
    here = extract(Network(toy()), images, LAYERS, store=Store(tmp_path / "here"))
    assert told[0] > 256
    assert stored(store, there) == stored(Store(tmp_path / "here"), here)


def test_a_sentence_of_a_worker_reaches_the_caller(tmp_path: Path, client: Any) -> None:
    class Growing(Pictures):
        def subset(self, images: np.ndarray) -> Growing:
            return Growing(len(images), 12 if images[0] == 0 else 16)

    with pytest.raises(UnreadableLayerError, match="choose a layer inside or after it"):
        extract(Network(toy()), Growing(600), LAYERS, store=Store(tmp_path), client=client)


def test_a_folder_that_workers_do_not_see(tmp_path: Path, client: Any) -> None:
    check_shared(client, tmp_path)
    with pytest.raises(WorkerError, match="workers do not see"):
        check_shared(client, tmp_path / "elsewhere")


@pytest.mark.parametrize("recipe", RECIPES)
def test_layers_are_clustered_on_the_workers_to_the_same_bytes(recipe: str, tmp_path: Path, client: Any) -> None:
    draw, group = np.random.default_rng(0), np.repeat(np.arange(4), 40)
    layers = {name: 9 * np.eye(4)[group] + draw.normal(size=(160, 4)) for name in ("low", "high")}
    config = RECIPES[recipe]
    here = Study.from_activations(tmp_path / "here", layers, config=config)
    there = Study.from_activations(tmp_path / "there", layers, config=config)
    assert here.cluster() == {}
    with joblib.parallel_config(backend="dask"):
        assert there.cluster(n_jobs=2) == {}
    keys = {name: here.patterns_key(name) for name in layers}
    assert all(here.patterns(name).n_patterns > 1 for name in layers)
    assert stored(there.store, keys) == stored(here.store, keys)


def test_without_dask_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackageError, match="pip install"), workers("local"):
        pass


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nap_core.activations.workers._PATIENCE", 1)
    with (
        pytest.raises(WorkerError, match="No Dask scheduler answers"),
        workers("tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize(("first", "n", "batch"), [(0, 1, 32), (0, 256, 32), (64, 1000, 48), (0, 700, 300)])
def test_shards_are_whole_batches_without_gaps(first: int, n: int, batch: int) -> None:
    starts = list(shard_starts(first, n, batch))
    assert shard_size(batch) % batch == 0
    assert starts[0] == first
    assert set(np.diff(starts)) <= {shard_size(batch)}
    assert starts[-1] < n <= starts[-1] + shard_size(batch)
