"""How long a reader waits for a page, a pattern and a click on 10,000 images × 6 layers, in headless Chromium.

The study is made once: the shapes demo's network on 10,000 newly drawn shapes. Every figure is the time from the click
(or the request) until the page has its new heading and nothing runs any more; the median and the longest of the rounds.
Beside it stands what the browser has received meanwhile, as a median: drawings and pictures included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from tests.browser.conftest import ARGUMENTS, served
from tests.browser.rest import settled

LAYERS = ("stage1", "stage2", "stage3", "stage4", "features", "logits")
PAGES = ("Patterns", "Map", "Flows", "Selection", "Overview")


def _made(folder: Path, n_images: int) -> Path:
    """Return the folder of the study, made where it is not there yet."""
    from nap_core.activations.extract import network_layers
    from nap_core.configs import RECIPES
    from nap_core.inputs import shapes
    from nap_core.inputs.images import images_from_arrays
    from nap_core.inputs.models import load_model
    from nap_core.study import Study

    if not (folder / "study.json").exists():
        chosen = shapes.choose_factors(n_images, 7, dict.fromkeys(shapes.SHAPES, 0.2))
        names = [f"shape-{i:06d}" for i in range(n_images)]
        images = images_from_arrays(shapes.draw(chosen)[0], chosen.shape, shapes.SHAPES, names, "shapes drawn by code")
        network = load_model("shapes")
        layers = [layer for layer in network_layers(network, images) if layer.name in LAYERS]
        study = Study.create(
            folder, network, images, layers, config=RECIPES["covering"], title=f"{n_images:,} drawn shapes"
        )
        study.extract(network, images)
        study.cluster()
    return folder


def _size(frame: dict[str, Any]) -> float:
    """Return the bytes of a frame; those that are not text come in base64."""
    return len(frame["payloadData"]) * (1 if frame["opcode"] == 1 else 0.75)


class _Reader:
    """Somebody who clicks, with a watch, and counts what arrives."""

    def __init__(self, page: Any) -> None:
        self.page, self.seconds = page, defaultdict[str, list[float]](list)
        self.kilobytes, self._received = defaultdict[str, list[float]](list), 0.0
        wire = page.context.new_cdp_session(page)
        wire.on("Network.webSocketFrameReceived", lambda frame: self._count(_size(frame["response"])))
        wire.on("Network.loadingFinished", lambda answer: self._count(answer["encodedDataLength"]))
        wire.send("Network.enable")

    def _count(self, n_bytes: float) -> None:
        self._received += n_bytes / 1e3

    def wait(self, what: str, began: float, shown: str, argument: Any = None) -> None:
        self.page.wait_for_function(shown, arg=argument)
        self.seconds[what].append(settled(self.page) - began)
        self.kilobytes[what].append(self._received)
        self._received = 0.0

    def open(self, address: str) -> None:
        began = time.perf_counter()
        self.page.goto(address)
        self.wait("first view", began, "() => document.querySelector('h1')")

    def turn_to(self, name: str) -> None:
        old = self.page.locator("h1").first.inner_text()
        link = self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True)
        began = time.perf_counter()
        link.click()
        shown = "old => (document.querySelector('h1')?.innerText ?? old) !== old"
        self.wait(f"change to {name}", began, shown, old)

    def open_pattern(self, place: int) -> None:
        card = self.page.locator("button.open").nth(place)
        card.wait_for()
        began = time.perf_counter()
        card.click(position={"x": 60, "y": 20})
        self.wait("open a pattern", began, "() => document.body.innerText.includes('All its images')")
        self.page.get_by_role("button", name="All patterns").click()
        self.page.locator("button.open").first.wait_for()
        settled(self.page)
        self._received = 0.0

    def click_flow(self, place: int) -> None:
        bars = self.page.locator(".flow rect[data-part]")
        bars.first.wait_for()
        old = self.page.get_by_test_id("stMain").inner_text()
        began = time.perf_counter()
        bars.nth(place * 7 % bars.count()).click()
        shown = "old => document.querySelector('[data-testid=stMain]').innerText !== old"
        self.wait("click in flows", began, shown, old)


def main(arguments: list[str]) -> None:
    """Print a table of seconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks pages", description=__doc__)
    parser.add_argument(
        "--study", type=Path, default=Path(tempfile.gettempdir()) / "pages-study", help="made if absent"
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    folder = _made(options.study, options.images)
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        tempfile.TemporaryDirectory() as cache,
        served(Path(cache), "--", "--study", str(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        reader = _Reader(browser.new_context(viewport={"width": 1440, "height": 1000}).new_page())
        reader.page.set_default_timeout(120_000)
        reader.open(address)
        for number in range(options.rounds):
            for name in PAGES:
                reader.turn_to(name)
                if name == "Patterns":
                    reader.open_pattern(number)
                elif name == "Flows":
                    reader.click_flow(number)
    print(f"{options.images:,} images, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':<22} {'median':>7} {'longest':>8}  seconds {'received':>9}  kB")
    for what, seconds in reader.seconds.items():
        print(f"{what:<22} {median(seconds):>7.2f} {max(seconds):>8.2f} {median(reader.kilobytes[what]):>17,.0f}")
