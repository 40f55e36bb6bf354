"""Fixtures for everybody: a cache of its own for every run, and the folder of real weights and pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nap_core.environment import prepare_environment

prepare_environment()
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the cache of the person who runs it."""
    before = os.environ.get("NAP_CACHE")
    os.environ["NAP_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["NAP_CACHE"]
    else:
        os.environ["NAP_CACHE"] = before


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real weights and pictures, kept outside the project."""
    if not SHARED.is_dir():
        pytest.skip(f"the folder of real weights and pictures is not at {SHARED}")
    return SHARED


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread, so that sums are taken in one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
