"""New images through a study's own network: one pass, kept in memory, the study as it was."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nap_core.store import Store
from nap_core.study.folder import THUMBNAIL
from nap_core.study.own_network import check_network
from nap_core.study.study import Study
from nap_core.types import Float, Predictions, Progress

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network


@dataclass(frozen=True, slots=True, eq=False)
class NewImages:
    """What a study's network says of images that the study does not have."""

    ids: tuple[str, ...]  # [row]
    thumbnail: tuple[bytes, ...]  # [row] JPEG
    rows: Mapping[str, Float]  # layer → [row, feature] raw pooled activations
    predictions: Predictions | None  # None where the network gives no classes


def run_new_images(
    study: Study, network: Network, images: ImageSet, *, device: str = "auto", progress: Progress | None = None
) -> NewImages:
    """Run images through the study's network, with its layers and pooling.

    Raises
    ------
    StudyError
        If it is not the study's network.
    InputError
        If the network does not take the images.
    """
    from nap_core.activations.extract import extract, load_activations, load_predictions
    from nap_core.activations.reading import PREDICTIONS
    from nap_core.inputs.images import thumbnail

    check_network(study, network)
    with tempfile.TemporaryDirectory(prefix="nap-new-") as scratch:
        store = Store(scratch)
        keys = extract(
            network,
            images,
            study.layer_names,
            store=store,
            pooling=study.about["pooling"],
            device=device,
            progress=progress,
        )
        rows = {}
        for layer in study.layer_names:
            found = load_activations(store, keys[layer])
            assert found is not None
            rows[layer] = np.array(found.values)
        answers = load_predictions(store, keys[PREDICTIONS]) if PREDICTIONS in keys else None
        if answers is not None:
            answers = Predictions(np.array(answers.prediction), np.array(answers.confidence), answers.class_names)
    small = tuple(thumbnail(images.picture(image, at_least=THUMBNAIL), THUMBNAIL) for image in range(len(images)))
    return NewImages(images.ids, small, rows, answers)
