"""One-click studies: the price before, a sentence without a network, and a run on real files put where they belong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from nap_core.errors import StorageFullError
from nap_core.inputs import published, zoo
from nap_core.inputs.datasets import DATASETS
from nap_core.inputs.published import PAIRS, check_room, fetched_network, plan
from nap_core.inputs.zoo import MODELS
from nap_core.store import cache_folder
from nap_core.study import Study
from nap_core.ui.visitor import visitors_folder

PAGE = Path(__file__).resolve().parents[2] / "pages" / "setup.py"


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which torchvision has fetched nothing, and whose network leads nowhere."""
    from torch import hub

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(hub, "_hub_dir", None)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "datasets"


def opened() -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=240)
    test.session_state["begin"] = "published"
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(e.value for kind in (test.markdown, test.caption, test.info, test.error) for e in kind)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_price_is_known_before(pair, nothing_here):
    model, dataset = PAIRS[pair]
    planned = plan(model, dataset, nothing_here, n_images=500)
    assert planned.weights_bytes == MODELS[model].published().size > 4 * MODELS[model].n_parameters
    assert planned.dataset_bytes == DATASETS[dataset].megabytes * 10**6
    assert planned.disk_bytes > planned.download_bytes
    assert planned.run_seconds < plan(model, dataset, nothing_here, n_images=1000).run_seconds
    check_room(nothing_here, 1)
    with pytest.raises(StorageFullError, match=r"Up to .* GB are needed .* GB are free"):
        check_room(nothing_here, 10**18)


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_says_what_it_takes(name):
    about = DATASETS[name]
    assert about.megabytes > 0
    words = about.size.replace(",", "")
    first = float(words.split()[0]) * (1000 if words.split()[1].startswith("GB") else 1)
    assert about.megabytes <= 1.1 * first
    assert about.place


def test_what_is_here_is_not_downloaded(nothing_here):
    (nothing_here / DATASETS["CIFAR10"].place).mkdir(parents=True)
    file = zoo.weights_file(MODELS["resnet18"].published())
    file.parent.mkdir(parents=True)
    file.touch()
    assert plan("resnet18", "CIFAR10", nothing_here).download_bytes == 0


def test_without_a_network_a_sentence_says_so(nothing_here):
    test = opened()
    assert not test.exception
    assert "To download: 356 MB" in texts(test)
    test.button(key="run-published").click().run()
    assert not test.exception
    assert "could not be downloaded" in test.error[0].value
    assert "Connect to the network" in test.error[0].value
    assert "Traceback" not in test.error[0].value


def test_a_fetch_ends_with_the_reader(nothing_here, monkeypatch):
    made = []

    class Watched(published.subprocess.Popen):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            made.append(self)

    def gone(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(published.subprocess, "Popen", Watched)
    with pytest.raises(KeyboardInterrupt):
        fetched_network("resnet18", progress=gone)
    assert [process.poll() is not None for process in made] == [True]


@pytest.mark.slow
def test_real_weights_on_real_photos(nothing_here, shared_data, monkeypatch):
    import torch
    from safetensors.torch import load_file

    monkeypatch.setattr(zoo, "_digest_in", lambda name: "")  # the same weights, through half precision
    file = zoo.weights_file(MODELS["mobilenet_v2"].published())
    file.parent.mkdir(parents=True)
    state = load_file(shared_data / "models" / "mobilenet_v2_a_fp16.safetensors")
    torch.save({name: value.float() for name, value in state.items()}, file)
    from torchvision.datasets import Imagenette

    root = cache_folder() / "datasets"
    for wnid in Imagenette._WNID_TO_CLASS:
        for number, photo in enumerate(sorted((shared_data / "images/imagenet_multi").glob(f"{wnid}_*/*.jpg"))):
            target = root / DATASETS["Imagenette"].place / "val" / wnid / f"{number}.jpeg"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(photo)
    test = opened()
    assert "Nothing to download" in texts(test)
    test.number_input[0].set_value(100).run()
    before = set(visitors_folder().glob("*/studies/*"))
    test.button(key="run-published").click().run()
    (folder,) = set(visitors_folder().glob("*/studies/*")) - before
    study = Study.open(folder)
    shutil.rmtree(root)
    assert study.is_finished
    assert (study.n_images, len(study.class_names)) == (100, 10)
    assert study.title.startswith("mobilenet_v2 on Imagenette")
    answers = [study.prediction_names[p] for p in study.predictions.prediction]
    right = [answer == study.class_names[t] for answer, t in zip(answers, study.target, strict=True)]
    assert sum(right) > 50
