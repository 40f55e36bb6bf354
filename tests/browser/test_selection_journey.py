"""One selection through the pages: drawn on the map, followed in the flow, taken away as a table and as files."""

from __future__ import annotations

import csv
import io
import math
import zipfile

from nap_core.study import Study
from tests.browser.rest import settled
from tests.browser.test_journeys import shown_images


def lasso(page) -> int:
    """Draw around a part of the map; return how many images are selected then."""
    box = page.locator(".map canvas[tabindex]").bounding_box()
    x, y, reach = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"], 0.3 * min(box["width"], box["height"])
    page.mouse.move(x + reach, y)
    page.mouse.down()
    for step in range(1, 41):
        page.mouse.move(x + reach * math.cos(step * math.pi / 20), y + reach * math.sin(step * math.pi / 20))
    page.mouse.up()
    told = page.locator(".st-key-selection").get_by_text("selected images")
    told.wait_for()
    settled(page)
    return int(told.inner_text().split()[0].replace(",", ""))


def downloaded(page, name: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return download.value.path().read_bytes()


def test_select_on_the_map_follow_in_flows_export(page, app, cache):
    page.goto(f"{app}/map?study=shapes")
    page.locator(".map canvas[tabindex]").wait_for()
    settled(page)
    n = lasso(page)
    assert 0 < n < 2000

    page.get_by_role("link", name="Flows").first.click()
    page.locator(".st-key-flow-only").get_by_text("selected", exact=True).click()
    page.get_by_text(f"{n:,} of 2,000 images").first.wait_for()
    settled(page)
    page.locator(".st-key-flow-chart rect[role=button]").last.click()
    page.locator("h5").wait_for()
    settled(page)
    in_flow = [name for name in shown_images(page) if name]

    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("button", name="Table (CSV)").wait_for()
    settled(page)
    table = list(csv.DictReader(io.StringIO(downloaded(page, "Table (CSV)").decode("utf-8-sig"))))
    study = Study.open(next((cache / "demos").glob("shapes-????????????")))
    taken = {row["image"] for row in table}
    assert len(table) == len(taken) == n
    assert taken <= set(study.ids)
    assert in_flow
    assert set(in_flow) <= taken
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "Images (zip)"))) as archive:
        files = archive.namelist()
        assert archive.testzip() is None
    assert sum(name.endswith((".jpg", ".png")) for name in files) == n
    assert any(name.endswith(".csv") for name in files)
