"""New pictures of this visitor: put through the study's network, kept in this session, never part of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from nap_core.errors import NapError
from nap_core.export import named
from nap_core.inputs.image_set import Skipped
from nap_core.study import Study
from nap_core.study.answers import plain
from nap_core.study.new_images import NewImages, run_new_images
from nap_core.types import NOISE, Float
from nap_core.ui.image_words import quoted
from nap_core.ui.own_network import is_at_hand, network_of, offer_network
from nap_core.ui.resources import show_error
from nap_core.ui.visitor import visitor
from nap_core.ui.widgets import show_progress

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
    if study.about["model"] is not None and is_at_hand(study):
        return _take_files(study)
    offer_network(study, "A new picture would go through")
    return None


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
        found = run_new_images(study, network_of(study), images, progress=show_progress("Through the network"))
    except NapError as error:
        show_error(error)
        return None
    reason = f"at most {MOST_AT_ONCE} pictures are followed at once"
    st.session_state[_TOLD] = [*images.skipped, *(Skipped(file.name, reason) for file in late)]
    return _kept(study, found, range(len(found.ids)))


def _kept(study: Study, found: NewImages, rows: Sequence[int]) -> int:
    """Keep some of the pictures for the Image page; return the number of the first."""
    first = int(st.session_state.get(_COUNT, 0))
    st.session_state[_COUNT] = first + len(rows)  # empties the uploader, too: its key has the count in it
    fresh = {first + place: _upload(study, found, row) for place, row in enumerate(rows)}
    kept = list((uploads(study) | fresh).items())[-MOST_KEPT:]
    visitor().uploads[str(study.folder)] = dict(kept)
    return first


def follow_later(study: Study, found: NewImages, row: int) -> int:
    """Give a picture that went through the network already to the Image page; return its number there."""
    return _kept(study, found, [row])


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
