"""New images: a zip of foreign pictures, how many look foreign, and one of them followed through the layers."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO

from nap_core.inputs.demos import demo_images


def test_a_zip_of_foreign_pictures(page, app, tmp_path):
    file = tmp_path / "digits.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for image in range(40):
            picture = BytesIO()
            demo_images("digits").picture(image).save(picture, "PNG")
            archive.writestr(f"digit-{image:02d}.png", picture.getvalue())
    page.goto(f"{app}/new_images?study=shapes")
    page.get_by_role("heading", name="Which new images are foreign?").wait_for()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("40 of 40 images").wait_for()
    page.locator("[data-testid=stPlotlyChart]").first.wait_for()
    page.get_by_text("All of these images are foreign").click()
    page.get_by_text(re.compile("All layers together tell them with")).wait_for()
    name = page.get_by_text(re.compile("“digit-")).first.inner_text().split("\n")[0].strip("“”")
    page.get_by_role("button", name="Follow it through the layers").first.click()
    page.get_by_role("heading", name=name).wait_for()
    page.locator(".path article").first.wait_for()
