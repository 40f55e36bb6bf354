"""What the server's memory is at while one visitor goes through all of a built-in study, in headless Chromium.

Every page is read; then a picture of the visitor's own is followed through the network, new pictures are looked at, the
layers are grouped by the other recipe with a map of it, and images are made for a pattern. RSS in megabytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.sessions import _children, _Memory, _settle
from tests.browser.conftest import ARGUMENTS, served

PAGES = ("", "patterns", "map", "flows", "image", "compare", "quality", "selection", "new_images", "maximize")


def read(page: Any, address: str, name: str) -> None:
    page.goto(f"{address}/{name}", wait_until="commit")
    _settle(page)


def follow_own_picture(page: Any, address: str, file: Path) -> None:
    read(page, address, "image")
    page.get_by_text("a picture of your own").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("heading", name=file.name).wait_for()
    _settle(page)


def look_at_new_images(page: Any, address: str) -> None:
    read(page, address, "new_images")
    page.get_by_text("A demo's pictures").click()
    page.get_by_role("button", name="Look at").click()
    page.get_by_text("look foreign").first.wait_for()
    _settle(page)


def make_images(page: Any, address: str) -> None:
    read(page, address, "maximize?look-view=made+images")
    page.get_by_role("button", name="Make these images").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    _settle(page)


def steps(address: str, picture: Path) -> dict[str, Callable[[Any], None]]:
    """Name → what the visitor does, in this order."""
    first: dict[str, Callable[[Any], None]] = {
        name or "overview": partial(read, address=address, name=name) for name in PAGES
    }
    return first | {
        "own picture": partial(follow_own_picture, address=address, file=picture),
        "new images": partial(look_at_new_images, address=address),
        "images made": partial(make_images, address=address),
    }


def own_picture(folder: Path) -> Path:
    """Draw the picture that the visitor brings."""
    from nap_core.inputs.demos import demo_images

    file = folder / "mine.png"
    demo_images("shapes").picture(700).save(file)
    return file


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks journey", description=__doc__)
    parser.parse_args(arguments)
    import torch
    from playwright.sync_api import sync_playwright

    before = _children()
    with tempfile.TemporaryDirectory() as name, served(Path(name) / "cache") as address:
        (server,) = _children() - before
        picture = own_picture(Path(name))
        with sync_playwright() as playwright, _Memory(server) as memory:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            page = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS).new_page()
            page.set_default_timeout(180_000)
            print(f"torch {torch.__version__}, {os.cpu_count()} cores; {'':8}highest    now")
            print(f"{'server up':36}{memory.since():9.0f}{memory.now():7.0f}", flush=True)
            for said, step in steps(address, picture).items():
                step(page)
                print(f"{said:36}{memory.since():9.0f}{memory.now():7.0f}", flush=True)
