"""One click to a real study: a published network on published photos, its price named before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from nap_core.errors import NapError
from nap_core.inputs.datasets import DATASETS
from nap_core.inputs.published import BITS_PER_SECOND, PAIRS, Plan, check_room, fetched_images, fetched_network, plan
from nap_core.inputs.zoo import MODELS
from nap_core.store import cache_folder
from nap_core.ui.resources import show_error
from nap_core.ui.run_panel import layers_of, run_study, unfinished
from nap_core.ui.setup_panel import MOST_MEGABYTES
from nap_core.ui.visitor import runs_locally, visitor
from nap_core.ui.widgets import remaining, show_progress, size_words

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

_GROUPING_SECONDS = 30


def published_study() -> None:
    """Let the visitor choose a network and a data set, say what they take, fetch and run them."""
    planned = _choose()
    _tell(planned)
    label = "Download and run" if planned.download_bytes else "Run"
    if not st.button(label, type="primary", key="run-published", icon=":material/play_arrow:"):
        return
    try:
        check_room(planned.root, planned.disk_bytes)
        network, images = _fetched(planned)
        _run(network, images)
    except NapError as error:
        show_error(error)


def _choose() -> Plan:
    sets = [name for name, about in DATASETS.items() if runs_locally() or about.megabytes <= MOST_MEGABYTES]
    first = next(iter(PAIRS))
    pair = st.pills("Worth a first look", list(PAIRS), default=first, key="pair")
    model, dataset = PAIRS[pair or first]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # A pair that is picked sets both; the key holds it, so that a choice of one's own stays until then.
        model = st.selectbox(
            "Network", list(MODELS), index=list(MODELS).index(model), format_func=_model_words, key=f"network-of-{pair}"
        )
        dataset = st.selectbox(
            "Photos", sets, index=sets.index(dataset), format_func=_dataset_words, key=f"photos-of-{pair}"
        )
        most = st.number_input("At most so many photos", 100, 100_000, 1000, step=100, width=190)
    with st.spinner("Working out what it takes"):
        return plan(str(model), str(dataset), cache_folder() / "datasets", n_images=int(most))


def _model_words(name: str) -> str:
    return f"{MODELS[name].title} ({size_words(MODELS[name].published().size)})"


def _dataset_words(name: str) -> str:
    return f"{name}: {DATASETS[name].title} ({size_words(DATASETS[name].megabytes * 1e6)})"


def _tell(planned: Plan) -> None:
    about = DATASETS[planned.dataset]
    if planned.download_bytes:
        parts = [
            f"{what} {size_words(size)}" if size else f"{what} are on this machine already"
            for what, size in (("weights", planned.weights_bytes), ("photos", planned.dataset_bytes))
        ]
        download = (
            f"**To download: {size_words(planned.download_bytes)}** ({', '.join(parts)}), about "
            f"{remaining(planned.download_seconds)} at {BITS_PER_SECOND / 1e6:.0f} Mbit/s; while it is unpacked, up to "
            f"{size_words(planned.disk_bytes)} on the disk, of {size_words(planned.free_bytes)} free."
        )
    else:
        download = "**Nothing to download**: weights and photos are on this machine already."
    run = remaining(planned.run_seconds + _GROUPING_SECONDS)
    st.markdown(download)
    st.markdown(f"**To run: about {run}** on this machine's processor, for at most {planned.n_images:,} photos.")
    st.caption(
        f"torchvision fetches the weights {planned.weights} of {MODELS[planned.model].title} and the "
        f"{about.splits[0]} split of {planned.dataset} ({about.title}; {about.size}) from where they are published. "
        "Both stay on this machine for the next time."
    )


def _fetched(planned: Plan) -> tuple[Network, ImageSet]:
    st.button("Stop", key="stop-fetching", help="A file that is not whole is fetched again the next time.")
    with st.spinner("Weights"):
        fetching = show_progress("Weights", size_words) if planned.weights_bytes else None
        network = fetched_network(planned.model, planned.weights, fetching)
    with st.spinner("Photos"):
        fetching = show_progress("Photos, download and unpacking", size_words) if planned.dataset_bytes else None
        images = fetched_images(planned.dataset, planned.root, fetching, show_progress("Reading the photos"))
        images = images.limited(planned.n_images)
    visitor().take_network(network)
    visitor().take_images(images)
    return network, images


def _run(network: Network, images: ImageSet) -> None:
    from nap_core.activations.layers import suggest_layers

    known = layers_of(network, images)
    layers = [layer for layer in known if layer.name in suggest_layers(known)]
    run_study(st.empty(), network, images, layers, "mean", "float32", "covering", unfinished(network, images))
