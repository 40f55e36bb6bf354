"""What is assumed of a network of which nobody said how pictures become its input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nap_core.errors import ConfigError
from nap_core.inputs.assumed import adjusted, fitted, in_words, told
from nap_core.inputs.images import images_from_arrays
from nap_core.inputs.models import Network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.study import Study
from nap_core.study.own_network import as_studied, is_network_of


def _network(channels: int = 3) -> Network:
    from torch import nn

    module = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    usual = Preprocessing(256, 224) if channels == 3 else Preprocessing(28, 28, (0.0,), (1.0,), channels=1)
    return Network(module, "own", usual, is_assumed=True)


def _squares(side: int, n: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


def test_small_pictures_of_one_size_keep_it_and_photos_do_not() -> None:
    small, sentence = fitted(_network(), images_from_arrays(_squares(32)))
    assert (small.preprocessing.resize, small.preprocessing.crop) == (32, 32)
    assert "32×32 pixels, normalised as for ImageNet" in sentence
    photos, _ = fitted(_network(), images_from_arrays(_squares(200)))
    assert (photos.preprocessing.resize, photos.preprocessing.crop) == (256, 224)
    grey, sentence = fitted(_network(1), images_from_arrays(_squares(20)))
    assert grey.preprocessing.crop == 20
    assert "in grey, values 0 to 1" in sentence


def test_what_is_known_is_left_alone_and_said_once() -> None:
    images = images_from_arrays(_squares(32))
    known, sentence = fitted(_network(), images)
    assert sentence
    assert fitted(known, images) == (known, "")


def test_the_fingerprint_is_that_of_the_module() -> None:
    network = _network()
    other = network.seeing(Preprocessing(16, 16))
    assert other.fingerprint == network.fingerprint
    assert other.preprocessing.key != network.preprocessing.key


def test_a_study_remembers_the_preprocessing(tmp_path: Path) -> None:
    from nap_core.activations.extract import network_layers

    images = images_from_arrays(_squares(32))
    network, _ = fitted(_network(), images)
    study = Study.create(tmp_path / "s", network, images, network_layers(network, images)[-1:])
    as_loaded = Network(network.module, "own", _network().preprocessing, is_assumed=True)
    assert not is_network_of(study, as_loaded)
    assert is_network_of(study, as_studied(study, as_loaded))


def test_python_is_warned_of_a_guess(tmp_path: Path) -> None:
    from nap_core.activations.extract import network_layers

    network, images = _network(), images_from_arrays(_squares(40))
    with pytest.warns(UserWarning, match="Nothing says how pictures become the input of own"):
        Study.create(tmp_path / "s", network, images, network_layers(network, images)[-1:])


def test_one_value_stands_for_all_channels() -> None:
    found = adjusted(Preprocessing(256, 224), 64, (0.5,), (0.25,))
    assert (found.resize, found.crop, found.mean, found.std) == (64, 64, (0.5,) * 3, (0.25,) * 3)
    assert in_words(found) == "64×64 pixels, mean 0.5/0.5/0.5, standard deviation 0.25/0.25/0.25"
    with pytest.raises(ConfigError, match="2 means"):
        adjusted(found, None, (0.5, 0.5), ())


def test_numbers_are_read_as_people_write_them() -> None:
    assert told("0.5, 0.25 1") == (0.5, 0.25, 1.0)
    assert told("") == ()
    with pytest.raises(ConfigError, match="no numbers"):
        told("half")
