"""Buttons that lead from a pattern to other layers, where the layer is also a choice in the sidebar."""

from __future__ import annotations

from nap_core.study import Study
from nap_core.study.describe import companions
from nap_core.types import NOISE


def test_a_pattern_leads_to_where_its_images_go_in_the_next_layer(page, app, cache):
    page.goto(f"{app}/patterns?study=shapes&layer=stage3&pattern=5")
    page.get_by_text("Nearest patterns").wait_for()
    study = Study.open(next((cache / "demos").glob("shapes-????????????")))
    found = companions(study, "stage3", 5, "stage4", study.config, 4)
    first = next(other for other in found if other.pattern != NOISE)
    page.locator(f".st-key-to-stage4-{first.pattern} button").click()
    page.wait_for_url(f"**pattern={first.pattern}")
    page.get_by_text("of 2,000 images into").wait_for()
    page.locator("h3", has_text=f"Pattern {first.pattern}").wait_for()
    assert "layer=stage4" in page.url
    assert not page.locator("[data-testid=stException]").count()
