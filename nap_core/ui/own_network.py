"""The open study's own network, where something is to be run: at hand, to be loaded, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from nap_core.errors import NapError
from nap_core.study import Study
from nap_core.study.own_network import as_studied, is_network_of, network_again, network_files, source_of_network
from nap_core.ui.resources import go_to, show_error
from nap_core.ui.setup_panel import own_network
from nap_core.ui.visitor import runs_locally

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

_AGAIN = "networks-loaded-again"


def is_at_hand(study: Study) -> bool:
    """Whether the network can be used at once; it is read when it is first used."""
    if study.about["model"] is None:
        return False
    is_loaded = study.about["model"]["fingerprint"] in st.session_state.get(_AGAIN, ())
    return is_loaded or source_of_network(study) == "demo" or _own(study) is not None


def network_of(study: Study) -> Network:
    """Return the study's network, which `is_at_hand`."""
    return _own(study) or _network_again(study.about["model"]["fingerprint"], study)


def offer_network(study: Study, what: str) -> None:
    """Say why the network is not at hand, and offer the next step.

    Parameters
    ----------
    what
        How the sentence begins that ends in "the study's own network".
    """
    if study.about["model"] is None:
        st.info(
            "This study was made of activations from elsewhere, so there is no network here that a picture could "
            "go through. Make a study of the model itself on Setup."
        )
        return
    name = study.about["model"]["name"]
    why = f"{what} the study's own network, {name}, which is not loaded in this session."
    source = source_of_network(study)
    if source == "published":
        _offer_again(study, why, "with its published weights", "Downloaded by torchvision where they are not here.")
        return
    if source == "files" and runs_locally():
        from_where = " and ".join(filter(None, network_files(study)))
        _offer_again(study, why, "again", f"From {from_where}, with which the study was made.")
        return
    st.info(f"{why} Load the same weights on Setup and come back; the study stays open.")
    go_to("Load the weights on Setup", "setup", key="to-setup")


def _own(study: Study) -> Network | None:
    network = own_network()
    if network is None:
        return None
    network = as_studied(study, network)
    return network if is_network_of(study, network) else None


@st.cache_resource(show_spinner="Reading the network", max_entries=4)
def _network_again(fingerprint: str, _study: Study) -> Network:
    # Shipped and published weights, and files where the visitor sits at the machine: all visitors may share these.
    return network_again(_study)


def _offer_again(study: Study, why: str, how: str, from_where: str) -> None:
    st.info(why)
    name = study.about["model"]["name"]
    if st.button(f"Load {name} {how}", help=from_where):
        try:
            network_of(study)
        except NapError as error:
            show_error(error)
            return
        st.session_state.setdefault(_AGAIN, set()).add(study.about["model"]["fingerprint"])
        st.rerun()
