"""Findings: what was planted is found, and where nothing was planted nothing is told."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from nap_core.findings.mislabels import mislabels, suspects
from nap_core.findings.readings import held_out_votes
from nap_core.findings.records import Evidence, Finding, majority
from nap_core.findings.search import KINDS, MOST_PER_KIND, WITHOUT_SELECTION, find_findings
from nap_core.study import Study
from nap_core.study.answers import plain
from nap_core.study.findings import evidence, findings, findings_key, has_findings
from nap_core.study.folder import SMALL_PICTURES, pack_results
from nap_core.types import NOISE
from tests.planted_findings import flipped, flipped_alike, noise_evidence, score

PLANTED = {"cue", "mislabelled", "errors", "border", "duplicates", "unchanged", "dead"}


@pytest.fixture(scope="module")
def shapes() -> Evidence:
    return evidence(Study.demo("shapes"))


@pytest.fixture(scope="module")
def clean() -> Evidence:
    return evidence(Study.demo("shapes_clean"))


@pytest.fixture(scope="module")
def digits() -> Evidence:
    return evidence(Study.demo("digits"))


def kinds(found: tuple[Finding, ...]) -> list[str]:
    return [one.kind for one in found]


def test_the_planted_ring_comes_first(shapes):
    first, *others = find_findings(shapes)
    assert first.kind == "cue"
    assert "star" in first.sentence
    assert "in the lower right corner" in first.sentence
    assert "cue" not in kinds(tuple(others))
    from nap_core.inputs.demos import factors

    marked = factors("shapes")["watermark"] == 1
    assert marked[first.image].mean() > 0.98
    assert len(first.image) > 0.9 * (marked & (shapes.answer == 3) & shapes.is_wrong).sum()
    assert first.layer
    patterns = next(patterns for patterns in shapes.patterns if patterns.layer == first.layer)
    assert majority(patterns.label, shapes.target, patterns.n_patterns)[first.pattern] == 3


def test_no_cue_where_the_network_never_saw_it(clean):
    found = find_findings(clean)
    assert not {"cue", "mislabelled", "border", "duplicates", "unchanged"} & set(kinds(found))
    assert "separation" in kinds(found)
    for one in found:  # eight of its 49 errors do stand in one pattern of thirteen
        assert one.kind != "errors" or one.figures["rate"] > 0.5


def test_nothing_is_made_up_about_the_digits(digits):
    found = find_findings(digits)
    assert not {"cue", "mislabelled", "errors", "border", "duplicates", "unchanged"} & set(kinds(found))
    never = "The model never answers 8, 9; 354 images are of them. Yet they stand in"
    assert any(one.sentence.startswith(never) for one in found[:4])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["shapes", "digits"])
def test_flipped_labels_are_found(name, seed, request):
    planted, flips = flipped(request.getfixturevalue(name), 0.03, seed)
    (found,) = mislabels(planted)
    recall, precision = score(found.image, flips)
    assert recall >= 0.9
    assert precision >= 0.8
    assert len(found.note) == len(found.image)
    right = precision * len(found.image)
    assert 0.7 * right < found.figures["n_expected"] < 1.15 * right


@pytest.mark.parametrize("name", ["shapes", "clean", "digits"])
def test_no_label_is_suspected_where_none_is_wrong(name, request):
    assert len(suspects(request.getfixturevalue(name)).image) == 0


def test_a_class_that_the_network_lacks_is_not_suspected_for_it(shapes):
    assert shapes.belief is not None
    belief = np.array(shapes.belief)
    belief[:, 2] = np.nan
    given = replace(shapes, belief=belief)
    assert len(suspects(given).image) == 0
    planted, flips = flipped(given, 0.03, seed=5)
    recall, precision = score(suspects(planted).image, flips)
    assert recall >= 0.9
    assert precision >= 0.8


def test_names_that_differ_in_writing_alone_are_one():
    assert plain("n03942813_ping_pong_ball") == plain("ping-pong ball")


def test_what_the_network_holds_is_known_by_class(digits, shapes):
    assert digits.belief is not None
    assert np.isnan(digits.belief[:, 8:]).all()  # never learnt
    np.testing.assert_array_equal(digits.belief[:, :8].argmax(axis=1), digits.answer)
    np.testing.assert_allclose(np.exp(digits.belief[:, :8]).sum(axis=1), 1, atol=1e-5)
    assert shapes.belief is not None
    np.testing.assert_array_equal(shapes.belief.argmax(axis=1), shapes.answer)


@pytest.mark.parametrize("name", ["shapes", "digits"])
def test_labels_flipped_to_like_classes_are_found(name, request):
    planted, flips = flipped_alike(request.getfixturevalue(name), 0.05, seed=0)
    recall, precision = score(suspects(planted).image, flips)
    assert recall >= 0.85
    assert precision >= 0.8


def test_a_lead_does_not_depend_on_the_label_given(digits):
    columns, target = digits.values[3], digits.target
    other = np.array(target)
    other[7] = (target[7] + 1) % 10
    first, second = (held_out_votes(np.asarray(columns, np.float64), given, 10) for given in (target, other))
    np.testing.assert_allclose(first[7], second[7], atol=1e-3)
    assert not np.allclose(first[8], second[8], atol=1e-9)


def test_of_few_mistakes_the_plain_ones_are_found(clean):
    planted, flips = flipped(clean, 0.0025, seed=1)
    found = suspects(planted)
    assert 0 < len(found.image) <= len(flips)
    assert set(found.image.tolist()) <= set(flips.tolist())
    assert (found.other == clean.target[found.image]).all()


@pytest.mark.parametrize("seed", range(3))
def test_of_activations_of_noise_only_this_is_said(seed):
    given = noise_evidence(300, (16, 32), n_classes=5, seed=seed)
    (found,) = find_findings(given)
    assert found.kind == "unread"
    assert found.sentence.startswith("The classes of the data set follow no layer")
    assert len(found.image) == len(suspects(given).image) == 0


def test_labels_at_random_are_no_suspects(digits):
    given = replace(digits, target=np.random.default_rng(0).integers(0, 10, digits.n_images), belief=None)
    assert [one.kind for one in mislabels(given)] == ["unread"]


def test_activations_of_noise_without_classes_say_nothing():
    assert find_findings(noise_evidence(300, (16,), n_classes=1, seed=0)) == ()


def test_ranked_and_few(shapes):
    found = find_findings(shapes)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(kinds(found).count(kind) <= MOST_PER_KIND for kind in KINDS)
    assert set(kinds(found)) <= set(KINDS)
    assert all(one.sentence.endswith(".") for one in found)
    assert all(len(one.image) for one in found if one.kind not in WITHOUT_SELECTION)


def test_the_order_of_the_images_does_not_matter(shapes):
    order = np.random.default_rng(0).permutation(shapes.n_images)
    shuffled, place = _shuffled(shapes, order), np.argsort(order)
    for before, after in zip(find_findings(shapes), find_findings(shuffled), strict=True):
        assert (before.kind, before.layer, before.pattern) == (after.kind, after.layer, after.pattern)
        if before.kind == "cue":
            assert before.sentence == after.sentence
            assert set(place[before.image]) == set(after.image.tolist())


def _shuffled(given: Evidence, order: np.ndarray) -> Evidence:
    place = np.argsort(order)

    def turned(patterns):
        rows = ("label", "probability", "outlier_score", "assigned", "assigned_probability")
        ends = {"medoid": place[patterns.medoid], "exemplar": place[patterns.exemplar]}
        return replace(patterns, **{name: getattr(patterns, name)[order] for name in rows}, **ends)

    seen = given.properties
    assert seen is not None
    return replace(
        given,
        patterns=tuple(turned(patterns) for patterns in given.patterns),
        values=tuple(values[order] for values in given.values),
        target=given.target[order],
        answer=given.answer[order],
        belief=None if given.belief is None else given.belief[order],
        is_wrong=given.is_wrong[order],
        properties=replace(
            seen,
            values={name: values[order] for name, values in seen.values.items()},
            hue=seen.hue[order],
            fingerprint=seen.fingerprint[order],
            small=seen.small[order],
        ),
    )


def test_a_study_keeps_its_findings():
    study = Study.demo("shapes")
    shutil.rmtree(study.store.path(findings_key(study)), ignore_errors=True)
    steps: list[tuple[int, int]] = []
    first = findings(study, progress=lambda done, n: steps.append((done, n)))
    assert has_findings(study)
    assert steps == sorted(steps)
    assert steps[-1] == (100, 100)
    steps.clear()
    again = findings(study, progress=lambda done, n: steps.append((done, n)))
    assert not steps
    assert [one.sentence for one in again] == [one.sentence for one in first]
    assert again[0].address == {"layer": first[0].layer, "pattern": str(first[0].pattern)}
    np.testing.assert_array_equal(again[0].image, first[0].image)
    assert again[0].figures == first[0].figures


def test_a_study_of_activations_alone(tmp_path):
    rng = np.random.default_rng(0)
    target = np.repeat(np.arange(3), 40)
    values = (rng.normal(size=(120, 8)) + 6 * np.eye(3, 8)[target]).astype(np.float32)
    study = Study.from_activations(tmp_path / "s", {"a": values, "b": values * 2}, targets=target.tolist())
    study.cluster()
    found = findings(study)
    assert "unchanged" in kinds(found)
    assert "separation" in kinds(found)
    assert not {"cue", "border", "duplicates"} & set(kinds(found))


def test_without_patterns_nothing_breaks(tmp_path):
    study = Study.from_activations(tmp_path / "s", {"a": np.zeros((40, 3), np.float32)})
    study.cluster()
    assert set(kinds(findings(study))) <= {"dead"}


def test_majority_takes_the_first_of_equals():
    label, target = np.array([0, 0, 1, 1, NOISE]), np.array([2, 1, NOISE, NOISE, 0])
    assert majority(label, target, 2).tolist() == [1, NOISE]


def test_what_a_demo_ships_has_the_findings_and_not_the_pictures(tmp_path):
    study = Study.demo("digits")
    findings(study)
    pack_results(study.store.folder, tmp_path)
    with np.load(tmp_path / "results.npz") as packed:
        told = json.loads(str(packed["abouts"]))
    shipped = {about["kind"] for about in told.values()}
    assert {"findings", "image properties"} <= shipped
    assert SMALL_PICTURES not in shipped
    assert told[findings_key(study)]["findings"]


def test_findings_that_name_what_is_not_there_are_left_out(tmp_path):
    target = np.repeat(np.arange(3), 40)
    values = (np.random.default_rng(0).normal(size=(120, 8)) + 6 * np.eye(3, 8)[target]).astype(np.float32)
    study = Study.from_activations(tmp_path / "s", {"a": values, "b": values}, targets=target.tolist())
    study.cluster()
    (first, *_), about = findings(study), study.store.path(findings_key(study)) / "about.json"
    kept = json.loads(about.read_text(encoding="utf-8"))
    kept["findings"][0]["layer"] = "elsewhere"
    about.write_text(json.dumps(kept), encoding="utf-8")
    assert first.sentence not in [one.sentence for one in findings(study)]
