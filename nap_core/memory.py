"""How torch asks the system for memory."""

from __future__ import annotations

import os


def take_large_pages() -> None:
    """Let torch ask for memory in pages of 2 MB where a tensor is as large as that, as NumPy does by itself.

    A network's outputs are tens of megabytes that come and go layer by layer, and the system hands each out anew, page
    by page: with pages of 4 kB that took a third of the forward pass of a small network. Numbers stay the same, a run
    holds some 30 MB more. Without effect but on Linux; says nothing where the person has chosen
    (``THP_MEM_ALLOC_ENABLE``), and nothing once torch is loaded.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
