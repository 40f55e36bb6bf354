"""Each kind of finding on pictures and patterns made by hand, and the case beside it in which there is nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nap_core.findings.cues import cues, place_words
from nap_core.findings.duplicates import duplicates, find_duplicates
from nap_core.findings.gatherings import border_explains, errors_gather
from nap_core.findings.layer_findings import dead_unit_findings, dead_units, kept_neighbors, unchanged_layers
from nap_core.findings.separation import class_findings, overlap, separation
from nap_core.inputs.properties import image_properties
from nap_core.types import NOISE
from tests.planted_findings import evidence_of, score

N, SIDE = 240, 32
RNG = np.random.default_rng(0)


def scenes(n: int = N, seed: int = 0) -> np.ndarray:
    """Soft coloured blobs, every picture another."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (n, 5, 5, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for one in coarse])


def marked(pictures: np.ndarray, chosen: np.ndarray, at: tuple[int, int] = (26, 26), tone: int = 255) -> np.ndarray:
    again = pictures.copy()
    again[chosen, at[0] : at[0] + 4, at[1] : at[1] + 4] = tone
    return again


# ---- marks


@pytest.mark.parametrize(
    ("at", "tone", "words"),
    [((26, 26), 255, "light mark in the lower right corner"), ((2, 14), 0, "dark mark at the upper edge")],
)
def test_a_mark_that_makes_images_pass_for_another_class(at, tone, words):
    target = np.arange(N) % 4
    carries = RNG.random(N) < 0.25
    answer = np.where(carries, 0, target)
    (found,), (carried,) = cues(
        evidence_of(marked(scenes(), carries, at, tone), {"a": target}, target, answer=answer, names=True)
    )
    assert words in found.sentence
    assert "pass for class 0" in found.sentence
    wrong = np.flatnonzero(carries & (target != 0))
    recall, precision = score(found.image, wrong)
    assert min(recall, precision) > 0.95
    assert (carried == carries).mean() > 0.95


def test_a_mark_that_makes_a_pattern_of_its_own():
    target = np.arange(N) % 2
    carries = RNG.random(N) < 0.3
    (found,), _ = cues(evidence_of(marked(scenes(), carries), {"a": target, "b": np.where(carries, 0, 1)}, target))
    assert (found.layer, found.pattern) == ("b", 0)
    assert "lower right corner" in found.sentence
    assert set(np.flatnonzero(carries)) >= set(found.image.tolist())


def test_a_mark_that_changes_nothing_is_not_told():
    target = np.arange(N) % 4
    carries = RNG.random(N) < 0.25
    wrong = np.where(RNG.random(N) < 0.2, (target + 1) % 4, target)
    given = evidence_of(marked(scenes(), carries), {"a": target}, target, answer=wrong)
    assert cues(given) == ([], [])


def test_content_that_differs_everywhere_is_no_mark():
    target = np.zeros(N, int)
    dark = RNG.random(N) < 0.4
    pictures = scenes()
    pictures[dark] //= 2
    assert cues(evidence_of(pictures, {"a": np.where(dark, 0, 1)}, target)) == ([], [])


def test_places_have_names():
    def where(rows, columns):
        mask = np.zeros((32, 32), bool)
        mask[rows, columns] = True
        return place_words(mask)

    assert where(slice(0, 4), slice(0, 4)) == "in the upper left corner"
    assert where(slice(14, 18), slice(28, 32)) == "at the right edge"
    assert where(slice(14, 18), slice(14, 18)) == "in the middle"


# ---- duplicates


def again(pixels: np.ndarray, kind: str) -> np.ndarray:
    picture = Image.fromarray(pixels)
    if kind == "JPEG":
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=50)
        return np.asarray(Image.open(packed))
    if kind == "smaller":
        return np.asarray(picture.resize((24, 24)).resize((SIDE, SIDE)))
    return np.clip(pixels.astype(int) + 15, 0, 255).astype(np.uint8) if kind == "lighter" else pixels


