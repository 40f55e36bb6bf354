"""Foreign images: scores against slow re-derivations, AUROC against scikit-learn, planted strangers, the digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nap_core.errors import InputError, NotFiniteError, StudyError, UnknownNameError
from nap_core.inputs.demos import factors
from nap_core.patterns.foreign import (
    SHOWN,
    class_distance,
    fused,
    near_distance,
    scored_by_folds,
    separation,
    surprise,
    tree_scores,
)
from nap_core.study import Study
from nap_core.study import foreign as foreign_module
from nap_core.study.foreign import foreign_images, foreign_newcomers, nearest_known
from nap_core.study.image import study_scaler
from nap_core.study.new_images import NewImages, both, left_out, of_classes
from nap_core.types import NOISE


def test_auroc_is_scikit_learns_and_lies_in_its_interval():
    random = np.random.default_rng(0)
    for _ in range(5):
        is_foreign = random.random(90) < 0.3
        score = np.round(random.normal(size=90) + is_foreign, 1)  # with ties
        found = separation(score, is_foreign, n_draws=200)
        assert found.auroc == pytest.approx(roc_auc_score(is_foreign, score))
        assert found.low <= found.auroc <= found.high
    same = separation(score, is_foreign, n_draws=200)
    assert same == found


def test_near_distance_by_brute_force():
    random = np.random.default_rng(1)
    known, rows = random.normal(size=(40, 3)), random.normal(size=(7, 3)) + 5
    apart = np.linalg.norm(rows[:, None] - known[None], axis=2)
    np.testing.assert_allclose(near_distance(known, rows), np.sort(apart, axis=1)[:, :5].mean(axis=1), rtol=1e-5)
    assert near_distance(known[:3], rows).shape == (7,)


def test_class_distance_by_inverting_the_covariance():
    from sklearn.covariance import LedoitWolf

    random = np.random.default_rng(2)
    group = np.repeat([0, 2, NOISE], [30, 40, 10])
    known, rows = random.normal(size=(80, 4)) * [5, 1, 1, 0.2] + group[:, None], random.normal(size=(6, 4)) * 4
    kept = group != NOISE
    mean = {number: known[group == number].mean(axis=0) for number in (0, 2)}
    inner = known[kept] - np.stack([mean[number] for number in group[kept]])
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(inner).covariance_)
    expected = [min((row - center) @ inverse @ (row - center) for center in mean.values()) for row in rows]
    np.testing.assert_allclose(class_distance(known, group, rows), expected, rtol=1e-4)


def test_units_that_never_answer_do_no_harm():
    known = np.concatenate([np.random.default_rng(0).normal(size=(50, 3)), np.zeros((50, 2))], axis=1)
    assert np.isfinite(class_distance(known, np.arange(50) % 2, known)).all()


def test_a_place_inside_a_cluster_belongs_and_one_far_away_does_not():
    random = np.random.default_rng(3)
    known = np.concatenate([random.normal(size=(60, 2)), random.normal(size=(60, 2)) + 20])
    member, outlier = tree_scores(known, np.array([[0.0, 0.0], [20.0, 20.0], [10.0, 10.0], [200.0, 0.0]]))
    assert (member[:2] < 0.6).all() and (member[2:] > 0.8).all()
    assert (outlier[:2] < outlier[2:].min()).all()
    assert (member >= 0).all() and (member <= 1).all() and (outlier >= 0).all() and (outlier <= 1).all()


def test_copies_among_the_known_do_no_harm():
    known = np.repeat(np.random.default_rng(0).normal(size=(12, 3)), 8, axis=0)
    member, outlier = tree_scores(known, np.concatenate([known[:2], known[:2] + 50]))
    assert np.isfinite(member).all() and np.isfinite(outlier).all()
    assert member[0] < member[2]


def test_surprise_is_minus_the_logarithm_of_the_share_that_scores_as_high():
    np.testing.assert_allclose(surprise(np.array([0, 5, 11]), np.arange(10)), -np.log([1, 6 / 11, 1 / 11]))
    both = {"a": (np.array([0, 11]), np.arange(10)), "b": (np.array([11, 11]), np.arange(10))}
    rows, known = fused(both)
    np.testing.assert_allclose(rows, [np.log(11) / 2, np.log(11)])
    np.testing.assert_allclose(np.exp(-known), np.arange(10, 0, -1) / 10)  # the lowest is no surprise at all


def test_held_out_images_score_like_new_ones():
    random = np.random.default_rng(4)
    rows, fresh = random.normal(size=(300, 4)), random.normal(size=(300, 4))
    new, own = scored_by_folds(rows, rows, np.zeros(300, int), fresh, fresh)
    assert set(new) == set(own) == set(SHOWN)
    for name, score in own.items():
        assert np.isfinite(score).all()
        assert np.isfinite(new[name]).all()
        assert abs(np.median(score) / np.median(new[name]) - 1) < 0.15


def test_digits_never_seen_are_told_from_new_ones_of_known_kinds():
    study, truth = Study.demo("digits"), factors("digits")
    known = truth["trained"] == 1
    found = foreign_images(study, known)
    is_foreign = truth["foreign"][~known] == 1
    told = found.separations(is_foreign)
    assert told["", "fused"].auroc >= 0.97
    assert told["", "fused"].auroc > told["", "uncertainty"].auroc
    assert told["stage3", "distance"].auroc == pytest.approx(roc_auc_score(is_foreign, found.score[2, 0]))
    again = foreign_images(study, known)
    np.testing.assert_array_equal(found.fused, again.fused)
    with pytest.raises(InputError, match="some of both"):
        found.separations(np.zeros(len(is_foreign), bool))


def test_new_images_and_a_study_without_classes(tmp_path):
    random = np.random.default_rng(5)
    study = Study.from_activations(tmp_path, {"one": random.normal(size=(80, 6)), "two": random.normal(size=(80, 3))})
    rows = {"one": random.normal(size=(10, 6)), "two": random.normal(size=(10, 3))}
    rows = {name: np.concatenate([part, part + 9]).astype(np.float32) for name, part in rows.items()}
    found = foreign_newcomers(study, NewImages(tuple("abcdefghijklmnopqrst"), (b"",) * 20, rows, None))
    assert np.isnan(found.score[:, SHOWN.index("class distance")]).all()
    assert np.isnan(found.uncertainty).all()
    assert found.separations(np.arange(20) >= 10)["", "fused"].auroc > 0.95
    with pytest.raises(StudyError, match="5 known images"):
        foreign_images(study, np.arange(80) < 5)
    with pytest.raises(StudyError, match="leave some"):
        foreign_images(study, np.ones(80, bool))


def made_elsewhere(folder, n=200):
    random = np.random.default_rng(6)
    rows = random.normal(size=(n, 6)).astype(np.float32)
    return Study.from_activations(folder, {"one": rows, "two": rows[:, :3] * 2})


def new(values):
    return NewImages(
        tuple(map(str, range(len(values)))), (b"",) * len(values), {"one": values, "two": values[:, :3] * 2}, None
    )


def test_of_images_like_the_known_about_one_in_twenty_looks_foreign(tmp_path):
    random = np.random.default_rng(7)
    study = made_elsewhere(tmp_path, 600)
    same = foreign_newcomers(study, new(random.normal(size=(400, 6)).astype(np.float32)))
    assert 0.02 <= same.looks_foreign.mean() <= 0.09
    assert abs(same.separations_from_known()["", "fused"].auroc - 0.5) < 0.06
    other = foreign_newcomers(study, new(random.normal(size=(50, 6)).astype(np.float32) * 4))
    assert other.looks_foreign.mean() > 0.9
    assert other.by_layer.shape == (2, 50)
    assert (other.by_layer.mean(axis=1) > 2 * same.by_layer.mean(axis=1)).all()
    told = other.separations_from_known()
    assert ("", "uncertainty") not in told
    assert told["one", "raw distance"].auroc > 0.9  # they differ in how loudly they answer


def test_what_scores_are_fitted_on_is_drawn_where_there_is_much(tmp_path, monkeypatch):
    study = made_elsewhere(tmp_path)
    monkeypatch.setattr(foreign_module, "MOST_KNOWN", 60)
    known = np.arange(200) >= 50
    found = foreign_images(study, known)
    assert len(found.known) == len(set(found.known.tolist())) == 60
    assert found.known.min() >= 50
    assert len(found.fused) == 50
    np.testing.assert_array_equal(found.own_fused, foreign_images(study, known).own_fused)


def test_nearest_known_images_by_brute_force(tmp_path):
    study = made_elsewhere(tmp_path)
    known = np.arange(0, 200, 2, dtype=np.int32)
    rows = np.random.default_rng(8).normal(size=(5, 6)).astype(np.float32)
    near, distance = nearest_known(study, "one", rows, known, 3)
    scaler = study_scaler(study, "one", study.config)
    table, asked = scaler.apply(study.activations("one").values[known]), scaler.apply(rows)
    apart = np.linalg.norm(asked[:, None] - table[None], axis=2)
    np.testing.assert_array_equal(near, known[np.argsort(apart, axis=1)[:, :3]])
    np.testing.assert_allclose(distance, np.sort(apart, axis=1)[:, :3], rtol=1e-4)


def test_classes_left_out_are_as_new_images_of_the_network():
    study = Study.demo("digits")
    out = of_classes(study, ["8", "9"])
    np.testing.assert_array_equal(out, study.target >= 8)
    with pytest.raises(UnknownNameError, match="No class 'nine'"):
        of_classes(study, ["nine"])
    images = np.flatnonzero(out)[:30].astype(np.int32)
    found = left_out(study, images)
    assert found.ids[3] == study.ids[images[3]]
    assert found.thumbnail[3] == study.thumbnail(int(images[3]))
    again = foreign_newcomers(study, found, ~out)
    whole = foreign_images(study, ~out)
    np.testing.assert_allclose(again.fused, whole.fused[:30], rtol=1e-5)
    twice = both(found, found)
    assert len(twice.ids) == len(twice.rows["stage1"]) == len(twice.predictions.prediction) == 60


def test_a_new_image_that_is_not_finite_is_an_error(tmp_path):
    study = made_elsewhere(tmp_path)
    with pytest.raises(NotFiniteError):
        foreign_newcomers(study, new(np.full((3, 6), np.nan, np.float32)))
