"""Synthetic images of a study: wishes, what is kept, stopping and going on, files, the command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from nap_core.__main__ import main
from nap_core.activations.extract import network_layers
from nap_core.configs import RECIPES
from nap_core.errors import ConfigError, SilentUnitError, StudyError, UnknownNameError
from nap_core.explain.autoencoder import Training
from nap_core.explain.maximize import Plan, maximize
from nap_core.explain.reading import reading
from nap_core.explain.recipes import ascent
from nap_core.explain.wishes import PATTERN_MODES, UNIT_MODES, WAYS, Wish, usual_way
from nap_core.inputs.demos import demo_images
from nap_core.inputs.images import load_images
from nap_core.inputs.models import load_model, network
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.study import Study, framing, synthetic
from nap_core.study.framing import framed_pictures, study_canvas
from nap_core.study.kept import kept_images
from nap_core.study.own_network import own_network
from nap_core.study.synthetic_files import as_image, sheet, told

LAYER = "stage3"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(synthetic, "usual_training", lambda size: Training(n_codes=8, n_steps=25))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("digits") / "study"
    shutil.copytree(Study.demo("digits").folder, folder)
    return Study.open(folder)


@pytest.fixture(scope="module")
def digits():
    return load_model("digits")


@pytest.fixture(scope="module")
def largest(study: Study) -> int:
    return int(study.patterns(LAYER).size.argmax())


def quick(pattern: int, **asked: object) -> Wish:
    return Wish(LAYER, pattern=pattern, plan=Plan(n_steps=30, seeds=(0, 1)), **asked)


def test_a_wish_names_one_thing() -> None:
    with pytest.raises(ConfigError, match="only one of them"):
        Wish(LAYER)
    with pytest.raises(ConfigError, match="only one of them"):
        Wish(LAYER, pattern=0, unit=1)
    with pytest.raises(UnknownNameError, match="on purpose"):
        Wish(LAYER, pattern=0, mode="dot")
    with pytest.raises(ConfigError, match="name another one"):
        Wish(LAYER, pattern=3, mode="contrast", other=3)
    with pytest.raises(ConfigError, match="starts from a real picture"):
        Wish(LAYER, pattern=3, mode="edit", image=0, parametrisation="maco")
    assert (Wish(LAYER, pattern=0).mode, Wish(LAYER, unit=0).mode) == ("prototype", "channel")


def test_a_wish_for_a_token_or_for_images_apart() -> None:
    assert Wish(LAYER, unit=0, token=3).mode == "token"
    with pytest.raises(ConfigError, match="give both"):
        Wish(LAYER, unit=0, mode="token")
    with pytest.raises(ConfigError, match="give both"):
        Wish(LAYER, unit=0, mode="channel", token=3)
    with pytest.raises(ConfigError, match="two seeds or more"):
        Wish(LAYER, unit=0, diversity=1.0, plan=Plan(seeds=(0,)))
    with pytest.raises(ConfigError, match="outside 0 … 100"):
        Wish(LAYER, unit=0, diversity=-1.0)


def test_what_suits_the_pictures() -> None:
    assert usual_way((28, 28), 500) == "generator"
    assert usual_way((28, 28), 20) == usual_way((224, 224), 5000) == usual_way((150,), 500) == "fourier"


@pytest.mark.parametrize("way", WAYS)
def test_every_parametrisation_makes_images_of_a_study(study: Study, digits, largest: int, way: str) -> None:
    made = synthetic.synthetic(study, digits, quick(largest, parametrisation=way))
    assert made.images.picture.shape == (2, 1, 8, 8)
    assert made.images.picture.min() >= 0
    assert made.images.picture.max() <= 1
    assert made.is_finished
    assert set(made.exemplar) <= set(study.patterns(LAYER).members(largest).tolist())
    assert made.exemplar[0] == study.patterns(LAYER).medoid[largest]


@pytest.mark.parametrize("mode", PATTERN_MODES)
def test_every_mode_of_a_pattern(study: Study, digits, largest: int, mode: str) -> None:
    other = (largest + 1) % study.patterns(LAYER).n_patterns
    image = int(study.patterns(LAYER).medoid[other])
    made = synthetic.synthetic(study, digits, quick(largest, mode=mode, other=other, image=image))
    assert made.images.history[-1].mean() > made.images.history[0].mean()
    if mode in ("prototype", "distribution"):
        assert made.check.reached.all()


@pytest.mark.parametrize("mode", ["channel", "neuron"])
def test_units_rise_above_their_real_images(study: Study, digits, mode: str) -> None:
    assert mode in UNIT_MODES
    made = synthetic.synthetic(study, digits, Wish(LAYER, unit=2, mode=mode, plan=Plan(n_steps=60, seeds=(0,))))
    assert made.check.reached.all()


def test_a_unit_that_is_silent_in_the_middle_is_said_not_drawn(study: Study, digits) -> None:
    with pytest.raises(SilentUnitError, match="choose one that answers"):
        synthetic.synthetic(study, digits, Wish(LAYER, unit=5, mode="neuron", plan=Plan(n_steps=60, seeds=(0,))))


def test_a_unit_is_led_to_the_images_it_answers_to_and_a_dead_one_nowhere(study: Study, digits) -> None:
    table, values = synthetic.bench(study, digits, LAYER), study.activations(LAYER).values
    unit = int(values.std(axis=0).argmax())
    led = ascent(table, Wish(LAYER, unit=unit, plan=Plan(n_steps=60, seeds=(0, 1)))).waking
    there = maximize(replace(ascent(table, Wish(LAYER, pattern=0, plan=Plan(n_steps=60, seeds=(0, 1)))), objective=led))
    with reading(digits, [LAYER], table.canvas) as read, torch.no_grad():
        level = read(torch.from_numpy(np.array(there.picture))).raw[LAYER].mean((2, 3))[:, unit]
    assert (level.numpy() > np.quantile(values[:, unit], 0.9)).all()
    dead = replace(table, space=replace(table.space, values=np.zeros_like(table.space.values)))
    assert ascent(dead, Wish(LAYER, unit=unit)).waking is None


def test_pictures_are_those_the_network_saw(study: Study, digits, monkeypatch) -> None:
    """A demo draws them again; thumbnails of 8-pixel digits are 16 times as large, as asking the network tells."""
    images = demo_images("digits")
    inputs = torch.stack([digits.preprocessing(images.picture(image)) for image in range(6)])
    seen = study_canvas(study, digits).pictures(inputs)
    assert framing.source_of_pictures(study) == "demo"
    np.testing.assert_array_equal(framed_pictures(study, digits, np.arange(6)), seen)
    monkeypatch.setattr(framing, "demo_of_images", lambda source, fingerprint: "")
    assert framing.source_of_pictures(study) == "thumbnails"
    np.testing.assert_allclose(framed_pictures(study, digits, np.arange(6)), seen, atol=0.02)


def test_fine_detail_comes_from_the_files_while_they_are_there(tmp_path) -> None:
    grain = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), np.uint8)
    (tmp_path / "grain").mkdir()
    for number, pixels in enumerate(grain):
        Image.fromarray(pixels).save(tmp_path / "grain" / f"{number:02d}.png")
    net = network(nn.Sequential(nn.Conv2d(3, 2, 3)).eval(), Preprocessing(20, 20, (0.5,) * 3, (0.5,) * 3))
    images = load_images(tmp_path / "grain")
    made = Study.create(tmp_path / "study", net, images, network_layers(net, images))
    made.extract(net, images)
    wanted = np.moveaxis(grain, -1, 1) / 255
    assert framing.source_of_pictures(made) == "files"
    np.testing.assert_allclose(framed_pictures(made, net, np.arange(12)), wanted, atol=1e-6)
    shutil.rmtree(tmp_path / "grain")
    assert framing.source_of_pictures(made) == "thumbnails"
    lost = np.abs(framed_pictures(made, net, np.arange(12)) - wanted).mean()
    assert 0.01 < lost < 0.25


def test_a_class(study: Study, digits) -> None:
    made = synthetic.synthetic(study, digits, Wish("features", logit=4, plan=Plan(n_steps=40, seeds=(0,))))
    assert made.check.reached.all()
    assert (study.predictions.prediction[made.exemplar] == 4).all()


def test_a_training_that_was_broken_off_goes_on(study: Study, digits, monkeypatch) -> None:
    monkeypatch.setattr(synthetic, "usual_training", lambda size: Training(n_codes=4, n_steps=104, batch_size=8))
    told = []

    def stop(done: int, total: int) -> None:
        told.append(done)
        if done == 102:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthetic.study_generator(study, digits, "generator", stop)
    assert not synthetic.has_generator(study, digits)
    synthetic.study_generator(study, digits, "generator", lambda done, total: told.append(done))
    assert told[102:] == [101, 102, 103, 104]
    assert synthetic.has_generator(study, digits)
    assert not list((study.folder / "results" / "drafts").glob("*"))


def test_what_was_made_is_kept(study: Study, digits, largest: int) -> None:
    wish = quick(largest, mode="exaggerate")
    assert not synthetic.has_images(study, digits, wish)
    first = synthetic.synthetic(study, digits, wish)
    assert synthetic.has_images(study, digits, wish)
    again = synthetic.synthetic(study, digits, wish, watch=lambda *_: pytest.fail("computed twice"))
    np.testing.assert_array_equal(first.images.picture, again.images.picture)
    assert told(study, first) == told(study, again)
    other = synthetic.image_key(study, digits, quick(largest, mode="exaggerate", parametrisation="maco"))
    assert other != synthetic.image_key(study, digits, wish)


def test_a_stopped_run_is_not_kept_and_goes_on_to_the_same_image(study: Study, digits, largest: int) -> None:
    wish = quick(largest, parametrisation="pixel", mode="exaggerate")
    moments = []

    def stop(_bench: object, moment: object) -> bool:
        moments.append(moment)
        return len(moments) == 12

    half = synthetic.synthetic(study, digits, wish, watch=stop)
    assert (half.n_steps, half.is_finished) == (12, False)
    assert not synthetic.has_images(study, digits, wish)
    seen = synthetic.at_moment(study, digits, wish, moments[-1])
    np.testing.assert_array_equal(seen.images.picture, half.images.picture)
    whole = synthetic.synthetic(study, digits, wish, after=moments[-1])
    straight = synthetic.maximize(synthetic.ascent(synthetic.bench(study, digits, LAYER), wish))
    np.testing.assert_array_equal(whole.images.picture, straight.picture)


def test_an_edit_changes_little_and_starts_at_its_picture(study: Study, digits, largest: int) -> None:
    image = int(study.patterns(LAYER).members(largest)[-1])
    made = synthetic.synthetic(study, digits, quick(largest, mode="edit", image=image))
    real = framed_pictures(study, digits, np.array([image]))
    start = np.abs(framed_pictures(study, digits, made.exemplar) - real).mean((1, 2, 3))
    assert np.abs(made.images.picture - real).mean() < np.median(start[start > 0])


def test_only_the_network_of_the_study(study: Study, digits, largest: int) -> None:
    stranger = network(torch.nn.Flatten(), Preprocessing(8, 8, (0.5,), (0.5,), channels=1))
    with pytest.raises(StudyError, match="another model"):
        synthetic.synthetic(study, stranger, quick(largest))
    assert own_network(study).fingerprint == digits.fingerprint
    with pytest.raises(StudyError, match="another model"):
        own_network(study, "shapes")
    with pytest.raises(ConfigError, match="single unit"):
        synthetic.study_space(study, f"{LAYER}:3")


def test_a_study_without_pictures_says_so(tmp_path) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    bare = Study.from_activations(tmp_path / "bare", {"a": rows})
    with pytest.raises(StudyError, match="without a network"):
        own_network(bare)


def test_pictures_become_visible(study: Study, digits, largest: int) -> None:
    assert as_image(np.zeros((1, 8, 8))).size == (128, 128)
    assert as_image(np.zeros((3, 200, 150))).size == (150, 200)
    assert as_image(np.ones((3, 4, 4))).getpixel((0, 0)) == (255, 255, 255)
    page = sheet(study, synthetic.synthetic(study, digits, quick(largest)))
    assert page.height == 128 + 8 + 128


def test_the_command_writes_a_picture_and_its_check(study: Study, largest: int, tmp_path, capsys) -> None:
    asked = ["maximize", str(study.folder), "--layer", LAYER, "--pattern", str(largest), "--steps", "20"]
    out = tmp_path / "made" / "one.png"
    assert main([*asked, "--parametrisation", "linear", "--seed", "7", "--out", str(out)]) == 0
    assert f"Reached pattern {largest}" in capsys.readouterr().out
    assert Image.open(out).width > 128
    said = json.loads(out.with_suffix(".json").read_text())
    assert said["wish"]["plan"]["seeds"] == [7]
    assert said["steps"] == 20
    assert len(said["light"]) == len(said["check"]["reached"]) == 1
    assert said["real"][0] == study.ids[study.patterns(LAYER).medoid[largest]]
    assert main([*asked, "--out", str(tmp_path / "one.jpg")]) == 2
    assert "does not end in .png" in capsys.readouterr().err


def test_the_command_says_no_in_a_sentence(study: Study, largest: int, tmp_path, capsys) -> None:
    asked = ["maximize", str(study.folder), "--layer", LAYER, "--steps", "5", "--out", str(tmp_path / "one.png")]
    for more, words in (
        (["--pattern", "999"], "No pattern 999 in layer 'stage3'; it has 0 …"),
        (["--unit", "0", "--token", "4"], "it is of kind 'conv' and has none"),
        (["--pattern", str(largest), "--token", "4"], "No mode 'token' for this"),
        (["--unit", "0", "--seed", "1", "--diversity", "2"], "give two seeds or more"),
        (["--unit", "0", "--octaves", "9"], "1 … 6 octaves"),
        (["--unit", "0", "--diversity", "101"], "outside 0 … 100"),
    ):
        assert main([*asked, *more]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert "Traceback" not in said
    more = ["--unit", "0", "--parametrisation", "fourier", "--octaves", "2", "--diversity", "2", "--seed", "0", "1"]
    assert main([*asked, *more]) == 0
    told = json.loads((tmp_path / "one.json").read_text())["wish"]
    assert (told["plan"]["n_octaves"], told["diversity"], told["token"]) == (2, 2.0, None)


def test_an_image_is_named_by_id_or_number(study: Study, digits, largest: int) -> None:
    wish = partial(synthetic.wish_for, study, digits, LAYER, pattern=largest, mode="edit")
    assert wish(image=study.ids[5]).image == wish(image="5").image == 5
    assert wish(image=5).parametrisation == "fourier"
    with pytest.raises(UnknownNameError, match="No image 'x'"):
        wish(image="x")


def test_what_is_kept_is_found_by_what_it_is_for(study: Study, digits, largest: int) -> None:
    made = [
        synthetic.synthetic(study, digits, quick(largest, parametrisation=way, mode=mode))
        for way, mode in (("pixel", "prototype"), ("linear", "prototype"), ("fourier", "exaggerate"))
    ]
    found = kept_images(study, LAYER, pattern=largest)
    told = [(one.wish.mode, one.wish.parametrisation) for one in found]
    assert (
        told.index(("prototype", "linear")) < told.index(("prototype", "pixel")) < told.index(("exaggerate", "fourier"))
    )
    again = next(one for one in found if one.wish == made[1].wish)
    np.testing.assert_array_equal(again.images.picture, made[1].images.picture)
    assert kept_images(study, LAYER, unit=largest) == []
    assert kept_images(study, LAYER, RECIPES["published"], pattern=largest) == []
