"""The Image page: one picture with its way in words, layer by layer, and the images that go the same way."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.export import named, predicted
from nap_core.study import Study
from nap_core.study.image import (
    image_path,
    layers_with_patterns,
    neighbours,
    newcomer_path,
    newcomers,
    same_departure,
    shared_layers,
)
from nap_core.types import NOISE, Float, Int
from nap_core.ui.gallery import is_wrong, picture_data
from nap_core.ui.grid import paged_pictures
from nap_core.ui.image_path import Followed, path_strip
from nap_core.ui.image_words import companies, lead, leaving, quoted, way
from nap_core.ui.selection import change_selection, selected
from nap_core.ui.uploads import Upload

NEAREST = 6  # images shown in every layer
PICTURE = """<img src="{source}" alt="{name}" title="{name}" style="width:clamp(96px,25vw,144px);
 aspect-ratio:1;object-fit:contain;border-radius:4px;display:block">"""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is followed, and how it is told."""

    name: str
    said: str  # what is known of it, Markdown
    source: str  # address of its picture; nothing where there is none
    followed: Followed


def study_subject(study: Study, image: int, config: ClusterConfig) -> Subject:
    """Return an image of the study with its way through the layers."""
    near, distance = _near(str(study.folder), image, repr(config), study, config)
    steps = image_path(study, image, config)
    followed = Followed(f"image-{image}", image, int(study.target[image]), steps, near, distance)
    source = str(picture_data(study, image)["source"])
    return Subject(study.ids[image], _said(study, image), source, followed)


@st.cache_data(show_spinner=False, max_entries=512)
def _near(
    folder: str, image: int, clustering: str, _study: Study, _config: ClusterConfig
) -> tuple[list[Int], list[Float]]:
    found = [neighbours(_study, layer, image, NEAREST, _config) for layer in layers_with_patterns(_study)]
    return [near for near, _ in found], [distance for _, distance in found]


def _said(study: Study, image: int) -> str:
    target, answer = named(int(study.target[image]), study.class_names), predicted(study, image)
    told = [f"Class {quoted(target)}"] if target else []
    if answer:
        verb = "misclassified as" if is_wrong(study, image) else "seen as"
        assert study.predictions is not None
        told.append(f"{verb} {quoted(answer)} ({study.predictions.confidence[image]:.2f})")
    said = ", ".join(told)
    return said[:1].upper() + said[1:]


def upload_subject(study: Study, upload: Upload, config: ClusterConfig) -> Subject:
    """Return a visitor's own picture with its way through the layers."""
    placed = newcomers(study, upload.rows, config, NEAREST)
    followed = Followed(
        "upload",
        None,
        upload.own,
        newcomer_path(study, placed, 0, upload.own, config),
        [there.near[0] for there in placed],
        [there.near_distance[0] for there in placed],
    )
    said = f"Your picture, seen as {quoted(upload.seen_as)} ({upload.confidence:.2f})" if upload.seen_as else ""
    source = f"data:image/jpeg;base64,{base64.b64encode(upload.thumbnail).decode()}"
    return Subject(upload.name, said or "Your picture", source, followed)


def show_subject(study: Study, subject: Subject, config: ClusterConfig) -> None:
    """Show a picture, its way in words, and the row of layers."""
    followed = subject.followed
    with st.container(horizontal=True, gap="medium", key="subject"):
        if subject.source:
            st.html(PICTURE.format(source=subject.source, name=html.escape(subject.name, quote=True)), width="content")
        with st.container(gap="small"):
            st.html(f"<h3 style='margin:0;padding:0;overflow-wrap:anywhere'>{html.escape(subject.name)}</h3>")
            told = (followed.steps, followed.own, study.class_names, followed.image is None)
            st.markdown(f"{subject.said}  \n**{lead(*told)}**  \n{way(*told)}")
            if followed.image is not None:
                _select_it(study, followed.image)
    path_strip(study, followed, config)
    if followed.own != NOISE:
        st.caption(
            "The line is blue where it is with its class, red among another, grey where classes mix, dashed where it "
            "is in no pattern. A picture's lower edge has its pattern's colour."
        )


def _select_it(study: Study, image: int) -> None:
    is_in = image in selected(study)
    label, change = ("Take it out of the selection", "remove") if is_in else ("Select it", "add")
    icon = ":material/check_circle:" if is_in else ":material/radio_button_unchecked:"
    st.button(
        label,
        key="select-it",
        type="tertiary",
        icon=icon,
        on_click=change_selection,
        args=(study,),
        kwargs={change: [image]},
    )


def show_company(study: Study, subject: Subject, config: ClusterConfig) -> None:
    """Show the images of the study that leave the same class in the same layer for the same other one."""
    followed = subject.followed
    if followed.image is None:
        return
    alike = same_departure(study, followed.image, config)
    if len(alike) < 2:
        return
    there = leaving(followed.steps, followed.own)[0]
    own, other = (named(c, study.class_names) for c in (followed.own, companies(followed.steps)[there]))
    st.markdown(
        f"##### {len(alike):,} images leave {quoted(own)} in `{followed.steps[there].layer}` for {quoted(other)}"
    )
    paged_pictures(study, alike.tolist(), key=f"alike-{followed.image}")


def show_fellows(study: Study, subject: Subject, config: ClusterConfig) -> None:
    """Show the images of the study that are in the picture's patterns in more layers than any others are."""
    followed = subject.followed
    shared = shared_layers(study, followed.steps, config)
    if followed.image is not None:
        shared[followed.image] = 0
    most = int(shared.max(initial=0))
    if not most:
        return
    fellows = np.flatnonzero(shared == most)
    inside = sum(step.label != NOISE for step in followed.steps)
    n, go = f"{len(fellows):,} {'image' if len(fellows) == 1 else 'images'}", "goes" if len(fellows) == 1 else "go"
    where = f"in all {inside}" if most == inside else f"in {most} of the {inside}"
    st.markdown(
        f"##### {n} {go} with it {where} layers that have a pattern for it",
        help="They are in the same pattern as this picture in more layers than any other image is.",
    )
    paged_pictures(study, fellows.tolist(), key=f"fellows-{followed.key}")


def nothing_followed(study: Study) -> None:
    """Say what will be here once a picture is given."""
    if study.about["model"] is not None:
        st.caption(
            "Here your picture appears with its pattern in every layer and its nearest images. The study stays as it "
            "is: your picture joins no pattern, and nobody else sees it."
        )
