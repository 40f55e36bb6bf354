"""One picture followed through the network: an uploaded one, and one found by its class."""

from __future__ import annotations

import re

from nap_core.inputs.demos import demo_images
from nap_core.study import Study


def cards(page) -> list[str]:
    page.locator(".path article").first.wait_for()
    return page.locator(".path article code").all_inner_texts()


def test_upload_one_picture_and_follow_it(page, app, cache, browser, tmp_path):
    file = tmp_path / "mine.png"
    demo_images("shapes").picture(700).save(file)
    page.goto(f"{app}/image?study=shapes")
    page.get_by_text("a picture of your own").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("heading", name="mine.png").wait_for()
    study = Study.open(next((cache / "demos").glob("shapes-*")))
    assert cards(page) == list(study.layer_names)
    # The picture is one of the study's own, so it comes to that one's place: same patterns, itself the nearest.
    wanted = [int(study.patterns(layer).label[700]) for layer in study.layer_names]
    titles = page.locator(".path article .open b").all_inner_texts()
    assert titles == ["No pattern" if label < 0 else f"Pattern {label}" for label in wanted]
    nearest = page.locator(".path article .row .picture:first-child").evaluate_all("found => found.map(e => e.title)")
    assert all(title.startswith("shapes-0700") for title in nearest)
    address = page.url
    page.locator(".path article .open").nth(2).click()
    page.wait_for_url(re.compile(rf"/patterns\?.*layer={study.layer_names[2]}.*pattern={wanted[2]}"))
    page.get_by_role("button", name="All patterns").wait_for()
    other = browser.new_context().new_page()
    other.goto(address)
    other.get_by_text("uploaded in another session").wait_for(timeout=60_000)
    other.context.close()


def test_an_image_is_searched_and_its_neighbours_followed(page, app):
    page.goto(f"{app}/image?study=digits")
    page.get_by_label("Search", exact=True).fill("0007")
    page.get_by_label("Search", exact=True).press("Enter")
    page.locator(".grid .picture[title^=digits-0007]").click()
    page.get_by_role("heading", name="digits-0007").wait_for()
    page.wait_for_url(re.compile("image=digits-0007"))
    neighbour = page.locator(".path article .row .picture").first
    name = neighbour.get_attribute("title").split(" ")[0]
    neighbour.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=name).wait_for()
    page.locator(".path article").nth(1).get_by_role("button", name="Map").click()
    page.wait_for_url(re.compile("/map"))
    page.get_by_role("heading", name=name).wait_for()
    assert page.locator("[data-testid=stMain] code").first.inner_text() == "stage2"
    page.get_by_role("link", name="Image", exact=True).click()
    page.get_by_role("heading", name=name).wait_for()
    page.locator(".path article").nth(1).get_by_role("button", name="Flows").click()
    page.get_by_text(re.compile(r"in (no pattern|pattern \d+) of")).first.wait_for()
