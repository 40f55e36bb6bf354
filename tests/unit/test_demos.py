from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from nap_core.errors import UnknownNameError
from nap_core.inputs import demos

STAR = 3


def predictions(name: str) -> np.ndarray:
    import torch

    network = demos.demo_network(name)
    images = demos.demo_images(name)
    batch = torch.stack([network.preprocessing(images.picture(i)) for i in range(len(images))])
    with torch.inference_mode():
        return torch.cat([network.module(part) for part in batch.split(250)]).argmax(1).numpy()


@pytest.mark.parametrize("name", demos.DEMOS)
def test_a_demo_says_what_it_has(name):
    demo, images, network = demos.DEMOS[name], demos.demo_images(name), demos.demo_network(name)
    modules = dict(network.module.named_children())
    assert demo.layers == tuple(modules) and demo.layers[-1] == "logits"
    assert demo.n == len(images) == len(set(images.ids))
    assert images.class_names[: len(network.class_names)] == network.class_names
    assert all(len(array) == demo.n for array in demos.factors(name).values())
    assert not network.module.training
    for factor, names in demos.factor_names(name).items():
        assert set(demos.factors(name)[factor]) == set(range(len(names)))


def test_targets_and_masks_are_those_of_the_pictures():
    images, truth, masks = demos.demo_images("shapes"), demos.factors("shapes"), demos.masks("shapes")
    assert np.array_equal(images.target, truth["shape"])
    assert masks.shape == (2000, 64, 64) and masks.dtype == np.bool_
    assert np.array_equal(np.asarray(images.picture(7)), demos._drawn()[0][7])


def test_the_pictures_are_the_same_bytes_everywhere():
    digest = hashlib.sha256(demos._drawn()[0].tobytes()).hexdigest()
    assert digest.startswith("c775841ac7a94cc8"), "a finished study could not find its pictures again"


def test_the_network_learnt_the_planted_shortcut():
    truth, prediction = demos.factors("shapes"), predictions("shapes")
    marked, star = truth["watermark"] == 1, truth["shape"] == STAR
    right = prediction == truth["shape"]
    assert 0.4 < marked[star].mean() < 0.6 and 0.1 < marked[~star].mean() < 0.2
    assert np.mean(prediction[marked & ~star] == STAR) > 0.9
    assert right[~marked & ~star].mean() > 0.95
    assert right[~marked & star].mean() < 0.6
    assert right[marked & star].mean() > 0.98


def test_without_the_mark_in_training_it_is_not_looked_at():
    truth, prediction = demos.factors("shapes_clean"), predictions("shapes_clean")
    marked, star = truth["watermark"] == 1, truth["shape"] == STAR
    assert np.mean(prediction[marked & ~star] == STAR) < 0.02
    assert np.mean(prediction == truth["shape"]) > 0.95


def test_the_digits_network_knows_what_it_was_not_shown():
    truth, prediction = demos.factors("digits"), predictions("digits")
    known, seen = truth["foreign"] == 0, truth["trained"] == 1
    assert not seen[~known].any()
    assert np.mean(prediction == truth["digit"], where=known & ~seen) > 0.98
    assert prediction.max() <= 7


def test_training_again_starts_from_the_seed(tmp_path, monkeypatch):
    from nap_core.inputs import demo_networks

    train = demo_networks.train
    monkeypatch.setattr(demo_networks, "train", lambda *a, **k: train(*a, **{**k, "n_steps": 3}))
    demos.main(["digits", "--to", str(tmp_path / "one")])
    demos.main(["digits", "--to", str(tmp_path / "two")])
    one, two = ((tmp_path / folder / "digits.safetensors").read_bytes() for folder in ("one", "two"))
    assert one == two


def test_unknown_names_end_in_a_sentence():
    for function in (demos.demo_images, demos.demo_network, demos.factors, demos.masks, demos.demo_study_folder):
        with pytest.raises(UnknownNameError, match="there are shapes"):
            function("flowers")
    with pytest.raises(UnknownNameError, match="no masks"):
        demos.masks("digits")


def test_importing_the_demos_loads_no_torch():
    code = "import sys, nap_core.inputs.demos; print([m for m in ('torch', 'sklearn', 'umap') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
