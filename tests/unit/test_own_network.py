"""A study's network found again: from the files it was made with, and never from a file that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nap_core.activations.extract import network_layers
from nap_core.errors import StudyError, UnsafeFileError
from nap_core.inputs.assumed import adjusted, fitted
from nap_core.inputs.images import images_from_arrays
from nap_core.inputs.models import load_model
from nap_core.study import Study
from nap_core.study.bundle import pack_study, unpack_study
from nap_core.study.folder import NETWORK_FILES
from nap_core.study.own_network import is_network_of, network_again, own_network, source_of_network

CODE = """
import torch
from torch import nn

def make():
    torch.manual_seed({seed})
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
"""

pytestmark = pytest.mark.filterwarnings("ignore:NAP_TRUST_LOCAL_FILES")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", "1")
    (tmp_path / "own.py").write_text(CODE.format(seed=0), encoding="utf-8")
    images = images_from_arrays(np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8))
    network, _ = fitted(load_model(f"{tmp_path / 'own.py'}:make"), images)
    made = Study.create(tmp_path / "study", network, images, network_layers(network, images)[-1:])
    made.extract(network, images)
    return made


def test_the_files_that_a_study_was_made_with_are_used_again(study):
    assert source_of_network(study) == "files"
    assert is_network_of(study, network_again(study))
    assert is_network_of(study, own_network(study))


def test_other_weights_in_the_same_place_are_refused(study, tmp_path):
    (tmp_path / "own.py").write_text(CODE.format(seed=1), encoding="utf-8")
    with pytest.raises(StudyError, match="another model"):
        network_again(study)


def test_a_file_that_is_gone_is_no_source(study, tmp_path):
    (tmp_path / "own.py").unlink()
    assert source_of_network(study) == ""
    with pytest.raises(StudyError, match="not published"):
        network_again(study)


def test_code_runs_only_where_it_is_trusted(study, monkeypatch):
    monkeypatch.delenv("NAP_TRUST_LOCAL_FILES")
    with pytest.raises(UnsafeFileError, match="NAP_TRUST_LOCAL_FILES=1"):
        network_again(study)


def test_a_study_that_came_as_one_file_names_no_files(study, tmp_path):
    pack_study(study, tmp_path / "s.nap.zip")
    came = unpack_study(tmp_path / "s.nap.zip", tmp_path / "came")
    assert not (came.folder / NETWORK_FILES).exists()
    assert source_of_network(came) == ""


def test_an_upload_names_no_files(tmp_path):
    import torch
    from safetensors.torch import save_file

    from nap_core.inputs import zoo

    state = {key: torch.zeros(shape) for key, shape in zoo.shapes_of(zoo.build("squeezenet1_1", n_classes=2)).items()}
    save_file(state, tmp_path / "w.safetensors")
    assert load_model(weights=tmp_path / "w.safetensors").files == ("", str(tmp_path / "w.safetensors"))
    assert load_model(weights=tmp_path / "w.safetensors", uploaded=True).files == ("", "")


def test_a_shipped_network_is_found_again_behind_the_preprocessing_of_the_study(tmp_path):
    network = load_model("digits")
    images = images_from_arrays(np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8))
    shifted = network.seeing(adjusted(network.preprocessing, None, (0.25,), (0.5,)))
    made = Study.create(tmp_path / "study", shifted, images, network_layers(shifted, images)[-1:])
    assert not is_network_of(made, network)
    assert is_network_of(made, network_again(made))