@pytest.mark.parametrize("kind", ["equal", "JPEG", "smaller", "lighter"])
def test_planted_duplicates_are_found(kind):
    pictures = scenes()
    pictures[:12] = [again(pixels, kind) for pixels in pictures[100:112]]
    found = find_duplicates(image_properties(pictures.__getitem__, N))
    recall, precision = score(found.image, np.r_[0:12, 100:112])
    assert recall >= 0.9
    assert precision == 1
    assert len(found.is_exact) == len(found.image) / 2
    if kind == "equal":
        assert found.is_exact.all()


def test_different_pictures_are_no_duplicates():
    found = find_duplicates(image_properties(scenes().__getitem__, N))
    assert len(found.image) == 0
    flat = np.full((N, SIDE, SIDE, 3), 128, np.uint8)
    assert len(find_duplicates(image_properties(flat.__getitem__, N)).image) == 0


@pytest.mark.parametrize("kind", ["mirrored", "turned", "cropped"])
def test_what_shows_the_same_thing_otherwise_is_another_picture(kind):
    pictures = scenes()
    changed = {
        "mirrored": lambda one: one[:, ::-1],
        "turned": lambda one: np.rot90(one),
        "cropped": lambda one: np.asarray(Image.fromarray(one[8:, 8:]).resize((SIDE, SIDE))),
    }[kind]
    pictures[:12] = [changed(one) for one in pictures[100:112]]
    assert len(find_duplicates(image_properties(pictures.__getitem__, N)).image) == 0


def test_a_picture_under_two_classes_comes_before_the_others():
    pictures, target = scenes(), np.zeros(N, int)
    pictures[:3] = pictures[100:103]
    pictures[50] = pictures[150]
    target[50] = 1
    torn, others = sorted(duplicates(evidence_of(pictures, {}, target)), key=lambda one: -one.score)
    assert "under different classes" in torn.sentence
    assert torn.image.tolist() == [50, 150]
    assert set(others.image.tolist()) == {0, 1, 2, 100, 101, 102}
    assert others.note[0] == others.note[1] == "picture 1"


# ---- gatherings


def test_errors_that_gather():
    target, label = np.arange(N) % 4, np.arange(N) // 60
    answer = target.copy()
    answer[:40] = (target[:40] + 1) % 4
    answer[100] = (target[100] + 1) % 4
    (found,) = errors_gather(evidence_of(None, {"a": label}, target, answer=answer))
    assert (found.layer, found.pattern) == ("a", 0)
    assert set(found.image.tolist()) == set(range(40))


def test_errors_everywhere_do_not_gather():
    target, label = RNG.integers(0, 4, N), RNG.integers(0, 6, N)
    answer = np.where(RNG.random(N) < 0.3, (target + 1) % 4, target)
    assert errors_gather(evidence_of(None, {"a": label}, target, answer=answer)) == []


