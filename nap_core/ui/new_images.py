"""The New images page: which images are asked about. They go through the study's network and stay in this session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import NapError, listed
from nap_core.export import named
from nap_core.inputs.demos import DEMOS
from nap_core.study import Study
from nap_core.study.answers import plain
from nap_core.study.foreign import Foreign, foreign_images, foreign_newcomers
from nap_core.study.new_images import NewImages, left_out, of_classes, run_new_images
from nap_core.types import NOISE, Int
from nap_core.ui.own_network import is_at_hand, network_of, offer_network
from nap_core.ui.resources import show_error
from nap_core.ui.setup_panel import taken_uploads, uploader
from nap_core.ui.visitor import runs_locally, visitor
from nap_core.ui.widgets import show_progress

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet

MOST_HERE, MOST_HOSTED = 5_000, 1_000  # new images at once, at one's own machine and on a server
LARGEST_MB = 200
DEMO_PICTURES = 300
UPLOAD, FOLDER, DEMO, CLASSES = "Upload", "Folder", "A demo's pictures", "Classes left out"


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """New images, and what they are compared with."""

    key: str  # different for different images
    source: str  # where they came from, a phrase
    new: NewImages
    known: NDArray[np.bool_]  # [image] of the study
    image: Int  # [row] numbers in the study, where they are its own, left out; else empty
    is_declared: bool  # whether they are foreign without asking: classes that the network has no answer for
    n_before: int  # how many there were before some were drawn
    found: dict[ClusterConfig, Foreign] = field(default_factory=dict)

    @property
    def is_own(self) -> bool:
        """Whether they are the study's own images, left out."""
        return len(self.image) > 0


def pick_new_images(study: Study) -> Asked | None:
    """Let the reader bring images; return those that are asked about, or None where there are none yet."""
    ways = _ways(study)
    if not ways:
        offer_network(study, "New images would go through")
        return None
    strange = unknown_classes(study)
    default = CLASSES if strange or UPLOAD not in ways else UPLOAD
    way = st.segmented_control(
        "New images", ways, default=default, required=True, key=f"new-way-{study.folder.name}", persist_state="session"
    )
    if way == CLASSES:
        return _left_out(study, strange)
    if not is_at_hand(study):
        offer_network(study, "New images would go through")
        return None
    take: dict[str, Callable[[Study], None]] = {UPLOAD: _take_uploads, FOLDER: _take_folder, DEMO: _take_demo}
    take[str(way)](study)
    return visitor().new_images.get(str(study.folder))


def _ways(study: Study) -> list[str]:
    ways = [UPLOAD, DEMO] if study.about["model"] is not None else []
    if ways and runs_locally():
        ways.insert(1, FOLDER)
    return [*ways, CLASSES] if len(np.unique(study.target[study.target != NOISE])) > 1 else ways


def unknown_classes(study: Study) -> list[str]:
    """Return the study's classes for which the network has no answer; none where it has none for any."""
    answers = {plain(name) for name in study.prediction_names}
    known = _classes(study) if study.class_names else []
    strange = [name for name in known if plain(name) not in answers]
    return strange if answers and len(strange) < len(known) else []


def _classes(study: Study) -> list[str]:
    """Return the names of the classes that images are of; one whose files could not be read has none."""
    numbers = np.unique(study.target[study.target != NOISE]).tolist()
    return [named(number, study.class_names) for number in numbers]


def _left_out(study: Study, strange: list[str]) -> Asked | None:
    names = _classes(study)
    about = "These classes are taken out of the study's images, and asked about as if they were new."
    chosen = st.multiselect("Left out", names, default=strange, key=f"left-out-{study.folder.name}", help=about)
    key = f"{study.folder} {chosen}"
    kept: Asked | None = visitor().new_images.get("left out")
    if kept is not None and kept.key == key:
        return kept
    out = of_classes(study, chosen)
    if not chosen or out.all():
        st.info("Choose one class or more to leave out, and leave some known.")
        return None
    image = np.flatnonzero(out).astype(np.int32)
    asked = Asked(
        key, f"of class {listed(chosen)}", left_out(study, image), ~out, image, set(chosen) <= set(strange), len(image)
    )
    visitor().new_images["left out"] = asked
    return asked


def _take_uploads(study: Study) -> None:
    files = uploader("A zip or many image files", "new-images", accept_multiple_files=True, max_upload_size=LARGEST_MB)
    st.caption(f"At most {_most():,} are looked at. They stay in this session, and the study is not changed.")
    if files and taken_uploads(files, "new-images", lambda paths: _read(study, paths)):
        st.rerun()


def _take_folder(study: Study) -> None:
    folder = st.text_input("Folder, zip, .npz or IDX file", placeholder="~/photos", key="new-folder")
    if st.button("Look at them", disabled=not folder, key="look-at-folder"):
        _tried(lambda: _read(study, [Path(folder).expanduser()]))


def _take_demo(study: Study) -> None:
    from nap_core.inputs.demos import demo_images

    names = [name for name in DEMOS if not str(study.images["source"]).startswith(demo_images(name).source)]
    name = st.selectbox("Demo", names, format_func=lambda name: DEMOS[name].title, key=f"new-demo-{study.folder.name}")
    if st.button(f"Look at {DEMO_PICTURES} of them", key="look-at-demo"):
        _tried(lambda: _run(study, demo_images(name).limited(DEMO_PICTURES)))


def _tried(take: Callable[[], None]) -> None:
    try:
        take()
    except NapError as error:
        show_error(error)
        return
    st.rerun()


def _most() -> int:
    return MOST_HERE if runs_locally() else MOST_HOSTED


def _read(study: Study, paths: list[Path]) -> None:
    from nap_core.inputs.images import load_images

    where = paths[0] if len(paths) == 1 else paths
    unpacked = visitor().folder / "new"
    _run(study, load_images(where, unpacked=unpacked, progress=show_progress("Reading images")))


def _run(study: Study, images: ImageSet) -> None:
    taken = images.limited(_most())
    new = run_new_images(study, network_of(study), taken, progress=show_progress("Through the network"))
    known, none = np.ones(study.n_images, bool), np.empty(0, np.int32)
    # Those of one study at a time: with their activations they are the largest thing that a session holds.
    visitor().new_images = {
        str(study.folder): Asked(taken.fingerprint, f"from {images.source}", new, known, none, False, len(images))
    }


def how_foreign(study: Study, asked: Asked, config: ClusterConfig) -> Foreign:
    """Return how foreign the images are, worked out once with progress."""
    if config not in asked.found:
        space = st.empty()
        with space.container():
            show = show_progress("Scores, layer by layer")
            asked.found[config] = (
                foreign_images(study, asked.known, config, show)
                if asked.is_own
                else foreign_newcomers(study, asked.new, asked.known, config, show)
            )
        space.empty()
    return asked.found[config]
