"""Layers under AppTest: nothing there yet, the tree, a forecast, a run that was stopped and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from nap_core.activations.extract import network_layers
from nap_core.configs import RECIPES
from nap_core.inputs.demos import demo_images, demo_network
from nap_core.study import Study
from nap_core.study.running import Rehearsal, costs, group_seconds, rehearse, run_state
from nap_core.types import LayerInfo
from nap_core.ui.layer_tree import count_words, nodes
from nap_core.ui.visitor import Visitor

PAGE = Path(__file__).resolve().parents[2] / "pages" / "layers.py"


@pytest.fixture
def guest():
    """A visitor on a server, with the digits' network and 200 of their pictures."""
    guest = Visitor()
    guest.take_network(demo_network("digits"))
    guest.take_images(demo_images("digits").limited(200))
    yield guest
    shutil.rmtree(guest.folder, ignore_errors=True)


def opened(guest: Visitor | None) -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    if guest:
        test.session_state["visitor"] = guest
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(e.value for kind in (test.markdown, test.caption, test.info, test.error) for e in kind)


def test_without_anything_the_next_step_is_named():
    test = opened(None)
    assert not test.exception
    assert "It needs a model and images first" in texts(test)
    half = Visitor()
    half.take_network(demo_network("digits"))
    assert "It needs images first" in texts(opened(half))


def test_sensible_layers_are_ticked_and_forecast(guest):
    test = opened(guest)
    assert not test.exception
    assert "5 of" in texts(test)
    assert "Forecast: about" in texts(test)
    assert test.button(key="run").label == "Run"


def test_without_layers_nothing_can_run(guest):
    test = AppTest.from_file(str(PAGE), default_timeout=120)
    test.session_state["visitor"] = guest
    test.session_state[f"layers-{guest.network.fingerprint[:12]}-ticked"] = []
    test.run()
    assert "Tick at least one layer" in texts(test)
    assert test.button(key="run").disabled


def test_too_few_images_are_told_before_a_run(guest):
    guest.take_images(guest.images.limited(3))
    test = opened(guest)
    assert not test.exception
    assert test.button(key="run").disabled
    assert "A pattern has at least 4 images; here are 3. Add some on Setup." in texts(test)


def test_a_stopped_run_is_told_and_goes_on(guest):
    network, images = guest.network, guest.images
    layers = [layer for layer in network_layers(network, images) if layer.name in ("stage3", "logits")]
    study = Study.create(guest.folder / "studies" / "stopped", network, images, layers)

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 160:
            raise StoppedError

    with pytest.raises(StoppedError):
        study.extract(network, images, batch_size=16, progress=stop)
    state = run_state(study)
    assert 0 < state.n_done <= 160
    assert (state.n_images, state.n_layers, state.n_grouped) == (200, 2, 0)
    test = opened(guest)
    assert f"{state.n_done} of 200 images are through the model, 0 of 2 layers are grouped" in texts(test)
    assert test.button(key="run").label == "Continue the run"
    guest.images = None
    assert "A run was stopped: digits on 200 images" in texts(opened(guest))
    guest.images = images
    study.extract(network, images)
    assert run_state(study).n_done == 200
    study.cluster()
    assert run_state(study).n_grouped == 2
    assert opened(guest).button(key="run").label == "Run"


def test_rows_of_the_tree():
    def layer(name: str, **more) -> LayerInfo:
        return LayerInfo(name, more.get("type", "Conv2d"), (8, 4, 4), more.get("n", 0), more.get("kind", "conv"))

    given = [layer("stem.0"), layer("stem.1"), layer("stem"), layer("blocks.0.conv"), layer("blocks.0"), layer("fc")]
    rows = nodes(given)
    assert [row["name"] for row in rows] == ["stem", "stem.0", "stem.1", "blocks", "blocks.0", "blocks.0.conv", "fc"]
    assert [row["depth"] for row in rows] == [0, 1, 1, 0, 1, 2, 0]
    assert [row["parts"] for row in rows] == [2, 0, 0, 1, 1, 0, 0]
    assert [row["name"] for row in rows if not row["usable"]] == ["blocks"]
    assert rows[0]["shape"] == "8×4×4"


def test_numbers_of_parameters_are_short():
    assert [count_words(n) for n in (0, 12, 3_504_872, 25_000)] == ["", "12", "3.5 M", "25 k"]


def test_costs_follow_layers_and_images(guest):
    layers = network_layers(guest.network, guest.images)
    rehearsed = rehearse(guest.network, guest.images, layers, "mean")
    assert min(rehearsed.pass_seconds, rehearsed.thumbnail_seconds, rehearsed.slowness) > 0
    fixed = Rehearsal(0.001, 600.0, 0.01, 1.0)
    one, two = (costs(fixed, n, layers, "mean", RECIPES["covering"]) for n in (500, 1000))
    assert two.pass_seconds == pytest.approx(2 * one.pass_seconds)
    assert two.stored_bytes == pytest.approx(2 * one.stored_bytes, abs=2)
    assert one.seconds == one.thumbnail_seconds + one.pass_seconds + one.group_seconds
    assert costs(fixed, 500, layers[:1], "mean", RECIPES["covering"]).stored_bytes < one.stored_bytes
    published = [group_seconds(n, [64], RECIPES["published"]) for n in (1000, 10_000)]
    assert np.diff(published)[0] > 0


@pytest.mark.parametrize("there", [("float32",), ("float32", "bfloat16")])
def test_the_number_format_is_offered_where_there_is_a_choice(guest, monkeypatch, there):
    monkeypatch.setattr("nap_core.activations.devices.precisions", lambda _: there)
    test = opened(guest)
    assert not test.exception
    offered = [box for box in test.selectbox if box.label == "Precision"]
    assert [box.options for box in offered] == ([list(there)] if len(there) > 1 else [])
