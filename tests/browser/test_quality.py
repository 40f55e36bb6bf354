"""The How sure? page: a bar opens its pattern; a cut is picked, and nothing changes before it is applied."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

PATIENCE = 60_000


def judged(page: Page, app: str) -> None:
    page.goto(f"{app}/quality?study=digits")
    verdict = page.get_by_role("heading", name=re.compile("has patterns"))
    expect(verdict).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("What orders the images?")).to_be_visible(timeout=PATIENCE)


def click_on(page: Page, mark: Locator) -> None:
    mark.wait_for()
    mark.scroll_into_view_if_needed()
    page.wait_for_timeout(2_000)  # the charts come to rest
    box = mark.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.wait_for_timeout(500)
    page.mouse.click(x, y)


def test_a_bar_opens_its_pattern(page: Page, app: str) -> None:
    judged(page, app)
    click_on(page, page.locator(".js-plotly-plot").nth(1).locator(".point path").first)
    expect(page).to_have_url(re.compile(r"/patterns\?.*pattern=\d"), timeout=PATIENCE)
    expect(page.get_by_text("Most typical")).to_be_visible(timeout=PATIENCE)


def test_a_cut_is_picked_and_applied(page: Page, app: str) -> None:
    judged(page, app)
    marks = page.locator(".js-plotly-plot").nth(3).locator(".scatterlayer .trace").first.locator(".point")
    click_on(page, marks.nth(5))
    expect(page.get_by_text("Picked: ")).to_be_visible(timeout=PATIENCE)
    assert "clustering=" not in page.url
    page.get_by_role("button", name="Group with this cut").click()
    expect(page).to_have_url(re.compile("clustering=covering"), timeout=PATIENCE)
