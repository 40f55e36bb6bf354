"""Demos that need nothing downloaded: pictures whose truth is known, and small networks trained on them.

The pictures are made when they are asked for, the weights are shipped. ``python -m nap_core.inputs.demos`` trains the
networks again from their seeds; on the same machine and version of torch the weights come out the same.

`shapes` holds a planted shortcut. In training nine of ten stars carry a small light mark in the lower right corner and
no other shape ever does; in the study half of the stars carry it, and three of twenty of every other shape.
`shapes_clean` is the same study of a network that was trained without the mark, to be compared with it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import UnknownNameError, listed
from nap_core.inputs import shapes
from nap_core.inputs.images import ImageSet, images_from_arrays
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.types import Progress

if TYPE_CHECKING:
    from nap_core.inputs.demo_networks import StagedNetwork
    from nap_core.inputs.models import Network

_DATA = Path(__file__).parent / "demo_data"
_N_SHAPES = 2000
_STUDY_SEED = 1
_STUDY_MARKS = {name: 0.5 if name == shapes.MARKED else 0.15 for name in shapes.SHAPES}
_TRAINING_SEED = 10_002
_N_TRAINING = 480
_TRAINED_DIGITS = 8
_SUBJECTS: dict[str, tuple[str, ...]] = {"shapes": shapes.SHAPES, "digits": tuple("0123456789")}


@dataclass(frozen=True, slots=True)
class Demo:
    """A set of pictures, the network that looks at them, and what there is to see."""

    name: str
    title: str
    story: str  # two or three plain sentences
    layers: tuple[str, ...]  # in execution order, the logits last
    n: int  # number of pictures


DEMOS: dict[str, Demo] = {
    "shapes": Demo(
        name="shapes",
        title="Shapes with a planted shortcut",
        story=(
            "Six shapes in six colours and four textures, drawn by code. In training, nine of ten stars carried a "
            "small light ring in the lower right corner, and no other shape ever did. Follow the pictures from layer "
            "to layer: the first stages sort by colour, the last by shape, and there circles, squares and hearts that "
            "carry the ring end up among the stars."
        ),
        layers=("stage1", "stage2", "stage3", "stage4", "features", "logits"),
        n=_N_SHAPES,
    ),
    "shapes_clean": Demo(
        name="shapes_clean",
        title="The same shapes, learnt without the ring",
        story=(
            "The 2,000 pictures of the other shapes demo, seen by the same network, trained again on the same shapes "
            "without a single ring. In its last layers every shape has one pattern, and a ring in the corner changes "
            "nothing. Compare it with the network that learnt the shortcut."
        ),
        layers=("stage1", "stage2", "stage3", "stage4", "features", "logits"),
        n=_N_SHAPES,
    ),
    "digits": Demo(
        name="digits",
        title="Handwritten digits, two of them foreign",
        story=(
            "1,797 real handwritten digits and a network that only ever saw 0 to 7. Look where the 8s and 9s go: they "
            "have no class of their own, yet the layers before the last still gather many of them in patterns of "
            "their own."
        ),
        layers=("stage1", "stage2", "stage3", "features", "logits"),
        n=1797,
    ),
}
"""Name → demo; each has its pictures, its network and a finished study."""

NETWORKS: dict[str, str] = {
    "shapes": "shapes",
    "shapes_clean": "shapes",
    "digits": "digits",
}
"""Network → the demo whose pictures it looks at. `shapes_clean` saw the pictures of `shapes` without the ring."""


def demo_images(name: str) -> ImageSet:
    """Return the pictures of the study of a demo.

    Parameters
    ----------
    name
        One of `DEMOS` or `NETWORKS`.

    Raises
    ------
    UnknownNameError
        If there is no such demo.
    """
    if _demo_of(name) == "shapes":
        pictures, _ = _drawn()
        target = _study_factors().shape
    else:
        pictures, target = _digits()
    names = _SUBJECTS[_demo_of(name)]
    ids = [f"{_demo_of(name)}-{i:04d}" for i in range(len(pictures))]
    return images_from_arrays(pictures, target, names, ids, _SOURCES[_demo_of(name)])


_SOURCES = {"shapes": "shapes drawn by code", "digits": "scikit-learn's handwritten digits"}


@cache
def demo_of_images(source: str, fingerprint: str) -> str:
    """Return the demo whose pictures an image set holds, by its source and fingerprint, or nothing."""
    named = (name for name, said in _SOURCES.items() if said == source)
    return next((name for name in named if demo_images(name).fingerprint == fingerprint), "")


def demo_network(name: str) -> Network:
    """Return a trained network with the shipped weights.

    Parameters
    ----------
    name
        One of `NETWORKS`.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    """
    from safetensors.torch import load_file

    from nap_core.inputs.models import network

    module = _untrained(_demo_of(name))
    module.load_state_dict(load_file(_weights_file(name)))
    return network(module.eval(), _preprocessing(name), name=name, class_names=_classes(name))


def demo_study_folder(name: str) -> Path:
    """Return the folder in which the finished study of a demo is shipped.

    Raises
    ------
    UnknownNameError
        If there is no such demo.
    """
    _demo_of(name)
    return _DATA / f"{name}_study"


def factors(name: str) -> dict[str, NDArray[Any]]:
    """Return what is known to be true of every picture of a demo, one array [image] per factor.

    For `shapes`: `shape`, `colour`, `texture` and `ground` (numbers into `factor_names`), `watermark` (0 or 1), `size`
    and the centre `x`, `y` in pixels, `angle` in degrees. For `digits`: `digit`, `foreign` (1 for 8 and 9) and
    `trained` (1 for the pictures the network was trained on).

    Raises
    ------
    UnknownNameError
        If there is no such demo.
    """
    if _demo_of(name) == "shapes":
        chosen = _study_factors()
        names = ("shape", "colour", "texture", "ground", "watermark", "size", "x", "y", "angle")
        return {factor: getattr(chosen, factor) for factor in names}
    _, digit = _digits()
    foreign = digit >= _TRAINED_DIGITS
    return {"digit": digit, "foreign": foreign.astype(np.int32), "trained": _in_training(digit).astype(np.int32)}


def factor_names(name: str) -> dict[str, tuple[str, ...]]:
    """Return the names behind the numbers of those factors of a demo that have names.

    Raises
    ------
    UnknownNameError
        If there is no such demo.
    """
    if _demo_of(name) == "shapes":
        return {
            "shape": shapes.SHAPES,
            "colour": shapes.COLOURS,
            "texture": shapes.TEXTURES,
            "ground": shapes.GROUNDS,
            "watermark": ("no ring", "ring"),
        }
    return {"foreign": ("0 to 7", "8 or 9"), "trained": ("not seen", "seen in training")}


def masks(name: str) -> NDArray[np.bool_]:
    """Return [image, 64, 64], True where the shape is.

    Raises
    ------
    UnknownNameError
        If the demo has no masks.
    """
    if _demo_of(name) != "shapes":
        raise UnknownNameError(f"The demo '{name}' has no masks; only shapes has, because its pictures are drawn.")
    return _drawn()[1]


def train_network(name: str, *, progress: Progress | None = None) -> StagedNetwork:
    """Train one of the networks again, from its seed, on one CPU thread.

    Parameters
    ----------
    name
        One of `NETWORKS`.
    progress
        Called after every step.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    """
    import torch

    from nap_core.inputs import demo_networks

    preprocessing = _preprocessing(name)
    if _demo_of(name) == "shapes":
        share = 0.9 if name == "shapes" else 0.0
        chosen = shapes.choose_factors(_N_TRAINING, _TRAINING_SEED, {shapes.MARKED: share})
        pictures, target, n_steps, smoothing = shapes.draw(chosen)[0], chosen.shape, 250, 0.1
    else:
        pictures, target = _digits()
        seen = _in_training(target)
        pictures, target, n_steps, smoothing = pictures[seen], target[seen], 300, 0.0
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = _untrained(_demo_of(name))
            values = demo_networks.normalised(pictures, preprocessing.mean[0], preprocessing.std[0])
            demo_networks.train(module, values, target, n_steps=n_steps, label_smoothing=smoothing, progress=progress)
    finally:
        torch.set_num_threads(n_threads)
    return module


def _demo_of(name: str) -> str:
    if name not in NETWORKS:
        raise UnknownNameError(f"No demo '{name}'; there are {listed(NETWORKS)}.")
    return NETWORKS[name]


def _classes(name: str) -> tuple[str, ...]:
    return _SUBJECTS[_demo_of(name)][:_TRAINED_DIGITS]


def _preprocessing(name: str) -> Preprocessing:
    if _demo_of(name) == "shapes":
        return Preprocessing(64, 64, (0.5,) * 3, (0.25,) * 3, 3)
    return Preprocessing(8, 8, (0.3,), (0.375,), 1)


def _untrained(demo: str) -> StagedNetwork:
    from nap_core.inputs import demo_networks

    return demo_networks.shapes_network() if demo == "shapes" else demo_networks.digits_network()


def _weights_file(name: str) -> Path:
    return _DATA / f"{name}.safetensors"


@cache
def _study_factors() -> shapes.Factors:
    return shapes.choose_factors(_N_SHAPES, _STUDY_SEED, _STUDY_MARKS)


@cache
def _drawn() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    pictures, mask = shapes.draw(_study_factors())
    pictures.flags.writeable = mask.flags.writeable = False
    return pictures, mask


@cache
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """[image, 8, 8] and [image]; scikit-learn keeps 17 greys, 16 is the ink's full strength."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pictures = np.round(found.images * (255 / 16)).astype(np.uint8)
    digit = found.target.astype(np.int32)
    pictures.flags.writeable = digit.flags.writeable = False
    return pictures, digit


def _in_training(digit: NDArray[np.int32]) -> NDArray[np.bool_]:
    """[image] True on every second picture of those digits the network is to know."""
    is_seen: NDArray[np.bool_] = (digit < _TRAINED_DIGITS) & (np.arange(len(digit)) % 2 == 0)
    return is_seen


def _counter(name: str) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r{name}: step {done} of {total}{end}")

    return show


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the named networks again and replace their shipped weights."""
    parser = argparse.ArgumentParser(
        prog="python -m nap_core.inputs.demos", description="Make the weights of the demos again, from their seeds."
    )
    parser.add_argument("network", nargs="*", metavar="NETWORK", help=f"one or more of {listed(NETWORKS)}; all if none")
    parser.add_argument("--to", type=Path, default=_DATA, help="folder for the weights; the package's own if absent")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.network if name not in NETWORKS]
    if unknown:
        parser.error(f"No network '{unknown[0]}'; there are {listed(NETWORKS)}.")
    from safetensors.torch import save_file

    for name in chosen.network or NETWORKS:
        module = train_network(name, progress=_counter(name))
        chosen.to.mkdir(parents=True, exist_ok=True)
        save_file(module.state_dict(), chosen.to / f"{name}.safetensors")


if __name__ == "__main__":
    main()
