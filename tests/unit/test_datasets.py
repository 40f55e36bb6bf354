"""Published data sets, read from files laid where torchvision would have put them."""

from __future__ import annotations

import gzip
import inspect
import shutil
import socket
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image

from nap_core.errors import InputError, OfflineError, UnknownNameError
from nap_core.inputs.datasets import DATASETS, load_dataset
from nap_core.inputs.images import load_images


def test_fashion_mnist(shared_data: Path, tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        with (
            gzip.open(shared_data / "arrays" / f"fashion_t10k-{name}.gz") as packed,
            (raw / f"t10k-{name}").open("wb") as f,
        ):
            shutil.copyfileobj(packed, f)
        (raw / f"train-{name}").touch()  # torchvision looks for both splits
    images = load_dataset("FashionMNIST", tmp_path)
    ours = load_images(shared_data / "arrays" / "fashion_t10k-images-idx3-ubyte.gz")
    assert images.ids[42] == "FashionMNIST/test/00042"
    assert images.class_names[9] == "Ankle boot"
    assert np.array_equal(images.target, ours.target)
    assert images.content == ours.content
    assert (images.picture(7).mode, images.picture(7).size) == ("L", (28, 28))


def test_a_set_of_files(tmp_path: Path) -> None:
    for i, name in enumerate(("Forest", "River")):
        for j in range(2):
            path = tmp_path / "eurosat" / "2750" / name / f"{name}_{j}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), (i * 200, j * 200, 0)).save(path)
    (tmp_path / "eurosat" / "2750" / "River" / "River_0.jpg").write_bytes(b"\xff\xd8\xff\xe0 damaged")
    images = load_dataset("EuroSAT", tmp_path)
    assert images.ids == ("EuroSAT/all/00000", "EuroSAT/all/00001", "EuroSAT/all/00003")
    assert (images.class_names, images.target.tolist()) == (("Forest", "River"), [0, 0, 1])
    assert [one.name for one in images.skipped] == ["EuroSAT/all/00002"]
    assert images.file(2) == tmp_path / "eurosat" / "2750" / "River" / "River_1.jpg"


def test_a_set_with_lists_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "dtd" / "dtd"
    (folder / "labels").mkdir(parents=True)
    for name in ("banded", "dotted"):
        (folder / "images" / name).mkdir(parents=True)
        Image.new("L", (30, 20)).save(folder / "images" / name / "1.jpg")
    (folder / "labels" / "test1.txt").write_text("dotted/1.jpg\nbanded/1.jpg\n")
    images = load_dataset("DTD", tmp_path, split="test")
    assert (images.ids, images.target.tolist()) == (("DTD/test/00000", "DTD/test/00001"), [1, 0])


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="FashionMNIST"):
        load_dataset("Fashion", tmp_path)
    with pytest.raises(UnknownNameError, match="test, train"):
        load_dataset("MNIST", tmp_path, split="val")


@pytest.mark.parametrize("name", DATASETS)
def test_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{name} is not complete below .*Allow the download"):
        load_dataset(name, tmp_path)


@pytest.mark.parametrize("name", DATASETS)
def test_offline(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("urllib.request.urlretrieve", unreachable)
    before = socket.getdefaulttimeout()
    with pytest.raises(OfflineError, match=f"{name} .* could not be downloaded"):
        load_dataset(name, tmp_path, download=True)
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize("name", DATASETS)
def test_the_attributes_are_torchvisions(name: str) -> None:
    import torchvision.datasets

    about = DATASETS[name]
    made = getattr(torchvision.datasets, name)
    code = "".join(inspect.getsource(one) for one in made.__mro__ if one.__module__.startswith("torchvision"))
    for attribute in filter(None, (about.pictures, about.targets, about.names)):
        assert f"self.{attribute}" in code or hasattr(made, attribute), attribute
    wanted = "train" if about.by_train else "split"
    assert about.splits == ("all",) or f"{wanted}:" in code
