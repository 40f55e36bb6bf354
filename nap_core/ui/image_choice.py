"""Which picture the Image page follows: one of the study, searched or walked to, or one of the visitor's own."""

from __future__ import annotations

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.study.image import class_departures, telling_image
from nap_core.types import Int
from nap_core.ui.grid import paged_pictures
from nap_core.ui.image_words import quoted
from nap_core.ui.selection import selected
from nap_core.ui.uploads import Upload, upload_panel, uploads

STUDY, OWN = "an image of the study", "a picture of your own"
_LAST = "followed-image"
EVERY, PICKED, WRONG, LEAVING = "all images", "selected", "misclassified", "leaving their class"


def pick_side(study: Study) -> str:
    """Let the reader choose between an image of the study and an own one; the address says which."""
    side = OWN if "upload" in st.query_params else STUDY

    def change() -> None:
        _address(upload=str(max(uploads(study), default="new")) if side == STUDY else None)

    st.segmented_control(
        "Follow",
        (STUDY, OWN),
        default=side,
        required=True,
        key=f"side-{side}",
        on_change=change,
        label_visibility="collapsed",
    )
    return side


def _address(image: str | None = None, upload: str | None = None) -> None:
    """Name one picture, and no other, in the address."""
    for name, value in (("image", image), ("upload", upload)):
        if value is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != value:
            st.query_params[name] = value


def pick_image(study: Study, config: ClusterConfig) -> int:
    """Let the reader search an image or walk from one to the next; the address names it."""
    last = st.session_state.setdefault(_LAST, {})
    asked = st.query_params.get("image", last.get(str(study.folder)))
    if asked is not None and asked not in study.ids:
        st.warning(f"The study has no image {quoted(asked)}. Search for it, or follow the one below.")
    image = study.ids.index(asked) if asked in study.ids else telling_image(study, config)
    last[str(study.folder)] = study.ids[image]
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    word = left.text_input("Search", placeholder="file name or class", key="find-image", persist_state="session")
    sets = _sets(study, config)
    among = middle.selectbox(
        "Walk through",
        list(sets),
        format_func=lambda name: f"{name} ({len(sets[name]):,})",
        key="walk-through",
        persist_state="session",
        help="Previous and Next stay among these images, and among those that the search finds.",
    )
    walk = _found(study, sets[str(among)], word.strip())
    with right, st.container(horizontal=True):
        _step(study, "Previous", walk[walk < image][-1:], "Left")
        _step(study, "Next", walk[walk > image][:1], "Right")
    _address(image=study.ids[image])
    if word.strip():
        _tell_found(study, walk, word.strip())
    return image


def _sets(study: Study, config: ClusterConfig) -> dict[str, Int]:
    """Return name → images of the sets that can be walked through; only what there is."""
    left, _ = class_departures(study, config)
    sets: dict[str, Int] = {
        EVERY: np.arange(study.n_images, dtype=np.int32),
        PICKED: selected(study),
        WRONG: np.flatnonzero(misclassified(study)).astype(np.int32),
        LEAVING: np.flatnonzero(left >= 0).astype(np.int32),
    }
    return {name: images for name, images in sets.items() if len(images)}


def _found(study: Study, images: Int, word: str) -> Int:
    """Return those of `images` whose file name or class has `word` in it."""
    if not word:
        return images
    classes = [number for number, name in enumerate(study.class_names) if word.lower() in name.lower()]
    fits = np.isin(study.target, classes)
    fits |= np.fromiter((word.lower() in name.lower() for name in study.ids), bool, study.n_images)
    return images[fits[images]]


def _step(study: Study, label: str, to: Int, shortcut: str) -> None:
    name = study.ids[int(to[0])] if len(to) else None
    st.button(label, key=label, disabled=name is None, on_click=_address, args=(name,), shortcut=shortcut)


def _tell_found(study: Study, found: Int, word: str) -> None:
    if not len(found):
        st.info(f"No image here has {quoted(word)} in its name or class. Try another word, or walk through all images.")
        return
    n = "1 image has" if len(found) == 1 else f"{len(found):,} images have"
    st.caption(f"{n} {quoted(word)} in name or class; click to follow.")
    paged_pictures(study, found.tolist(), key=f"found-{word}", size=56, per_page=15)


def pick_upload(study: Study) -> Upload | None:
    """Take new pictures of the visitor, or one given before; None where there is none to follow."""
    fresh = upload_panel(study)
    if fresh is not None:
        _address(upload=str(fresh))
        st.rerun()  # with an empty uploader, and without the progress
    kept = uploads(study)
    asked = st.query_params.get("upload", "")
    chosen = int(asked) if asked.isdigit() and int(asked) in kept else max(kept, default=None)
    if asked.isdigit() and int(asked) not in kept:
        st.info("The address names a picture that was uploaded in another session; uploads are not kept longer.")
    if len(kept) > 1:
        chosen = st.pills(
            "Your pictures",
            list(kept),
            default=chosen,
            format_func=lambda number: kept[number].name,
            required=True,
            key=f"uploads-{max(kept)}",
        )
    if chosen is None:
        return None
    _address(upload=str(chosen))
    return kept[chosen]
