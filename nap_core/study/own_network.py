"""The network that a study was made with, known by its fingerprint and found again by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from nap_core.errors import StudyError
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.study.folder import NETWORK_FILES
from nap_core.study.study import Study

if TYPE_CHECKING:
    from nap_core.inputs.models import Network


def is_network_of(study: Study, network: Network) -> bool:
    """Whether the study was made with this network: the same architecture, weights and preprocessing."""
    from nap_core.activations.extract import activations_key_of

    model = study.about["model"]
    if not model or model["fingerprint"] != network.fingerprint:
        return False
    layer, images = study.layer_names[0], study.images["fingerprint"]
    key = activations_key_of(network, images, layer, study.about["pooling"], study.about["precision"])
    return key == study.activations_key(layer)


def as_studied(study: Study, network: Network) -> Network:
    """Return the network with the preprocessing that the study was made with, where the study wrote it down."""
    kept = (study.about["model"] or {}).get("preprocessing")
    if kept is None or not isinstance(network.preprocessing, Preprocessing):
        return network
    preprocessing = Preprocessing(**kept)
    return network if preprocessing == network.preprocessing else network.seeing(preprocessing)


def source_of_network(study: Study) -> str:
    """Return where the study's network can be had again: "demo", "published" (a download, once), "files", or nothing.

    "files" are those of this machine that the study was made with; a study that came as one file names none.
    """
    from nap_core.inputs.demos import NETWORKS
    from nap_core.inputs.zoo import MODELS

    model = study.about["model"] or {"name": "", "source": ""}
    if model["name"] in NETWORKS:
        return "demo"
    published = MODELS[model["name"]].weights if model["name"] in MODELS else ()
    if model["source"].split(" ")[-1] in {weights.name for weights in published}:
        return "published"
    return "files" if any(network_files(study)) else ""


def network_files(study: Study) -> tuple[str, str]:
    """Return model and weights, as `load_model` takes them, of a study that was made with files that are still here."""
    try:
        kept = json.loads((study.folder / NETWORK_FILES).read_text(encoding="utf-8"))
        model, weights = str(kept["model"]), str(kept["weights"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""
    named = [weights, model.rpartition(":")[0] if ".py:" in model else ""]
    return (model, weights) if all(Path(name).is_file() for name in named if name) else ("", "")


def network_again(study: Study) -> Network:
    """Load the network of a study whose weights are shipped, published, or still where they were.

    Raises
    ------
    StudyError
        If its weights are nowhere, see `source_of_network`, or the files hold other ones now.
    UnsafeFileError
        If it was made by code that is not trusted.
    OfflineError
        If published weights cannot be downloaded.
    """
    from nap_core.inputs.models import load_model

    source = source_of_network(study)
    if not source:
        raise StudyError("The weights of the study's network are not published; load the file that it was made with.")
    model = study.about["model"]
    name, weights = model["name"], model["source"].split(" ")[-1] if source == "published" else ""
    if source == "files":
        name, weights = network_files(study)
    return _checked(study, load_model(name or None, weights or None))


def _checked(study: Study, network: Network) -> Network:
    network = as_studied(study, network)
    check_network(study, network)
    return network


def check_network(study: Study, network: Network) -> None:
    """Raise `StudyError` unless the study was made with this network."""
    if not is_network_of(study, network):
        raise StudyError(
            f"The study was made with another model than {network.name} as it is loaded now (weights or preprocessing "
            "differ). Load the study's own model."
        )


def own_network(study: Study, model: str | None = None, weights: Path | str | None = None) -> Network:
    """Return a study's network: loaded from what is given, else again by its name.

    Parameters
    ----------
    model, weights
        As in `load_model`; needed where the weights are the reader's own.

    Raises
    ------
    StudyError
        If the study has no network, if nothing tells where it is, or if what was given is another one.
    """
    from nap_core.inputs.models import load_model

    if not study.about["model"]:
        raise StudyError("This study holds activations made elsewhere, without a network; nothing can be run again.")
    return _checked(study, load_model(model, weights)) if model or weights else network_again(study)
