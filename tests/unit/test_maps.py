"""Maps of a study: layouts kept, all thumbnails in one picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nap_core.study import Study
from nap_core.study.maps import atlas, atlas_cell, has_layout, layout


@pytest.fixture(scope="module")
def digits() -> Study:
    return Study.demo("digits")


def test_a_layout_is_kept(digits):
    first = layout(digits, "features", method="pca")
    assert has_layout(digits, "features", digits.config, "pca")
    again = layout(Study.open(digits.folder), "features", method="pca")
    np.testing.assert_array_equal(again.position, first.position)
    assert (again.layer, again.method) == ("features", "pca")


def test_the_atlas_shows_each_image_at_its_place(digits):
    jpeg, cell, columns = atlas(digits)
    sheet = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), float)
    for image in (0, 41, 1796):
        row, column = image // columns * cell, image % columns * cell
        shown = sheet[row : row + cell, column : column + cell]
        wanted = Image.open(io.BytesIO(digits.thumbnail(image))).convert("L").resize((cell, cell))
        assert np.corrcoef(shown.ravel(), np.asarray(wanted, float).ravel())[0, 1] > 0.9


def test_an_atlas_stays_small():
    cells = [atlas_cell(n) for n in (100, 1_500, 2_500, 6_000, 10_000, 50_000)]
    assert cells == [64, 64, 48, 32, 24, 0]


def test_activations_alone_have_no_atlas(tmp_path):
    study = Study.from_activations(tmp_path, {"a": np.random.default_rng(0).normal(size=(20, 3))})
    assert atlas(study) == (b"", 0, 0)
