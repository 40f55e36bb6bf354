"""The Setup page: which model, which images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from nap_core.errors import NapError
from nap_core.inputs.datasets import DATASETS
from nap_core.inputs.demos import DEMOS
from nap_core.inputs.zoo import MODELS
from nap_core.store import cache_folder
from nap_core.ui.gallery import html_pictures
from nap_core.ui.resources import show_error
from nap_core.ui.visitor import runs_locally, visitor
from nap_core.ui.widgets import show_progress

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

WEIGHTS = ("safetensors", "pth", "pt", "bin", "ckpt", "th")


def own_network() -> Network | None:
    """Return the model that this visitor chose."""
    return visitor().network


def own_images() -> ImageSet | None:
    """Return the images that this visitor chose."""
    return visitor().images


def kept_uploads(files: Sequence[Any], kind: str) -> list[Path]:
    """Write uploads to the visitor's folder, by their bare names; the bytes leave memory with the uploader's reset."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=visitor().folder))
    paths = []
    for number, file in enumerate(files):
        path = folder / str(number) / Path(file.name).name
        path.parent.mkdir()
        with path.open("wb") as out:
            shutil.copyfileobj(file, out)
        paths.append(path)
    return paths


def forget_uploads(paths: Sequence[Path]) -> None:
    """Remove what `kept_uploads` wrote."""
    shutil.rmtree(paths[0].parent.parent, ignore_errors=True)


def uploader(label: str, name: str, **options: Any) -> Any:
    """Show an uploader that is empty again after `reset_uploader`."""
    return st.file_uploader(label, key=f"{name}-{st.session_state.get(f'{name}-turn', 0)}", **options)


def reset_uploader(name: str) -> None:
    """Let the uploader be empty on the next run."""
    st.session_state[f"{name}-turn"] = st.session_state.get(f"{name}-turn", 0) + 1


def choose_model() -> None:
    """Let the visitor choose a model: a demo's, a published one, or own weights."""
    ways = ("Own weights", "Published", "Demo")
    way = st.segmented_control("Model", ways, default=ways[0], required=True, key="model-way", persist_state="session")
    if way == ways[0]:
        _own_weights()
    elif way == ways[1]:
        name = st.selectbox("Architecture", list(MODELS), format_func=lambda n: f"{MODELS[n].title} ({n})")
        published = [weights.name for weights in MODELS[name].weights]
        weights = st.selectbox("Weights", published, help="Downloaded by torchvision, once.")
        if st.button("Load this model"):
            _load_model(name, weights)
    else:
        name = st.selectbox("Demo", ("shapes", "shapes_clean", "digits"))
        if st.button("Load this model"):
            _load_model(name, None)


def _own_weights() -> None:
    file = uploader("Weights file", "weights", type=WEIGHTS, max_upload_size=1000)
    name = st.selectbox("Architecture", ["", *MODELS], format_func=lambda n: n or "recognise it from the weights")
    st.caption("A state_dict as .safetensors, or .pth/.pt written by torch.save. Nothing in the file is ever run.")
    if file is not None:
        paths = kept_uploads([file], "weights")
        reset_uploader("weights")
        try:
            if _load_model(name or None, paths[0], uploaded=True):
                st.rerun()
        finally:
            forget_uploads(paths)


def _load_model(name: str | None, weights: Path | str | None, *, uploaded: bool = False) -> bool:
    from nap_core.inputs.models import load_model

    try:
        with st.spinner("Reading the model"):
            visitor().take_network(load_model(name, weights, uploaded=uploaded))
    except NapError as error:
        show_error(error)
        return False
    return True


def choose_images() -> None:
    """Let the visitor choose images: uploads, a folder, a data set, a demo's."""
    ways = ["Upload", "Data set", "Demo"]
    if runs_locally():
        ways.insert(1, "Folder")
    way = st.segmented_control(
        "Images", ways, default=ways[0], required=True, key="images-way", persist_state="session"
    )
    if way == "Upload":
        files = uploader("A zip, many image files, an .npz, or IDX files", "images", accept_multiple_files=True)
        st.caption("In a zip, the first folder level is taken as the class. Classes are optional.")
        if files:
            paths = kept_uploads(files, "images")
            reset_uploader("images")
            if _load_images(paths[0] if len(paths) == 1 else paths, unpacked=paths[0].parent.parent):
                st.rerun()
            forget_uploads(paths)
    elif way == "Folder":
        folder = st.text_input("Folder, zip, .npz or IDX file", placeholder="~/photos")
        if st.button("Read the images", disabled=not folder):
            _load_images(Path(folder).expanduser())
    elif way == "Data set":
        _choose_dataset()
    else:
        name = st.selectbox("Demo", list(DEMOS), key="demo-images")
        if st.button("Read the images"):
            from nap_core.inputs.demos import demo_images

            visitor().take_images(demo_images(name))


def _choose_dataset() -> None:
    from nap_core.inputs.datasets import load_dataset

    name = st.selectbox("Data set", list(DATASETS), format_func=lambda n: f"{DATASETS[n].title} ({DATASETS[n].size})")
    if st.button("Read the images", help="Downloaded by torchvision where it is not on this machine yet."):
        try:
            with st.spinner("Reading the images"):
                visitor().take_images(load_dataset(name, cache_folder() / "datasets", download=True))
        except NapError as error:
            show_error(error)


def _load_images(path: Path | list[Path], unpacked: Path | None = None) -> bool:
    from nap_core.inputs.images import load_images

    try:
        visitor().take_images(load_images(path, unpacked=unpacked, progress=show_progress("Reading images")))
    except NapError as error:
        show_error(error)
        return False
    return True


def tell_model(network: Network | None) -> None:
    """Say which model is loaded."""
    if network is None:
        st.info("No model yet. Give its weights, or take a published one.")
        return
    classes = f"{len(network.class_names):,} classes with names" if network.class_names else "classes without names"
    st.success(f"Model: {network.name}, {classes}. {network.source}")


def tell_images(images: ImageSet | None) -> None:
    """Say which images are read, show some, and list what was left out with its reason."""
    if images is None:
        st.info("No images yet. A few hundred are enough for a first look.")
        return
    classes = f"{len(images.class_names):,} classes" if images.class_names else "no classes"
    st.success(f"Images: {len(images):,}, {classes}. {images.source}")
    html_pictures(images, range(0, len(images), max(1, len(images) // 12)))
    if images.skipped:
        with st.expander(f"{len(images.skipped)} files were left out"):
            st.dataframe([{"file": s.name, "reason": s.reason} for s in images.skipped], hide_index=True)
