"""New pictures of this visitor: put through the study's network, kept in this session, never part of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from nap_core.errors import NapError
from nap_core.export import named
from nap_core.inputs.image_set import Skipped
from nap_core.study import Study
from nap_core.study.answers import plain
from nap_core.study.new_images import NewImages, is_network_of, network_again, run_new_images, source_of_network
from nap_core.types import NOISE, Float
from nap_core.ui.image_words import quoted
from nap_core.ui.resources import go_to, show_error
from nap_core.ui.setup_panel import own_network
from nap_core.ui.visitor import visitor
from nap_core.ui.widgets import show_progress

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

_COUNT, _TOLD = "uploads-count", "uploads-told"
MOST_AT_ONCE, MOST_KEPT, LARGEST_MB = 16, 48, 20


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A picture that the study does not have."""

    name: str
    thumbnail: bytes  # JPEG
    rows: Mapping[str, Float]  # layer → [1, feature] raw pooled activations
    seen_as: str  # the model's answer, or nothing
    confidence: float
    own: int  # the study's class of that name, or NOISE


def uploads(study: Study) -> dict[int, Upload]:
    """Return number → picture that this visitor uploaded to the study, oldest first."""
    return visitor().uploads.get(str(study.folder), {})


def upload_panel(study: Study) -> int | None:
    """Let the visitor give pictures, or say why this study takes none; return the number of the first new one."""
    if study.about["model"] is None:
        st.info(
            "This study was made of activations from elsewhere, so there is no network here that a new picture could "
            "go through. Make a study of the model itself on Setup to follow pictures of your own."
        )
    elif _is_at_hand(study):
        return _take_files(study)
    elif source_of_network(study) == "published":
        _offer_published(study)
    else:
        st.info(
            f"A new picture would go through the study's own network, {study.about['model']['name']}, which is not "
            "loaded in this session. Load the same weights on Setup and come back; the study stays open."
        )
        go_to("Load the weights on Setup", "setup", key="to-setup")
    return None


def _own(study: Study) -> Network | None:
    network = own_network()
    return network if network is not None and is_network_of(study, network) else None


def _is_at_hand(study: Study) -> bool:
    """Whether pictures can be taken at once; the network itself is read with the first of them."""
    is_loaded = study.about["model"]["fingerprint"] in st.session_state.get("published-networks", ())
    return is_loaded or source_of_network(study) == "demo" or _own(study) is not None


@st.cache_resource(show_spinner="Reading the network", max_entries=4)
def _network_again(fingerprint: str, _study: Study) -> Network:
    # Shipped and published weights alone, so all visitors may share them; a visitor's own stay in the session.
    return network_again(_study)


def _network(study: Study) -> Network:
    return _own(study) or _network_again(study.about["model"]["fingerprint"], study)


def _offer_published(study: Study) -> None:
    name = study.about["model"]["name"]
    st.info(f"A new picture goes through the study's own network, {name}, which is not loaded in this session.")
    if st.button(f"Load {name} with its published weights", help="Downloaded by torchvision where they are not here."):
        try:
            _network(study)
        except NapError as error:
            show_error(error)
            return
        st.session_state.setdefault("published-networks", set()).add(study.about["model"]["fingerprint"])
        st.rerun()


def _take_files(study: Study) -> int | None:
    count = st.session_state.get(_COUNT, 0)
    files = st.file_uploader(
        "Pictures of your own",
        accept_multiple_files=True,
        max_upload_size=LARGEST_MB,
        key=f"pictures-{study.folder.name}-{count}",
        help="They go through the study's network now and stay in this session; the study is not changed.",
    )
    for one in st.session_state.pop(_TOLD, ()):
        st.warning(f"{quoted(one.name)} was left out: {one.reason}.")
    return _follow(study, files) if files else None


def _follow(study: Study, files: Sequence[Any]) -> int | None:
    """Run the files and keep what was found; return the number of the first, or None where none could be run."""
    from nap_core.inputs.images import images_from_bytes

    taken, late = files[:MOST_AT_ONCE], files[MOST_AT_ONCE:]
    try:
        images = images_from_bytes([file.getvalue() for file in taken], [file.name for file in taken])
        found = run_new_images(study, _network(study), images, progress=show_progress("Through the network"))
    except NapError as error:
        show_error(error)
        return None
    reason = f"at most {MOST_AT_ONCE} pictures are followed at once"
    st.session_state[_TOLD] = [*images.skipped, *(Skipped(file.name, reason) for file in late)]
    first = int(st.session_state.get(_COUNT, 0))
    st.session_state[_COUNT] = first + len(found.ids)  # empties the uploader, too: its key has the count in it
    fresh = {first + row: _upload(study, found, row) for row in range(len(found.ids))}
    kept = list((uploads(study) | fresh).items())[-MOST_KEPT:]
    visitor().uploads[str(study.folder)] = dict(kept)
    return first


def _upload(study: Study, found: NewImages, row: int) -> Upload:
    seen_as, confidence = "", 0.0
    if found.predictions is not None:
        seen_as = named(int(found.predictions.prediction[row]), study.prediction_names)
        confidence = float(found.predictions.confidence[row])
    names = [plain(name) for name in study.class_names]
    return Upload(
        name=found.ids[row],
        thumbnail=found.thumbnail[row],
        rows={layer: values[row : row + 1] for layer, values in found.rows.items()},
        seen_as=seen_as,
        confidence=confidence,
        own=names.index(plain(seen_as)) if seen_as and plain(seen_as) in names else NOISE,
    )
