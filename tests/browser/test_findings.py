"""From a finding to its evidence, in a real browser."""

from __future__ import annotations

import re


def test_a_finding_leads_to_its_pattern_and_to_its_images(page, app):
    page.goto(f"{app}/?study=shapes")
    page.get_by_text("small light mark in the lower right corner").wait_for()
    page.get_by_role("button", name=re.compile(r"Pattern \d+ of features")).first.click()
    page.get_by_text("Busier in the corners than").wait_for()
    assert re.search(r"/patterns\?.*pattern=\d+", page.url)
    page.get_by_role("link", name="Overview").first.click()
    page.get_by_text("small light mark in the lower right corner").wait_for()
    page.get_by_role("button", name=re.compile(r"Select its \d+ images")).first.click()
    page.get_by_role("heading", name="What have you selected?").wait_for()
    page.locator("[data-testid=stSidebar]").get_by_text("selected").first.wait_for()
