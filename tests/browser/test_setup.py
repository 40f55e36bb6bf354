"""Own weights and photos, a run that is stopped and goes on, wrong files, a study handed on as one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nap_core.study import Study
from tests.browser.rest import settled
from tests.browser.test_journeys import zip_of_photos


@pytest.fixture
def photos(shared_data: Path, tmp_path: Path) -> Path:
    return zip_of_photos(tmp_path / "photos.zip", shared_data, n_folders=40, most=4)


@pytest.fixture
def weights(shared_data: Path, tmp_path: Path) -> Path:
    """A checkpoint as a training script with several processors writes it."""
    import torch
    from safetensors.torch import load_file

    state = load_file(shared_data / "models/mobilenet_v2_a_fp16.safetensors")
    target = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 7, "state_dict": {f"module.{name}": value.float() for name, value in state.items()}}, target)
    return target


def test_own_weights_and_photos_stopped_and_continued(page, app, cache, weights, photos):
    page.goto(f"{app}/setup")
    page.locator("input[type=file]").nth(0).set_input_files(weights)
    page.get_by_text("Model: mobilenet_v2").wait_for()
    page.locator("input[type=file]").nth(1).set_input_files(photos)
    page.get_by_text("1 file was left out").wait_for(timeout=120_000)
    page.get_by_text("Next: choose layers and run").click()
    page.get_by_text("Forecast: about").wait_for()
    page.get_by_label("Search layers by name or type").fill("features.1.conv")
    page.get_by_label("features.1.conv.1", exact=True).wait_for()
    assert not page.get_by_label("features.18", exact=True).is_visible()
    page.get_by_label("Search layers by name or type").fill("")
    page.get_by_role("button", name="None", exact=True).click()
    page.get_by_text("Tick at least one layer").wait_for()
    page.get_by_label("features.18", exact=True).check()
    page.get_by_label("classifier", exact=True).check()
    page.get_by_text("2 of 212 layers are looked at").wait_for()
    settled(page)
    page.locator(".st-key-run button").first.click()
    page.get_by_text("2 of 3 · images through the model:").wait_for()
    page.locator(".st-key-stop button").first.click()
    page.get_by_text("A run was stopped").wait_for()
    page.get_by_role("button", name="Continue the run").click()
    page.get_by_text("images into").first.wait_for(timeout=300_000)
    (about,) = [file for file in (cache / "studies").glob("*/study.json") if Study.open(file.parent).n_images == 160]
    study = Study.open(about.parent)
    assert study.is_finished
    assert study.layer_names == ("features.18", "classifier")
    right = [
        study.prediction_names[study.predictions.prediction[i]].replace(" ", "_") in study.ids[i].replace(" ", "_")
        for i in range(study.n_images)
    ]
    assert sum(right) > 80


@pytest.mark.parametrize(
    ("place", "name", "content", "said"),
    [
        (0, "model.safetensors", b"\xff\xd8\xff\xe0 a photo", "model.safetensors"),
        (1, "photos.zip", b"PK\x03\x04 cut off", "photos.zip"),
        (1, "notes.txt", b"no picture at all", "notes.txt"),
    ],
)
def test_a_wrong_file_is_a_sentence(page, app, tmp_path, place, name, content, said):
    file = tmp_path / name
    file.write_bytes(content)
    page.goto(f"{app}/setup")
    page.locator("input[type=file]").nth(place).set_input_files(file)
    alert = page.locator("[data-testid=stAlert]").filter(has_text=said)
    alert.wait_for()
    assert "Traceback" not in page.content()
    page.get_by_text("No model yet").wait_for()


def test_a_study_is_handed_on_as_one_file(page, app, cache, browser, tmp_path):
    page.goto(f"{app}/setup?study=digits")
    page.get_by_text("Studies made before").click()
    with page.expect_download(timeout=120_000) as coming:
        page.get_by_role("button", name="Download as one file").click()
    file = tmp_path / coming.value.suggested_filename
    coming.value.save_as(file)
    assert file.name.endswith(".nap.zip")
    before = set((cache / "studies").glob("*"))
    other = browser.new_context().new_page()
    other.set_default_timeout(120_000)
    other.goto(f"{app}/setup")
    other.get_by_text("Studies made before").click()
    other.get_by_text("Activations made elsewhere").wait_for()
    other.locator("input[type=file]").first.set_input_files(file)
    other.get_by_role("heading", name="Which model, which images?").wait_for(state="detached")
    other.context.close()
    (folder,) = set((cache / "studies").glob("*")) - before
    ours, theirs = Study.demo("digits"), Study.open(folder)
    for layer in ours.layer_names:
        assert (ours.patterns(layer).label == theirs.patterns(layer).label).all()
    assert ours.thumbnail(7) == theirs.thumbnail(7)
