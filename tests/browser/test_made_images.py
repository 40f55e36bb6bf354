"""Images that are made: seen growing, stopped, gone on with; and what is kept appears where patterns are shown."""

from __future__ import annotations

import re

from playwright.sync_api import Page


def test_a_picture_grows_is_stopped_and_gone_on_with(page: Page, app: str) -> None:
    page.goto(f"{app}/maximize?study=digits&layer=stage3&look-pattern=1&look-view=made+images")
    page.get_by_text("How the images are made").click()
    for label, option in (("Parametrisation", "Fourier"), ("Steps", "long, 512")):
        page.get_by_role("combobox", name=re.compile(label)).click()
        page.get_by_role("option", name=option, exact=True).click()
    page.get_by_text("free waves").wait_for()
    page.get_by_role("button", name="Make these images").click()
    page.locator(".nap-made img").first.wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    stopped = page.get_by_text(re.compile(r"Stopped after \d+ of 512"))
    stopped.wait_for()
    page.get_by_role("button", name=re.compile("Go on from step")).click()
    stopped.wait_for(state="detached")
    page.get_by_text("Reached pattern 1 of stage3").wait_for()
    assert page.locator(".nap-made figure").count() == 3


def test_all_patterns_are_made_and_then_stand_on_cards_paths_and_flows(page: Page, app: str) -> None:
    page.goto(f"{app}/maximize?study=digits&layer=features&look-for=all+patterns")
    page.get_by_text(re.compile("have their picture|none has its picture yet")).wait_for()
    make = page.get_by_role("button", name=re.compile("Make them for all \\d+ patterns"))
    if make.count():  # not where the demo is shipped with them
        make.click()
    page.get_by_text("have their picture (generator)").wait_for(timeout=300_000)
    page.locator("article .look").first.click()
    page.get_by_text("Can this be believed?").wait_for()
    assert "look-for=pattern" in page.url or "look-pattern" in page.url
    page.goto(f"{app}/image?study=digits")
    page.locator("article .look img").first.wait_for()
    page.goto(f"{app}/flows?study=digits&part=features:1")
    page.get_by_text("What is looked for on their way").wait_for()
    assert page.locator(".nap-looks img").count() >= 1
