"""New images through a study's own network: one pass, kept in memory, the study as it was."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nap_core.errors import StudyError
from nap_core.store import Store
from nap_core.study.folder import THUMBNAIL
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


def is_network_of(study: Study, network: Network) -> bool:
    """Whether the study was made with this network: the same architecture, weights and preprocessing."""
    from nap_core.activations.extract import activations_key_of

    model = study.about["model"]
    if not model or model["fingerprint"] != network.fingerprint:
        return False
    layer, images = study.layer_names[0], study.images["fingerprint"]
    return activations_key_of(network, images, layer, study.about["pooling"]) == study.activations_key(layer)


def source_of_network(study: Study) -> str:
    """Return where the study's network can be had again: "demo", "published" (a download, once), or nothing."""
    from nap_core.inputs.demos import NETWORKS
    from nap_core.inputs.zoo import MODELS

    model = study.about["model"] or {"name": "", "source": ""}
    if model["name"] in NETWORKS:
        return "demo"
    published = MODELS[model["name"]].weights if model["name"] in MODELS else ()
    return "published" if model["source"].split(" ")[-1] in {weights.name for weights in published} else ""


def network_again(study: Study) -> Network:
    """Load the network of a study whose weights are shipped or published.

    Raises
    ------
    StudyError
        If its weights are neither; see `source_of_network`.
    OfflineError
        If published weights cannot be downloaded.
    """
    from nap_core.inputs.models import load_model

    source = source_of_network(study)
    if not source:
        raise StudyError("The weights of the study's network are not published; load the file that it was made with.")
    model = study.about["model"]
    return load_model(model["name"], model["source"].split(" ")[-1] if source == "published" else None)


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
    from nap_core.activations.extract import PREDICTIONS, extract, load_activations, load_predictions
    from nap_core.inputs.images import thumbnail

    if not is_network_of(study, network):
        raise StudyError(
            f"The study was made with another model than {network.name} as it is loaded now (weights or preprocessing "
            "differ). Load the study's own model."
        )
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
