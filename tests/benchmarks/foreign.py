"""How well foreign images are told from known ones: ``foreign [digits] [photos]``, and after the table of ``quality``.

The digits 8 and 9 against unseen 0 to 7, through the demo's network that was trained on half of 0 to 7; textures
against unseen photos, through MobileNetV2, three of four photos being known.
"""

from __future__ import annotations

import numpy as np

from nap_core.study import Study
from nap_core.study.foreign import Foreign, foreign_images, foreign_newcomers
from nap_core.study.new_images import NewImages
from nap_core.types import Predictions
from tests.benchmarks.cases import SHARED, photo_study

SETS = ("digits", "photos")


def digits() -> tuple[Foreign, np.ndarray]:
    from nap_core.inputs.demos import factors

    truth = factors("digits")
    known = truth["trained"] == 1
    return foreign_images(Study.demo("digits"), known), truth["foreign"][~known] == 1


def photos() -> tuple[Foreign, np.ndarray]:
    """Textures take the place of new images; photos held out are scored by the same known ones."""
    study, other = photo_study("imagenet_multi"), photo_study("dtd_textures")
    known = np.random.default_rng(0).permutation(study.n_images) % 4 > 0
    rows = {
        layer: np.concatenate([study.activations(layer).values[~known], other.activations(layer).values])
        for layer in study.layer_names
    }
    is_foreign = np.arange(len(rows[study.layer_names[0]])) >= int((~known).sum())
    mine, theirs = study.predictions, other.predictions
    assert mine is not None and theirs is not None
    confidence = np.concatenate([mine.confidence[~known], theirs.confidence])
    answers = Predictions(np.zeros(len(confidence), np.int32), confidence, ())
    return foreign_newcomers(study, NewImages((), (), rows, answers), known), is_foreign


def show(names: list[str]) -> None:
    print("\n| known and foreign | layer | score | AUROC | 95 % |\n|---|---|---|---|---|")
    for name in names or SETS:
        if name == "photos" and not SHARED.is_dir():
            print("photos: skipped, because the folder of real weights and pictures is not there")
            continue
        found, is_foreign = digits() if name == "digits" else photos()
        for (layer, score), told in found.separations(is_foreign).items():
            print(f"| {name} | {layer} | {score} | {told.auroc:.3f} | {told.low:.3f} to {told.high:.3f} |", flush=True)


def main(arguments: list[str]) -> None:
    unknown = set(arguments) - set(SETS)
    if unknown:
        raise SystemExit(f"No set {sorted(unknown)[0]!r}; there are {', '.join(SETS)}.")
    show(arguments)
