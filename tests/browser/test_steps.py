"""Back and forward in the browser: each comes to the view before or after, with its layer and its colours."""

from __future__ import annotations

from tests.browser.rest import settled


def test_back_comes_to_the_view_before(page, app):
    page.goto(app)
    page.get_by_text("What stands out").wait_for()
    settled(page)  # an address that the page writes after the click would count as its step
    page.get_by_role("link", name="Patterns").first.click()
    page.locator("article .open").first.wait_for()
    settled(page)
    page.locator("[data-testid=stSidebar] [data-testid=stSelectbox]").nth(1).click()
    page.get_by_role("option", name="stage2").click()
    page.wait_for_url("**/patterns?layer=stage2")
    settled(page)
    page.get_by_role("link", name="Map").first.click()
    page.wait_for_url("**/map?layer=stage2")
    page.locator(".map canvas[tabindex]").wait_for()
    settled(page)
    page.locator("[data-testid=stMain]").get_by_text("class", exact=True).first.click()
    page.wait_for_url("**/map?color=class&layer=stage2")
    settled(page)
    page.go_back()
    page.wait_for_url("**/patterns?layer=stage2")
    page.locator("[data-testid=stMain] code", has_text="stage2").first.wait_for()
    settled(page)
    page.go_back()
    page.get_by_text("What stands out").wait_for()
    settled(page)
    page.go_forward()
    page.wait_for_url("**/patterns?layer=stage2")
    settled(page)
    page.go_forward()
    page.wait_for_url("**/map?color=class&layer=stage2")
    page.locator("[data-testid=stMain] code", has_text="stage2").first.wait_for()
