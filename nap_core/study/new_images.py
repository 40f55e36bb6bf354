"""New images through a study's own network: one pass, kept in memory, the study as it was."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import UnknownNameError, listed
from nap_core.store import Store
from nap_core.study.folder import THUMBNAIL
from nap_core.study.own_network import check_network
from nap_core.study.study import Study
from nap_core.types import NOISE, Float, Int, Predictions, Progress

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


def left_out(study: Study, images: Int) -> NewImages:
    """Return images of the study as if they were new to it: its layers then tell of them without having known them.

    Parameters
    ----------
    images
        Their numbers, at least one.
    """
    answers = study.predictions
    if answers is not None:
        answers = Predictions(answers.prediction[images], answers.confidence[images], answers.class_names)
    return NewImages(
        tuple(study.ids[i] for i in images),
        tuple(study.thumbnail(int(i)) for i in images),
        {layer: np.array(study.activations(layer).values[images]) for layer in study.layer_names},
        answers,
    )


def of_classes(study: Study, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return [image] whether it is of one of the classes named.

    Raises
    ------
    UnknownNameError
        If the study has no such class.
    """
    known = study.class_names or tuple(str(number) for number in range(int(study.target.max(initial=NOISE)) + 1))
    missing = [name for name in names if name not in known]
    if missing:
        raise UnknownNameError(f"No class '{missing[0]}' in this study; it has {listed(known) or 'no classes'}.")
    found: NDArray[np.bool_] = np.isin(study.target, [known.index(name) for name in names])
    return found


def both(first: NewImages, second: NewImages) -> NewImages:
    """Return the rows of `first`, then those of `second`."""
    one, other, answers = first.predictions, second.predictions, None
    if one is not None and other is not None:
        prediction = np.concatenate([one.prediction, other.prediction])
        answers = Predictions(prediction, np.concatenate([one.confidence, other.confidence]), one.class_names)
    rows = {layer: np.concatenate([values, second.rows[layer]]) for layer, values in first.rows.items()}
    return NewImages(first.ids + second.ids, first.thumbnail + second.thumbnail, rows, answers)


def run_new_images(
    study: Study, network: Network, images: ImageSet, *, device: str = "auto", progress: Progress | None = None
) -> NewImages:
    """Run images through the study's network, with its layers, pooling and precision.

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
            precision=study.about["precision"],
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
