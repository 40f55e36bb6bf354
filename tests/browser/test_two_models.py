"""Two models compared in a real browser: what changed is the ringed shapes."""

from __future__ import annotations

import re

from nap_core.inputs.demos import factors
from nap_core.study import Study
from nap_core.study.comparison import compare
from tests.browser.rest import settled


def names_in(page, place: str) -> list[str]:
    page.locator(f"{place} img").first.wait_for()
    return page.eval_on_selector_all(f"{place} img", "found => found.map(image => image.alt)")


def opened(cache, name: str) -> Study:
    return Study.open(next((cache / "demos").glob(f"{name}-????????????")))


def test_what_the_shortcut_changed(page, app, cache):
    page.goto(app)
    page.get_by_text("images into").first.wait_for()
    settled(page)
    page.get_by_role("link", name="Compare").first.click()
    page.get_by_text("are in the same pattern on both").wait_for()
    page.get_by_text("Pinned patterns").wait_for()
    settled(page)
    sides = [opened(cache, name) for name in ("shapes", "shapes_clean")]
    found = compare(*(part for side in sides for part in (side, side.patterns("features"))))
    ring = dict(zip(sides[0].ids, factors("shapes")["watermark"] == 1, strict=True))

    said = page.locator("[data-testid=stMain]").inner_text()
    moved = int(re.search(r"([\d,]+) moved", said)[1].replace(",", ""))
    assert moved == found.alignment.moved.sum()
    shown = names_in(page, ".st-key-compare-images")
    assert len(shown) > 20
    assert sum(ring[name] for name in shown) > 0.9 * len(shown)

    page.get_by_role("button", name="Images", exact=True).first.click()
    row = found.rows[0]
    place = f".st-key-aligned-{row[0]}-{row[1]}"
    _, gone, _ = found.alignment.members(*row)
    page.get_by_text(f"{len(gone):,} images went").wait_for()
    page.locator(f"{place} .grid img").nth(min(48, len(gone)) - 1).wait_for()
    assert [name for name in names_in(page, place) if name][-48:] == [sides[0].ids[i] for i in gone[:48]]


def test_a_link_reopens_the_comparison_and_pins_stay(page, app):
    page.goto(f"{app}/compare?study=shapes&layer=stage4&right=shapes&right_layer=logits")
    page.get_by_text("Pinned patterns").wait_for()
    settled(page)
    told = page.locator("[data-testid=stMain]").inner_text()
    assert re.search(r"Left: .*stage4", told)
    assert re.search(r"Right: .*logits", told)
    page.get_by_role("button", name="Pin", exact=True).first.click()
    page.locator(".st-key-pinned-1").wait_for()
    page.get_by_role("link", name="Overview").first.click()
    page.get_by_text("images into").first.wait_for()
    page.get_by_role("link", name="Compare").first.click()
    page.locator(".st-key-pinned-1").wait_for()
    assert page.locator(".st-key-pinned-1 img").count() > 3


def test_a_row_of_the_table_opens_its_layer(page, app):
    page.goto(f"{app}/compare")
    page.get_by_text("Pinned patterns").wait_for()
    settled(page)
    table = page.locator("[data-testid=stDataFrame] .dvn-scroller").first
    table.scroll_into_view_if_needed()
    table.click(position={"x": 14, "y": 35 + 35 * 3 + 17})  # the box before the fourth layer
    page.wait_for_url("**layer=stage4**")
    settled(page)
    told = page.locator("[data-testid=stMain]").inner_text()
    assert re.search(r"Left: .*stage4", told)
    assert re.search(r"Right: .*stage4", told)
