"""The network that a study was made with, found again by what the study says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nap_core.errors import NapError, StudyError
from nap_core.study.new_images import is_network_of
from nap_core.study.study import Study

if TYPE_CHECKING:
    from nap_core.inputs.models import Network


def own_network(study: Study, model: str | None = None, weights: Path | str | None = None) -> Network:
    """Return a study's network: a demo's or a published one by its name, any other by what is given.

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

    about = study.about["model"]
    if not about:
        raise StudyError("This study holds activations made elsewhere, without a network; nothing can be run again.")
    network = load_model(model, weights) if model or weights else _by_name(str(about["name"]), str(about["source"]))
    check_network(study, network)
    return network


def check_network(study: Study, network: Network) -> None:
    """Raise `StudyError` unless the study was made with this network."""
    if not is_network_of(study, network):
        raise StudyError(
            f"The study was made with another model than {network.name} as it is loaded now (weights or preprocessing "
            "differ). Give the study's own model and weights."
        )


def can_find_network(study: Study) -> bool:
    """Whether the network can be had again by its name alone, without a download."""
    from nap_core.inputs.demos import NETWORKS

    return bool(study.about["model"]) and study.about["model"]["name"] in NETWORKS


def _by_name(name: str, source: str) -> Network:
    from nap_core.inputs.demos import NETWORKS
    from nap_core.inputs.models import load_model
    from nap_core.inputs.zoo import MODELS

    if name in NETWORKS:
        return load_model(name)
    published = source.split()[-1] if source.startswith("torchvision's published weights") else ""
    if name not in MODELS or not published:
        raise StudyError(f"The study was made with {name} from {source}; give its model and weights to run it again.")
    try:
        return load_model(name, published)
    except NapError as error:
        raise StudyError(f"The study's network {name} cannot be had: {error} Give its weights file.") from error
