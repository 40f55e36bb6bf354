"""Foreign images: scores against slow re-derivations, AUROC against scikit-learn, planted strangers, the digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nap_core.errors import InputError, StudyError
from nap_core.inputs.demos import factors
from nap_core.patterns.foreign import (
    SHOWN,
    class_distance,
    fused,
    held_out,
    near_distance,
    separation,
    surprise,
    tree_scores,
)
from nap_core.study import Study
from nap_core.study.foreign import foreign_images, foreign_newcomers
from nap_core.study.new_images import NewImages
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
    np.testing.assert_allclose(fused(both), [np.log(11) / 2, np.log(11)])


def test_held_out_images_score_like_new_ones():
    random = np.random.default_rng(4)
    rows, new = random.normal(size=(300, 4)), random.normal(size=(300, 4))
    found = held_out(rows, rows, np.zeros(300, int))
    assert abs(np.median(found["distance"]) / np.median(near_distance(rows, new)) - 1) < 0.15
    assert all(np.isfinite(score).all() for score in found.values())


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
