"""An image's way in words, for every kind of way."""

from __future__ import annotations

import pytest

from nap_core.patterns.company import MIXED
from nap_core.study.image import Step
from nap_core.types import NOISE
from nap_core.ui.image_words import UNKNOWN, companies, lead, leaving, quoted, way

NAMES = ("ring", "triangle", "a*b")
RING, TRIANGLE = 0, 1


def steps(*company: int) -> tuple[Step, ...]:
    """Steps of layers a, b, c, … in the company of these classes."""
    return tuple(
        Step(
            layer=layer,
            label=NOISE if kept == NOISE else 4,
            probability=0.0 if kept == NOISE else 1.0,
            outlier_score=0.1,
            assigned=4,
            assigned_probability=1.0,
            percentile=float("nan"),
            n_patterns=9,
            size=20,
            medoid=3,
            commonest=max(kept, NOISE),
            commonest_share=0.9,
            own_share=0.5,
            company=NOISE if kept == UNKNOWN else kept,
        )
        for layer, kept in zip("abcdef", company, strict=False)
    )


def test_up_to_one_layer_with_its_class_from_the_next_among_another():
    path = steps(RING, RING, TRIANGLE, TRIANGLE)
    assert leaving(path, RING) == (2, 1)
    assert lead(path, RING, NAMES) == "It leaves its class, “ring”, in `c` for “triangle”."
    assert way(path, RING, NAMES) == ("Up to `b` it travels with its class “ring”; from `c` on it is among “triangle”.")


@pytest.mark.parametrize(
    ("company", "said"),
    [
        ((RING, RING), "It is among its class, “ring”, in every layer."),
        ((MIXED, NOISE, RING, RING), "It joins its class, “ring”, in `c` and stays."),
        ((TRIANGLE, MIXED, RING), "It joins its class, “ring”, in `c`."),
        ((RING, NOISE, RING), "It comes back to its class, “ring”, in `c`."),
        ((TRIANGLE, MIXED), "In no layer is it among its class, “ring”."),
        ((RING, MIXED, NOISE), "It is last among its class, “ring”, in `a`, and then in no pattern of one class."),
        ((NOISE, UNKNOWN), "It is in some pattern in 1 of 2 layers."),
        ((), "No layer has patterns."),
    ],
)
def test_leads(company, said):
    assert lead(steps(*company), RING, NAMES) == said


def test_stretches_of_every_kind():
    path = steps(MIXED, MIXED, NOISE, UNKNOWN, RING)
    assert companies(path) == [MIXED, MIXED, NOISE, UNKNOWN, RING]
    assert way(path, RING, NAMES) == (
        "Up to `b` its patterns mix classes; in `c` it is in no pattern; in `d` its pattern is of no known class; "
        "in `e` it travels with its class “ring”."
    )
    assert way(steps(RING, RING), RING, NAMES) == "In every layer it travels with its class “ring”."


def test_a_new_image_has_no_class_of_its_own():
    path = steps(MIXED, TRIANGLE)
    assert lead(path, TRIANGLE, NAMES, is_new=True) == "It joins “triangle”, the class it is seen as, in `b`."
    assert way(path, TRIANGLE, NAMES, is_new=True) == "In `a` its pattern mixes classes; in `b` it is among “triangle”."
    assert lead(path, NOISE, NAMES, is_new=True) == "It is in some pattern in 2 of 2 layers."


def test_without_classes_there_are_no_stretches():
    assert way(steps(UNKNOWN, NOISE), NOISE, ()) == ""


def test_names_stand_as_they_are_where_markdown_is_read():
    assert quoted("a*b") == "“a\\*b”"
    assert "“a\\*b”" in way(steps(2), RING, NAMES)
