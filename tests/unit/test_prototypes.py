"""Images of many patterns in one run: each is what a run of its own makes, and is kept by itself."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from nap_core.errors import ConfigError, SilentUnitError
from nap_core.explain.maximize import Ascent, Plan, adam_step, maximize
from nap_core.explain.parametrisations import N_HOMES, Generator
from nap_core.explain.recipes import ascent, parted, together
from nap_core.explain.wishes import Wish
from nap_core.inputs.models import load_model
from nap_core.study import Study, prototypes, synthetic

LAYER = "stage3"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def study(tmp_path) -> Study:
    shutil.copytree(Study.demo("digits").folder, tmp_path / "study")
    return Study.open(tmp_path / "study")


@pytest.fixture(scope="module")
def digits():
    return load_model("digits")


def asked(study: Study, network, n: int = 3, **more) -> list[Wish]:
    more = {"parametrisation": "fourier", "n_steps": 10, "seeds": (0, 1)} | more
    return prototypes.prototype_wishes(study, network, LAYER, range(n), **more)


@pytest.mark.parametrize("way", ["fourier", "linear"])
@pytest.mark.parametrize("mode", ["prototype", "contrast"])
def test_each_image_climbs_for_itself(study: Study, digits, way: str, mode: str) -> None:
    wishes = [replace(wish, mode=mode, other=5) for wish in asked(study, digits, parametrisation=way)]
    table = synthetic.bench(study, digits, LAYER)
    many = parted(table, wishes, maximize(together(table, wishes)))
    for wish, found in zip(wishes, many, strict=True):
        alone = maximize(ascent(table, wish))
        np.testing.assert_allclose(found.picture, alone.picture, atol=2e-3)
        np.testing.assert_allclose(found.history, alone.history, rtol=2e-3, atol=1e-3)
        assert (found.objective, found.parametrisation) == (alone.objective, alone.parametrisation)
        np.testing.assert_array_equal(found.seed, alone.seed)


def test_images_come_in_order_with_their_checks_and_are_kept_one_by_one(study: Study, digits, monkeypatch) -> None:
    monkeypatch.setattr(prototypes, "_PLACES_AT_ONCE", 2 * 2 * 64)  # two wishes at once
    wishes, told = asked(study, digits), []
    found = list(prototypes.synthetic_together(study, digits, wishes, progress=lambda *now: told.append(now)))
    assert [made.wish for made in found] == wishes
    assert told[-1] == (30, 30)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    for made in found:
        kept = synthetic.synthetic(study, digits, made.wish, watch=lambda *_: pytest.fail("computed twice"))
        np.testing.assert_array_equal(kept.images.picture, made.images.picture)
        assert kept.check.light == made.check.light
    again = prototypes.synthetic_together(study, digits, wishes, progress=lambda *_: pytest.fail("computed twice"))
    assert len(list(again)) == 3


def n_missing(study: Study, network, wishes: list[Wish]) -> int:
    return sum(not synthetic.has_images(study, network, wish) for wish in wishes)


def test_a_run_that_was_broken_off_goes_on_with_what_is_missing(study: Study, digits, monkeypatch) -> None:
    monkeypatch.setattr(prototypes, "_PLACES_AT_ONCE", 1)
    wishes = asked(study, digits, 4)
    first = next(prototypes.synthetic_together(study, digits, wishes))
    assert n_missing(study, digits, wishes) == 3
    synthetic.synthetic(study, digits, wishes[2])
    told = []
    found = list(prototypes.synthetic_together(study, digits, wishes, progress=lambda *now: told.append(now)))
    assert told[-1] == (20, 20)
    assert [made.wish for made in found] == wishes
    np.testing.assert_array_equal(found[0].images.picture, first.images.picture)
    assert n_missing(study, digits, wishes) == 0


def test_what_cannot_be_drawn_is_left_out_and_the_others_are_made(study: Study, digits, monkeypatch) -> None:
    wishes = asked(study, digits)
    begin = Ascent._begin

    def silent(self, read, generators):
        if "1" in self.objective.text.split(" of ")[0]:
            raise SilentUnitError("Nothing changes it.")
        return begin(self, read, generators)

    monkeypatch.setattr(Ascent, "_begin", silent)
    found = list(prototypes.synthetic_together(study, digits, wishes))
    assert [made.wish.pattern for made in found] == [0, 2]


def test_all_patterns_of_a_layer_are_the_usual_question(study: Study, digits) -> None:
    n = study.patterns(LAYER).n_patterns
    found = list(prototypes.prototypes(study, digits, LAYER, parametrisation="linear", n_steps=3, seeds=(4,)))
    assert [made.wish.pattern for made in found] == list(range(n))
    assert {(made.wish.mode, made.images.parametrisation) for made in found} == {("prototype", "linear")}
    assert prototypes.prototype_wishes(study, digits, LAYER, []) == []


def test_only_what_differs_in_its_patterns_is_made_together(study: Study, digits) -> None:
    table, (first, second, _) = synthetic.bench(study, digits, LAYER), asked(study, digits)
    with pytest.raises(ConfigError, match="differ in their patterns only"):
        together(table, [first, replace(second, plan=Plan(n_steps=11, seeds=(0, 1)))])
    with pytest.raises(ConfigError, match="make these one by one"):
        together(table, [Wish(LAYER, unit=1)])
    with pytest.raises(ConfigError, match="make these one by one"):
        list(prototypes.synthetic_together(study, digits, [replace(first, mode="distribution")]))


def test_the_step_is_that_of_torch() -> None:
    random = torch.Generator().manual_seed(0)
    own, slopes = torch.randn(5, generator=random), torch.randn(6, 5, generator=random)
    theirs = own.clone().requires_grad_(True)
    adam, means = torch.optim.Adam([theirs], lr=0.05), (torch.zeros(5), torch.zeros(5))
    for number, slope in enumerate(slopes, start=1):
        before = own.clone()
        moved, means = adam_step(own, slope, means, number, 0.05)
        torch.testing.assert_close(own, before)
        own = moved
        theirs.grad = -slope
        adam.step()
    torch.testing.assert_close(own, theirs.detach())


def test_honest_patterns_seldom_raise_the_mark(study: Study, digits) -> None:
    patterns = [k for k, size in enumerate(study.patterns(LAYER).size) if size >= 10]
    made = list(prototypes.prototypes(study, digits, LAYER, patterns, parametrisation="fourier"))
    assert np.mean([one.check.is_suspicious for one in made]) <= 0.2
    assert np.mean([one.check.reached.mean() for one in made]) >= 0.95


def test_images_start_at_members_in_which_the_network_sees_the_usual_class(study: Study, digits) -> None:
    table = synthetic.bench(study, digits, LAYER)
    seen = study.predictions.prediction
    mixed = max(range(table.space.n_patterns), key=lambda k: len(set(seen[table.space.members(k)])))
    codes = torch.eye(study.n_images)  # the code of an image tells its number
    of_numbers = Generator(lambda code: code, study.n_images, codes=codes)
    wish = Wish(LAYER, pattern=mixed, parametrisation="generator")
    (home,) = ascent(replace(table, generator=lambda _: of_numbers), wish).parametrisation.homes
    commonest = np.bincount(seen[table.space.members(mixed)]).argmax()
    assert set(seen[home.argmax(1).numpy()]) == {commonest}
    anywhere = replace(table, generator=lambda _: of_numbers, prediction=None)
    assert len(ascent(anywhere, wish).parametrisation.homes[0]) == N_HOMES
