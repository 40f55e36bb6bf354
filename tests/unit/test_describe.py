"""What is said of a pattern: units as layers, nearest patterns, companions, and the reader's own notes."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.errors import StudyError, UnknownLayerError, UnknownUnitError
from nap_core.study import Study
from nap_core.study.describe import companions, contrast, similar_patterns, strongest_images, unit_values
from nap_core.study.notes import LONGEST_NAME, Note, read_notes, write_note
from nap_core.types import NOISE


@pytest.fixture
def study(tmp_path) -> Study:
    """Three groups of 20: the first two near each other; unit 3 tells the last one from the others."""
    random = np.random.default_rng(0)
    centre = np.array([[0, 0, 0, 0], [3, 0, 0, 0], [20, 9, 0, 9]])
    early = np.repeat(centre, 20, axis=0) + random.normal(scale=0.1, size=(60, 4))
    late = early[:, :2] + [0, 5]
    return Study.from_activations(tmp_path / "study", {"early": early, "late": late}, config=_plain())


def _plain():
    from nap_core.configs import recipe

    return recipe("published", scaling="none", cluster_selection_method="eom")


def group_of(study: Study, image: int, layer: str = "early") -> int:
    return int(study.patterns(layer).label[image])


def test_nearest_patterns_come_first(study):
    assert study.patterns("early").n_patterns == 3
    found = similar_patterns(study, "early", group_of(study, 0))
    assert [n.pattern for n in found] == [group_of(study, 20), group_of(study, 40)]
    assert found[0].distance == pytest.approx(3, abs=0.2)


def test_companions_are_counted(study):
    found = companions(study, "early", group_of(study, 0), "late")
    assert found[0].pattern == group_of(study, 0, "late")
    counts = study.flow("early", "late").count[group_of(study, 0)]
    assert sum(n.n_shared for n in found) == counts.sum()
    assert companions(study, "early", NOISE, "late") == [] or (study.patterns("early").label == NOISE).any()


def test_units_that_set_a_pattern_apart(study):
    assert set(contrast(study, "early", group_of(study, 40), most=2).feature.tolist()) <= {0, 1, 3}


def test_a_unit_is_a_layer_with_patterns_of_its_own(study):
    alone = study.activations("early:3")
    np.testing.assert_array_equal(alone.values[:, 0], study.activations("early").values[:, 3])
    assert study.patterns_key("early:3") != study.patterns_key("early:1")
    patterns = study.patterns("early:3")
    assert patterns.layer == "early:3"
    assert not set(patterns.label[40:][patterns.label[40:] >= 0]) & set(patterns.label[:40][patterns.label[:40] >= 0])
    with pytest.raises(UnknownUnitError, match="units are 0 to 3"):
        study.activations("early:4")
    with pytest.raises(UnknownLayerError, match="early, late"):
        study.activations("middle:1")


def test_the_recipe_of_a_demo_groups_a_single_unit():
    assert Study.demo("digits").patterns("features:0").n_patterns > 0


def test_strongest_images_of_a_unit_and_of_a_layer(study):
    assert set(strongest_images(study, "early", 3, 20).tolist()) == set(range(40, 60))
    np.testing.assert_allclose(
        unit_values(study, "late", None), np.linalg.norm(study.activations("late").values, axis=1)
    )


def test_notes_are_kept_with_the_grouping_they_speak_of(study):
    write_note(study, "early", 1, Note(" ringed ", "look again"))
    assert read_notes(Study.open(study.folder), "early") == {1: Note("ringed", "look again")}
    assert read_notes(study, "late") == {}
    write_note(study, "early", 1, Note("x" * 500, ""))
    assert len(read_notes(study, "early")[1].name) == LONGEST_NAME
    write_note(study, "early", 1, Note())
    assert read_notes(study, "early") == {}


def test_unreadable_notes_are_a_sentence(study):
    (study.folder / "notes.json").write_text("{", encoding="utf-8")
    with pytest.raises(StudyError, match="repair it"):
        read_notes(study, "early")
