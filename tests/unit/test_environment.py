"""What is set for torch before it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = """
import sys
from nap_core.environment import prepare_environment
prepare_environment()
assert "torch" not in sys.modules
import torch
print(*(torch.empty(n).data_ptr() % 4096 for n in (2**20, 2**10)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="torch takes large pages on Linux alone")
@pytest.mark.parametrize(("chosen", "is_large"), [(None, True), ("0", False)])
def test_large_tensors_begin_with_a_page_unless_the_person_has_chosen(chosen: str | None, is_large: bool) -> None:
    there = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    there |= {"PYTHONPATH": str(ROOT)} | ({} if chosen is None else {"THP_MEM_ALLOC_ENABLE": chosen})
    printed = subprocess.check_output([sys.executable, "-c", ADDRESS], cwd=ROOT, env=there, text=True)
    large, small = map(int, printed.split())
    assert (large == 0) == is_large
    assert small
