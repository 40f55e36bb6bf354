"""What the server's memory does while 20 visitors come and go, 4 at a time, in headless Chromium.

Every visitor reads the pages of a built-in study; with ``--own`` every visitor brings weights of 45 MB and 60 pictures
of their own and lists the layers instead. RSS is read from ``/proc`` five times a second, in megabytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser.conftest import ARGUMENTS, served
from tests.browser.rest import settled

PAGES = ("", "patterns", "map", "flows", "selection")


class _Memory:
    """The RSS of a process, watched by a thread while the block lasts."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self._end = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def now(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))

    def _watch(self) -> None:
        while not self._end.wait(0.2):
            self.peak = max(self.peak, self.now())

    def since(self) -> float:
        """Return the highest since the last call."""
        peak, self.peak = max(self.peak, self.now()), 0.0
        return peak


def _children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def _settle(page: Any) -> None:
    page.wait_for_selector("h1")
    settled(page)


def _read(pages: list[Any], address: str) -> None:
    """Let all visitors read all pages, each loading a page while the others do."""
    for name in PAGES:
        for page in pages:
            page.goto(f"{address}/{name}", wait_until="commit")
        for page in pages:
            _settle(page)


def _bring(weights: Path, pictures: Path) -> Callable[[list[Any], str], None]:
    def bring(pages: list[Any], address: str) -> None:
        for page in pages:
            page.goto(f"{address}/setup", wait_until="commit")
        for page in pages:
            _settle(page)
            page.locator("input[type=file]").nth(0).set_input_files(weights)
            page.get_by_text("Model: resnet18").wait_for()
            page.locator("input[type=file]").nth(1).set_input_files(pictures)
            page.get_by_text("Next: choose layers").click()
        for page in pages:
            page.get_by_text("Forecast:").wait_for()

    return bring


def _own_files(folder: Path) -> tuple[Path, Path]:
    """Write random weights of a ResNet-18 and a zip of 60 pictures of noise."""
    import io

    import numpy as np
    import torch
    from PIL import Image
    from torchvision import models

    weights, pictures, draw = folder / "weights.pth", folder / "pictures.zip", np.random.default_rng(0)
    torch.save(models.resnet18(weights=None).state_dict(), weights)
    with zipfile.ZipFile(pictures, "w") as archive:
        for number in range(60):
            picture = Image.fromarray(draw.integers(0, 256, (256, 256, 3), np.uint8))
            file = io.BytesIO()
            picture.save(file, "JPEG")
            archive.writestr(f"{number % 3}/{number}.jpg", file.getvalue())
    return weights, pictures


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks sessions", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--at-a-time", type=int, default=4)
    parser.add_argument("--own", action="store_true", help="visitors bring weights and pictures of their own")
    parser.add_argument("--wait", type=int, default=170, help="seconds after the last visitor has gone")
    chosen = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    before = _children()
    with tempfile.TemporaryDirectory() as name, served(Path(name) / "cache") as address:
        (server,) = _children() - before
        visit = _bring(*_own_files(Path(name))) if chosen.own else _read
        with sync_playwright() as playwright, _Memory(server) as memory:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            print(f"{'':24}{'highest':>9}{'at the end':>12}")
            print(f"{'server up':24}{memory.since():9.0f}{memory.now():12.0f}", flush=True)
            for first in range(0, chosen.sessions, chosen.at_a_time):
                n = min(chosen.at_a_time, chosen.sessions - first)
                contexts = [browser.new_context(viewport={"width": 1440, "height": 1000}) for _ in range(n)]
                pages = [context.new_page() for context in contexts]
                for page in pages:
                    page.set_default_timeout(180_000)
                visit(pages, address)
                for context in contexts:
                    context.close()
                time.sleep(1)
                print(
                    f"visitors {first + 1:2} to {first + n:2}{'':10}{memory.since():9.0f}{memory.now():12.0f}",
                    flush=True,
                )
            time.sleep(chosen.wait)
            print(f"{chosen.wait:3} s later{'':13}{memory.since():9.0f}{memory.now():12.0f}", flush=True)
            browser.close()
