"""How threads wait."""

from __future__ import annotations

import os


def sleep_while_waiting() -> None:
    """Let OpenMP's threads sleep while they wait for each other, not spin.

    On cores that others use as well, as everywhere in the cloud, a thread that spins keeps the one that it waits for
    from running: clustering took five to fifteen times as long beside three busy processes. On idle cores nothing is
    lost. Says nothing where the person has chosen (``OMP_WAIT_POLICY``), and nothing once torch is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
