"""The planted flaw of the shapes demo is found by clicking in the flow."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from nap_core.inputs.demos import factors
from nap_core.study import Study
from nap_core.study.answers import misclassified
from tests.browser.rest import settled


def click_bar(page, part: str) -> list[str]:
    """Click a bar and return the names of the pictures that answer, once they have come to rest."""
    before, last = _names(page), None
    page.locator(f".st-key-flow-chart rect[data-part='{part}']").click()
    layer, label = part.rsplit(":", 1)
    page.get_by_role("heading", name=f"Pattern {label} of {layer}").wait_for()
    for _ in range(30):
        settled(page)
        found = _names(page)
        if found and found == last != before:
            break
        last = found
    return found


def _names(page) -> list[str]:
    return page.eval_on_selector_all(".st-key-flow-images img[alt]", "found => found.map(x => x.alt).filter(x => x)")


def test_the_ring_is_found_by_following_the_misclassified(page, app, cache):
    page.goto(app)
    page.get_by_text("images into").first.wait_for()
    page.get_by_role("link", name="Flows").first.click()
    page.locator(".st-key-flow-chart svg").wait_for()
    study = Study.open(next((cache / "demos").glob("shapes-????????????")))
    wrong, label = misclassified(study), study.patterns("features").label
    triangle = study.target == study.class_names.index("triangle")
    ring = dict(zip(study.ids, factors("shapes")["watermark"] == 1, strict=True))
    astray, right = (int(np.bincount(label[kept & (label >= 0)]).argmax()) for kept in (triangle & wrong, triangle))
    assert astray != right

    page.locator(".st-key-flow-only").get_by_text("misclassified", exact=True).click()
    page.get_by_text(f"{int(wrong.sum()):,} of 2,000 images").wait_for()
    settled(page)
    shown = click_bar(page, f"features:{astray}")
    assert len(shown) == 24
    assert all(ring[name] for name in shown)
    page.get_by_text("What they have in common").click()
    page.get_by_text("what the model sees").wait_for()
    page.get_by_text("Compared with all other images, in").wait_for()

    page.locator(".st-key-flow-only").get_by_text("misclassified", exact=True).click()
    page.get_by_text("2,000 images through").wait_for()
    settled(page)
    shown = click_bar(page, f"features:{right}")
    assert len(shown) == 24
    assert not any(ring[name] for name in shown)


def test_a_click_lights_exactly_its_images_in_all_layers(page, app):
    study = Study.demo("shapes")
    page.goto(f"{app}/flows?study=shapes")
    page.locator(".st-key-flow-chart svg").wait_for()
    settled(page)
    click_bar(page, "features:3")
    assert "part=features" in page.url
    members = study.patterns("features").members(3)
    names = page.locator(".st-key-flow-chart .names text").all_text_contents()
    assert f"3 · {len(members)}" in names
    none = [int((study.patterns(layer).label[members] == -1).sum()) for layer in ("stage1", "stage2", "logits")]
    assert {name for name in names if name.startswith("none · ")} <= {f"none · {n}" for n in none}
    page.reload()
    page.get_by_role("heading", name="Pattern 3 of features").wait_for()


def test_bars_are_reached_with_the_keyboard(page, app):
    page.goto(f"{app}/flows?study=shapes")
    bars = page.locator(".st-key-flow-chart rect[role=button]")
    bars.first.wait_for()
    settled(page)
    page.locator("[data-testid=stMain] button", has_text="misclassified").focus()
    for _ in range(3):  # class, pattern, and the chart, which is one stop
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="of stage2").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("Click a bar or a ribbon").wait_for()


def test_the_chart_is_downloaded_as_drawing_and_picture(page, app, tmp_path):
    page.goto(f"{app}/flows?study=shapes")
    page.locator(".st-key-flow-chart svg").wait_for()
    settled(page)
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            page.locator(f".st-key-flow-chart button[data-save={kind.lower()}]").click()
        download.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(start)
        assert download.value.suggested_filename == f"flow.{kind.lower()}"


def test_a_cell_of_the_agreement_shows_the_flow_of_its_two_layers(page, app):
    page.goto(f"{app}/flows?study=shapes")
    page.get_by_text("group the images most alike").wait_for()
    settled(page)
    matrix = page.locator(".st-key-layer-agreement")
    cell = matrix.locator(".scatterlayer .point").nth(1)
    cell.wait_for(state="attached")
    changed = page.get_by_text("2,000 images through 2 layers")
    for _ in range(5):  # a click that the chart missed while the page still moved is made again
        matrix.scroll_into_view_if_needed()
        page.mouse.move(5, 5)
        box = cell.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(300)
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        try:
            changed.wait_for(timeout=8000)
            break
        except PlaywrightTimeoutError:
            continue
    changed.wait_for()
    settled(page)
    assert page.get_by_text("end in no pattern of").locator("code").inner_text() == "stage3"


def test_a_click_does_not_send_the_drawing_again(page, app):
    sizes: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sizes.append(len(frame))))
    page.goto(f"{app}/flows?study=shapes")
    bars = page.locator(".st-key-flow-chart rect[role=button]")
    bars.first.wait_for()
    settled(page)
    drawing = max(sizes)
    sizes.clear()
    bars.nth(2).click()
    page.get_by_text("Follow only these").wait_for()
    settled(page)
    assert drawing > 50_000
    assert not any(abs(size - drawing) < 1_000 for size in sizes)
    assert bars.nth(2).get_attribute("aria-pressed") == "true"
