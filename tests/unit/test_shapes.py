from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nap_core.inputs import shapes

N = 120


@pytest.fixture(scope="module")
def chosen() -> shapes.Factors:
    return shapes.choose_factors(N, 3, {"star": 0.5})


@pytest.fixture(scope="module")
def drawn(chosen: shapes.Factors) -> tuple[np.ndarray, np.ndarray]:
    return shapes.draw(chosen)


def test_the_seed_is_all_that_matters(chosen, drawn):
    again = shapes.choose_factors(N, 3, {"star": 0.5})
    assert all(np.array_equal(getattr(again, name), getattr(chosen, name)) for name in chosen.__slots__)
    pictures, masks = shapes.draw(again)
    assert np.array_equal(pictures, drawn[0]) and np.array_equal(masks, drawn[1])
    assert not np.array_equal(shapes.choose_factors(N, 4, {}).shape, chosen.shape)


def test_a_picture_does_not_depend_on_its_neighbours(chosen, drawn):
    image = np.array([70, 5, 33])
    pictures, masks = shapes.draw(chosen.take(image))
    assert np.array_equal(pictures, drawn[0][image]) and np.array_equal(masks, drawn[1][image])


def test_every_factor_value_occurs_and_shapes_are_even(chosen):
    assert np.bincount(chosen.shape).tolist() == [N // 6] * 6
    for name, values in (("colour", shapes.COLOURS), ("texture", shapes.TEXTURES), ("ground", shapes.GROUNDS)):
        assert set(getattr(chosen, name)) == set(range(len(values)))


def test_only_the_named_shape_is_marked(chosen):
    star = chosen.shape == shapes.SHAPES.index("star")
    assert not chosen.watermark[~star].any()
    assert 0 < chosen.watermark[star].mean() < 1


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_masks_lie_whole_round_the_centre(name, chosen, drawn):
    for i in np.flatnonzero(chosen.shape == shapes.SHAPES.index(name)):
        mask = drawn[1][i]
        rows, columns = np.nonzero(mask)
        assert rows.min() > 0 and rows.max() < 63 and columns.min() > 0 and columns.max() < 63
        assert abs(columns.mean() + 0.5 - chosen.x[i]) < 0.2 * chosen.size[i]
        assert abs(rows.mean() + 0.5 - chosen.y[i]) < 0.2 * chosen.size[i]
        assert 1.4 < mask.sum() / chosen.size[i] ** 2 < 3.2


def test_areas_are_those_of_geometry():
    one = shapes.choose_factors(6, 0, {})
    plain = replace(one, size=np.full(6, 18), x=np.full(6, 32), y=np.full(6, 32), angle=np.arange(6) * 5)
    area = dict(zip(np.array(shapes.SHAPES)[plain.shape], shapes.draw(plain)[1].sum((1, 2)) / 18.0**2, strict=True))
    assert area["circle"] == pytest.approx(np.pi * 0.9**2, rel=0.03)
    assert area["square"] == pytest.approx(4 * 0.82**2, rel=0.03)
    assert area["triangle"] == pytest.approx(np.sqrt(3) * 1.1**2, rel=0.03)
    assert area["cross"] == pytest.approx(8 * 0.36 - 4 * 0.36**2, rel=0.03)
    assert area["star"] == pytest.approx(5 * 1.22**2 * 0.46 * np.sin(np.pi / 5), rel=0.03)


def test_plain_paint_has_the_colour_of_the_palette(chosen, drawn):
    plain = np.flatnonzero((chosen.texture == 0) & (chosen.watermark == 0))
    for i in plain:
        y, x = int(chosen.y[i]), int(chosen.x[i])
        assert np.abs(drawn[0][i, y, x] / 255 - shapes._PALETTE[chosen.colour[i]]).max() < 0.01


def test_the_mark_changes_its_corner_and_nothing_else(chosen):
    off = shapes.draw(replace(chosen, watermark=np.zeros(N)))[0].astype(int)
    on = shapes.draw(replace(chosen, watermark=np.ones(N)))[0].astype(int)
    changed = (on != off).any(axis=(0, 3))
    assert changed[48:, 48:].any() and not changed[:48].any() and not changed[:, :48].any()
    assert (on >= off)[:, shapes.mark_mask()].mean() > 0.99
