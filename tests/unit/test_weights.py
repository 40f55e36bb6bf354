"""Weights are read without running anything, whatever the file is called."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from nap_core.errors import NapError, UnsafeFileError, WeightsError
from nap_core.inputs import fileformats
from nap_core.inputs.weights import read_weights, recognise

NAME = "squeezenet1_1"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(models.get_model(NAME, weights=None, num_classes=4).state_dict())


class Evil:
    """Makes the folder it names, when unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("key", ["", "state_dict", "model_state_dict", "model", "ema", "net", "something"])
@pytest.mark.parametrize("zipped", [True, False])
def test_containers_are_unwrapped(state: dict[str, torch.Tensor], tmp_path: Path, key: str, zipped: bool) -> None:
    file = tmp_path / "weights.bin"
    content = {"epoch": 3, key: OrderedDict(state), "optimizer": {}} if key else state
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    read = read_weights(file)
    assert list(read) == list(state)
    assert all(torch.equal(read[name], state[name]) for name in state)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "_orig_mod.module.", "module.model.net."])
def test_prefixes_are_stripped(state: dict[str, torch.Tensor], tmp_path: Path, prefix: str) -> None:
    wrapped = {prefix + name: value for name, value in state.items()}
    torch.save({"state_dict": {**wrapped, "criterion.weight": torch.ones(4)}}, tmp_path / "w.ckpt")
    assert recognise(read_weights(tmp_path / "w.ckpt")) == NAME


def test_content_decides_not_the_ending(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "weights.pth")
    torch.save(state, tmp_path / "weights.safetensors")
    assert set(read_weights(tmp_path / "weights.pth")) == set(read_weights(tmp_path / "weights.safetensors"))


def test_old_densenet_names(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    name = "features.denseblock1.denselayer1.norm.1.weight"
    torch.save({name: torch.ones(2)}, file)
    assert list(read_weights(file)) == ["features.denseblock1.denselayer1.norm1.weight"]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_named_and_not_run(
    state: dict[str, torch.Tensor], tmp_path: Path, zipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAP_TRUST_LOCAL_FILES", "0")
    file = tmp_path / "evil.pth"
    torch.save({"x": Evil(tmp_path / "ran"), **state}, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeFileError) as refused:
        read_weights(file)
    assert f"{os.mkdir.__module__}.mkdir" in str(refused.value)
    assert "safetensors.torch.save_file" in str(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_are_never_opened(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(pickle.dumps({"a": "text", "b": Evil(tmp_path / "ran")}, protocol=protocol))
    with pytest.raises(UnsafeFileError, match=f"{os.mkdir.__module__}.mkdir"):
        read_weights(file)
    assert not (tmp_path / "ran").exists()


def test_the_conversion_lines_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1(num_classes=4), "whole.pth")
    with pytest.raises(UnsafeFileError) as refused:
        read_weights("whole.pth")
    exec("\n".join(line.strip() for line in str(refused.value).splitlines() if line.startswith("    ")))
    assert recognise(read_weights("whole.safetensors")) == NAME


def test_joblib_is_named(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    joblib.dump({"a": np.ones(9)}, tmp_path / "model.joblib")
    with pytest.raises(UnsafeFileError, match="joblib"):
        read_weights(tmp_path / "model.joblib")


def torchscript(file: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)


def exported(file: Path) -> None:
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), file)


@pytest.mark.parametrize(("write", "word"), [(torchscript, "TorchScript"), (exported, r"\.pt2")])
def test_programs_are_refused_under_any_ending(tmp_path: Path, write: Any, word: str) -> None:
    write(tmp_path / "model.pt2")
    (tmp_path / "model.pt2").rename(tmp_path / "model.safetensors")
    with pytest.raises(UnsafeFileError, match=word):
        read_weights(tmp_path / "model.safetensors")


def zip_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


def tar_of() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


FOREIGN = {
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(99),
    "Keras": zip_of("config.json", "metadata.json", "model.weights.h5"),
    "ONNX": b"\x08\x08\x12\x07pytorch\x1a\x052.1.0",
    "TensorFlow Lite": b"\x1c\x00\x00\x00TFL3" + bytes(99),
    "GGUF": b"GGUF\x03" + bytes(99),
    "NumPy array": b"\x93NUMPY\x01\x00" + bytes(99),
    ".npz": zip_of("a.npy", "b.npy"),
    "tar archive": tar_of(),
    "compressed": b"\x1f\x8b\x08" + bytes(99),
    "zip without weights": zip_of("photos/a.jpg"),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(99),
    "web page": b"<!DOCTYPE html><html>Sign in</html>",
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "empty": b"",
    "unknown kind": bytes(range(7, 255)),
}


@pytest.mark.parametrize("word", FOREIGN)
def test_foreign_files_are_named(tmp_path: Path, word: str) -> None:
    (tmp_path / "w.pth").write_bytes(FOREIGN[word])
    with pytest.raises(WeightsError, match=word):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_truncated_files(state: dict[str, torch.Tensor], tmp_path: Path, kind: str, share: float) -> None:
    file = tmp_path / "w"
    if kind == "safetensors":
        save_file(state, file)
    else:
        torch.save(state, file, _use_new_zipfile_serialization=kind == "zip")
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(WeightsError, match="incomplete"):
        read_weights(file)


def test_any_cut_and_any_noise_ends_in_a_sentence(tmp_path: Path) -> None:
    file, random = tmp_path / "w.pth", np.random.default_rng(0)
    for zipped in (True, False):
        torch.save({"a.weight": torch.ones(3, 3)}, file, _use_new_zipfile_serialization=zipped)
        whole = file.read_bytes()
        for cut in random.integers(1, len(whole), 60):
            noisy = bytearray(whole)
            noisy[cut - 1] ^= 0x55
            for content in (whole[:cut], bytes(noisy)):
                file.write_bytes(content)
                try:
                    read_weights(file)
                except NapError as error:
                    assert str(error)


def test_a_tensor_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(1).expand(10_000_000)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="many times its own size"):
        read_weights(tmp_path / "w.pth")


def test_a_zip_bomb_is_not_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", bytes(20_000_000))
    with pytest.raises(WeightsError, match="many times its own size"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], torch.ones(3), {}])
def test_checkpoints_without_weights(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="holds no weights"):
        read_weights(tmp_path / "w.pth")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be opened"):
        read_weights(tmp_path / "none.pth")


def test_sparse_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.eye(3).to_sparse()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="sparse"):
        read_weights(tmp_path / "w.pth")


def test_unknown_weights_say_what_was_seen_and_the_ways_out(state: dict[str, torch.Tensor]) -> None:
    strange = {**state, "features.0.weight": torch.ones(64, 5, 3, 3)}
    with pytest.raises(WeightsError) as refused:
        recognise(strange)
    text = str(refused.value)
    for part in (
        "52 tensors",
        NAME,
        "features.0.weight: [64, 5, 3, 3] instead of [64, 3, 3, 3]",
        "nap.network",
        ".npz",
    ):
        assert part in text
    with pytest.raises(WeightsError, match="None of the known ones comes near"):
        recognise({"a": torch.ones(3)})


def test_imports_are_read_through_the_memo(tmp_path: Path) -> None:
    content = [OrderedDict, np.float64, OrderedDict, np.float32, pickle.PickleError]
    (tmp_path / "p").write_bytes(pickle.dumps(content, protocol=5))
    expected = ["_pickle.PickleError", "collections.OrderedDict", "numpy.float32", "numpy.float64"]
    assert fileformats.pickle_imports(tmp_path / "p") == expected
