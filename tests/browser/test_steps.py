"""Back and forward in the browser: each comes to the view before or after, with its layer and its colours."""

from __future__ import annotations

from tests.browser.rest import settled


def test_back_comes_to_the_view_before(page, app):
    page.goto(app)
    page.get_by_text("What stands out").wait_for()
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


def test_a_link_pressed_before_the_page_counts_steps_is_a_step(page, app):
    held = []
    page.route("**/BidiComponent*.js", lambda script: held.append(script), times=1)  # what counts them comes with it
    page.goto(app)
    page.get_by_role("link", name="Patterns").first.hover()
    page.mouse.down()
    page.wait_for_timeout(500)
    assert not page.evaluate("Boolean(globalThis.napSteps)")
    held[0].continue_()
    page.wait_for_function("globalThis.napSteps")
    page.mouse.up()
    page.locator("article .open").first.wait_for()
    settled(page)
    page.go_back()
    page.get_by_text("What stands out").wait_for()


def test_what_a_page_writes_when_its_reader_has_clicked_a_link_is_no_step(page, app):
    page.goto(app)
    page.wait_for_function("globalThis.napSteps")
    settled(page)
    before = page.evaluate("history.length")
    page.evaluate("addEventListener('click', () => history.pushState({}, '', '/?late=1'), {once: true})")
    page.get_by_role("link", name="Patterns").first.click()
    page.locator("article .open").first.wait_for()
    settled(page)
    assert page.evaluate("history.length") == before + 1
    page.go_back()
    page.wait_for_url(f"{app}/")
    page.get_by_text("What stands out").wait_for()
