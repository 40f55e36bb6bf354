"""What the environment tells torch and OpenMP, which read it once, when they are loaded."""

from __future__ import annotations

import os


def prepare_environment() -> None:
    """Let threads sleep while they wait, and torch take large pages of memory.

    Says nothing where the person has chosen, and nothing once torch is loaded.

    ``OMP_WAIT_POLICY``
        On cores that others use as well, as everywhere in the cloud, a thread that spins keeps the one that it waits
        for from running: clustering took five to fifteen times as long beside three busy processes. On idle cores
        nothing is lost.
    ``THP_MEM_ALLOC_ENABLE``
        Memory comes in pages of 2 MB where a tensor is as large as that, as NumPy's does by itself. A network's outputs
        are tens of megabytes that come and go layer by layer, and the system hands each out anew, page by page: with
        pages of 4 kB that took a third of the forward pass of a small network. Numbers stay the same, a run holds some
        30 MB more. Without effect but on Linux.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
