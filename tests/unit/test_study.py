"""A study: made, run, closed and opened again, with a small seeded network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nap_core.activations.extract import network_layers
from nap_core.configs import RECIPES
from nap_core.errors import StudyError, UnknownLayerError
from nap_core.inputs.images import ImageSet, images_from_arrays
from nap_core.inputs.models import Network, network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.patterns import clustering
from nap_core.patterns.summary import summarise
from nap_core.study import Study
from nap_core.types import Patterns

PLAIN = replace(RECIPES["published"], min_cluster_size=4, min_samples=2)


class Bad(nn.Module):
    """Answers with nothing but NaN."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.nan


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bad, self.head = nn.Conv2d(1, 4, 3), Bad(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.bad(x)
        return self.head(x.mean((2, 3)))


@pytest.fixture
def toy() -> Network:
    torch.manual_seed(0)
    return network(
        Toy().eval(), Preprocessing(None, None, (0.0,), (1.0,), channels=1), name="toy", class_names=["a", "b", "c"]
    )


def pictures(n: int = 40) -> ImageSet:
    target = np.arange(n) % 3
    array = np.random.default_rng(0).integers(0, 25, (n, 8, 8)) + 100 * target[:, None, None]
    return images_from_arrays(array.astype(np.uint8), target, ["dark", "grey", "light"])


def made(folder: Path, toy: Network, *names: str) -> Study:
    layers = [layer for layer in network_layers(toy, pictures()) if layer.name in names]
    return Study.create(folder, toy, pictures(), layers, config=PLAIN)


def same(a: Patterns, b: Patterns) -> bool:
    names = ("label", "probability", "outlier_score", "assigned", "persistence", "medoid", "exemplar")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_the_title_names_the_file_alone(tmp_path: Path, toy: Network) -> None:
    layers = network_layers(toy, pictures())[:1]
    for number, (source, said) in enumerate((("the zip 'a photo.zip'", "a photo.zip"), ("3 given files",) * 2)):
        images = replace(pictures(), source=source)
        assert Study.create(tmp_path / str(number), toy, images, layers, config=PLAIN).title == f"toy on {said}"


def test_a_study_is_opened_as_it_was_made(tmp_path: Path, toy: Network) -> None:
    study = made(tmp_path / "s", toy, "conv", "head")
    assert not study.is_finished
    with pytest.raises(StudyError, match="'conv' has no activations yet"):
        study.activations("conv")
    study.extract(toy, pictures(), device="cpu")
    assert study.cluster() == {}
    again = Study.open(tmp_path / "s")
    assert again.is_finished
    assert again.about == study.about
    assert (again.layers, again.layer_names, again.config) == (study.layers, ("conv", "head"), PLAIN)
    assert (again.n_images, again.class_names, again.ids) == (40, ("dark", "grey", "light"), list(pictures().ids))
    np.testing.assert_array_equal(again.target, np.arange(40) % 3)
    assert again.has_pictures
    assert all(again.thumbnail(i).startswith(b"\xff\xd8") for i in range(40))
    with torch.inference_mode():
        batch = torch.stack([toy.preprocessing(pictures().picture(i)) for i in range(40)])
        logits = toy.module(batch)
    np.testing.assert_allclose(again.activations("head").values, logits, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(again.predictions.prediction, logits.argmax(1))
    assert same(again.patterns("conv"), study.patterns("conv"))
    assert again.flow("conv", "head").count.sum() == 40
    with pytest.raises(UnknownLayerError, match="No layer 'fc' in this study; it has conv, head"):
        again.patterns("fc")


def test_patterns_are_computed_once(tmp_path: Path, toy: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made(tmp_path, toy, "conv")
    study.extract(toy, pictures(), device="cpu")
    calls, find = [], clustering.find_patterns
    monkeypatch.setattr(clustering, "find_patterns", lambda *given: calls.append(1) or find(*given))
    assert not study.has_patterns("conv")
    first = study.patterns("conv")
    assert first.n_patterns == 3
    assert study.has_patterns("conv")
    assert same(Study.open(tmp_path).patterns("conv"), first)
    assert calls == [1]
    study.patterns("conv", replace(PLAIN, min_cluster_size=5))
    assert calls == [1, 1]


def test_figures_of_a_layer_are_kept(tmp_path: Path, toy: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made(tmp_path, toy, "conv")
    study.extract(toy, pictures(), device="cpu")
    study.cluster()
    expected = summarise(study.patterns("conv"), study.target)
    monkeypatch.setattr("nap_core.study.study.summarise", lambda *given: pytest.fail("counted again"))
    assert Study.open(tmp_path).summary("conv") == expected
    assert expected.n_patterns == 3


def test_a_layer_that_cannot_be_grouped_does_not_stop_the_others(tmp_path: Path, toy: Network) -> None:
    study, told = made(tmp_path, toy, "conv", "bad", "head"), []
    study.extract(toy, pictures(), device="cpu")
    problems = study.cluster(progress=lambda *done: told.append(done))
    assert list(problems) == ["bad"]
    assert "NaN or infinite activations for 40 of 40 images" in problems["bad"]
    assert study.problems == Study.open(tmp_path).problems == problems
    assert study.has_patterns("conv")
    assert study.has_patterns("head")
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
