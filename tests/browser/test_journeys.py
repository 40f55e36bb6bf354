"""What a person does, in a real browser."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from nap_core.study import Study
from tests.browser.rest import settled

RIBBON = """([least, most]) => {
  const roots = [...document.querySelectorAll('.st-key-flow-chart *')].map(e => e.shadowRoot);
  const within = roots.find(root => root?.querySelector('.ribbons'));
  const paths = [...(within?.querySelectorAll('.ribbons path') ?? [])];
  for (const path of paths.sort((a, b) => b.getBBox().height - a.getBBox().height)) {
    const box = path.getBoundingClientRect();
    if (box.height < least || box.height > most) continue;
    for (let y = box.top + 1; y < box.bottom; y += 1) {
      const x = box.left + box.width / 2;
      if (within.elementFromPoint(x, y) === path) return [x, y];
    }
  }
  return null;
}"""
HEADING = re.compile(r"From (.+) of (\S+) to (.+) of (\S+)")


def shown_images(page) -> list[str]:
    page.wait_for_selector(".st-key-flow-images img")
    return page.eval_on_selector_all(".st-key-flow-images img", "found => found.map(image => image.alt)")


def label_of(words: str) -> int:
    return -1 if words.lower() == "no pattern" else int(words.split()[-1])


def point_on_a_ribbon(page, least: int, most: int) -> list[float] | None:
    """Return where to click once the chart has come to rest, or None where no ribbon is of this height."""
    before: object = "nowhere"
    for _ in range(40):
        point = page.evaluate(RIBBON, [least, most])
        if point == before:
            return point
        before = point
        page.wait_for_timeout(300)
    return None


def answer_to_a_click(page, point: list[float]) -> str:
    """Click and return the heading that answers; a click that the chart missed while it was drawn is made again."""
    for _ in range(5):
        page.mouse.move(5, 5)
        page.mouse.click(*point)
        try:
            page.wait_for_selector("h5", timeout=8000)
            break
        except PlaywrightTimeoutError:
            continue
    settled(page)
    return page.wait_for_selector("h5").inner_text()


def click_a_ribbon(page, study: Study) -> tuple[list[str], list[str]]:
    """Click ribbons until one joins two single patterns; return the ids shown and the ids that should be."""
    page.wait_for_selector(".st-key-flow-chart svg path")
    settled(page)
    for least, most in ((0, 30), (30, 60), (60, 120), (120, 900)):
        point = point_on_a_ribbon(page, least, most)
        if point is None:
            continue
        found = HEADING.match(answer_to_a_click(page, point))
        if found is None or "more" in found[1] or "more" in found[3]:
            continue
        flow = study.flow(found[2], found[4])
        members = flow.members(label_of(found[1]), label_of(found[3]))
        return shown_images(page), [study.ids[i] for i in members[:24]]
    raise AssertionError("no ribbon between two patterns could be clicked")


def test_newcomer_sees_the_built_in_study(page, app, cache):
    page.goto(app)
    page.get_by_text("images into").first.wait_for()
    page.get_by_role("link", name="Patterns").first.click()
    page.locator("article .open").first.press("Enter")
    page.get_by_role("button", name="All patterns").wait_for()
    page.locator(".grid img").nth(6).wait_for()
    page.get_by_role("link", name="Flows").first.click()
    shown, wanted = click_a_ribbon(page, Study.open(next((cache / "demos").glob("shapes-*"))))
    assert shown == wanted


def test_other_recipe_groups_again_without_the_network(page, app):
    page.goto(f"{app}/patterns?study=digits")
    page.get_by_text("Clustering: covering").click()
    page.get_by_text("published: exactly").click()
    settled(page)
    page.get_by_role("button", name="Group again").click()
    page.get_by_text("Clustering: published").wait_for()
    settled(page)
    assert page.get_by_text("images into").count() == 1


def zip_of_photos(target: Path, shared_data: Path, *, n_folders: int, most: int) -> Path:
    """At most so many photos of each folder, and a file that is no photo."""
    with zipfile.ZipFile(target, "w") as archive:
        for folder in sorted((shared_data / "images/imagenet_multi").iterdir())[:n_folders]:
            for file in sorted(folder.glob("*.jpg"))[:most]:
                archive.write(file, f"{folder.name}/{file.name}")
        archive.writestr("broken/cut.jpg", b"\xff\xd8\xff\xe0 not a picture")
    return target


def test_own_weights_and_photos(page, app, cache, shared_data, tmp_path):
    photos = zip_of_photos(tmp_path / "photos.zip", shared_data, n_folders=12, most=20)
    before = set((cache / "studies").glob("*"))  # of other tests
    page.goto(f"{app}/setup")
    uploads = page.locator("input[type=file]")
    uploads.nth(0).set_input_files(shared_data / "models/mobilenet_v2_a_fp16.safetensors")
    page.get_by_text("Model: mobilenet_v2").wait_for()
    uploads.nth(1).set_input_files(photos)
    page.get_by_text("1 file was left out").wait_for()
    page.get_by_text("Next: choose layers and run").click()
    page.get_by_text("Forecast:").wait_for()
    page.locator("[data-testid=stMain]").get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("images into").first.wait_for(timeout=300_000)
    page.get_by_role("link", name="Flows").first.click()
    (made,) = set((cache / "studies").glob("*")) - before
    shown, wanted = click_a_ribbon(page, Study.open(made))
    assert shown == wanted


def test_refused_weights_are_a_sentence(page, app, tmp_path):
    bad = tmp_path / "model.pth"
    bad.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    page.goto(f"{app}/setup")
    page.locator("input[type=file]").nth(0).set_input_files(bad)
    alert = page.locator("[data-testid=stAlert]").filter(has_text="model.pth")
    alert.wait_for()
    assert "Traceback" not in page.content()
    assert "model.pth" in alert.inner_text()


def test_choices_go_on_below_where_a_narrow_screen_has_no_room(page, app):
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{app}/patterns")
    page.get_by_text("similarity", exact=True).wait_for()
    hidden = "rows => rows.filter(row => row.scrollWidth > row.clientWidth + 1).map(row => row.innerText)"
    assert page.eval_on_selector_all("[data-testid=stButtonGroup] [role=radiogroup]", hidden) == []


def test_a_link_to_a_page_works_on_a_server_that_nobody_has_visited(page, new_app):
    page.goto(f"{new_app}/patterns?study=digits&layer=stage2")
    page.get_by_text("images into").wait_for()
    page.get_by_role("link", name="Overview").wait_for()
    assert page.locator("[data-testid=stMain] code").first.inner_text() == "stage2"