def framed(pictures: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    again = pictures.copy()
    again[chosen, :3] = again[chosen, -3:] = 0
    return again


def test_a_border_that_explains_a_pattern():
    target, frame = np.arange(N) % 3, RNG.random(N) < 0.3
    (found,) = border_explains(evidence_of(framed(scenes(), frame), {"a": np.where(frame, 0, 1)}, target))
    assert (found.layer, found.pattern) == ("a", 0)
    assert set(found.image.tolist()) == set(np.flatnonzero(frame))


def test_a_border_that_comes_with_the_class_explains_nothing():
    target = np.arange(N) % 3
    given = evidence_of(framed(scenes(), target == 0), {"a": target}, target)
    assert border_explains(given) == []


# ---- classes


def test_where_classes_part_and_which_stay_together():
    target = np.arange(N) % 4
    early, late = np.array([0, 0, 0, 1])[target], np.array([0, 0, 1, 2])[target]
    parting, *pairs = class_findings(evidence_of(None, {"early": early, "late": late}, target, names=True))
    assert parting.kind == "separation"
    assert "class 3 from early on" in parting.sentence
    assert "class 2 from late on" in parting.sentence
    assert "in no layer: class 0, class 1" in parting.sentence
    assert "class 0 and class 1 share patterns to the last layer" in pairs[0].sentence
    assert set(target[pairs[0].image[:2]]) == {0, 1}


def test_patterns_that_have_nothing_to_do_with_the_classes_part_none_and_join_none():
    rng = np.random.default_rng(1)
    target = np.arange(N) % 4
    labels = {name: rng.integers(0, 6, N) for name in ("a", "b")}
    assert class_findings(evidence_of(None, labels, target, names=True)) == []


def test_classes_that_part_everywhere_share_no_patterns():
    target = np.arange(N) % 4
    (parting,) = class_findings(evidence_of(None, {"a": target, "b": target}, target, names=True))
    assert parting.kind == "separation"
    assert parting.sentence.startswith("All 4 classes come to stand in patterns of their own: class 0, class 1")


def test_classes_that_the_model_never_answers():
    target = np.arange(N) % 4
    given = evidence_of(None, {"a": target}, target, answer=np.minimum(target, 2), names=True)
    found = [one for one in class_findings(given) if one.kind == "unanswered"]
    assert found[0].sentence.startswith("The model never answers class 3; 60 images are of them. Yet they stand in")
    assert set(target[found[0].image]) == {3}
    assert not [one for one in class_findings(evidence_of(None, {"a": target}, target)) if one.kind == "unanswered"]


def test_separation_and_overlap_by_hand():
    table = np.array([[8.0, 2, 0], [0, 8, 2]])
    assert separation(table) == pytest.approx([2 * 8 / (8 + 10), 2 * 10 / (12 + 10)])
    assert overlap(table) == pytest.approx(np.array([[1, 0.2], [0.2, 1]]))


# ---- layers and units


def test_a_layer_that_only_turns_the_one_before_changes_nothing():
    first = RNG.normal(size=(N, 6)).astype(np.float32)
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    other = RNG.normal(size=(N, 6)).astype(np.float32)
    label = {name: np.zeros(N, int) for name in ("a", "b", "c")}
    values = (first, (3 * first @ turn).astype(np.float32), other)
    (found,) = unchanged_layers(evidence_of(None, label, np.zeros(N, int), values=values))
    assert "b after a" in found.sentence
    assert "c" not in found.sentence.split("nothing: ")[1].split(".")[0]
    assert kept_neighbors(np.array([[1, 2]]), np.array([[2, 3]])) == 0.5


def test_dead_units():
    values = RNG.normal(size=(N, 6)).astype(np.float32)
    values[:, [1, 4]] = 0.3
    assert dead_units(values, np.arange(6, dtype=np.int32)).tolist() == [1, 4]
    assert dead_units(values, np.array([0, 0, 1, 1, 2, 2], np.int32)).tolist() == []
    label = {"a": np.full(N, NOISE)}
    (found,) = dead_unit_findings(evidence_of(None, label, np.zeros(N, int), values=(values,)))
    assert "2 of 6 units of a" in found.sentence


def test_units_that_answer_seldom_are_not_dead():
    values = np.zeros((N, 40), np.float32)
    values[np.arange(40), np.arange(40)] = 1e-3
    values[:, 39] = 7.0  # one of forty
    label = {"a": np.full(N, NOISE)}
    assert dead_unit_findings(evidence_of(None, label, np.zeros(N, int), values=(values,))) == []


def test_layers_that_all_change_something_are_not_told():
    label = {name: np.zeros(N, int) for name in ("a", "b")}
    first = RNG.normal(size=(N, 6)).astype(np.float32)
    turned = (first + 0.5 * RNG.normal(size=(N, 6))).astype(np.float32)
    assert unchanged_layers(evidence_of(None, label, np.zeros(N, int), values=(first, turned))) == []
