"""The Setup page: which model, which images, or something made before."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from nap_core.errors import InputError, NapError
from nap_core.inputs.datasets import DATASETS
from nap_core.inputs.demos import DEMOS
from nap_core.inputs.zoo import MODELS
from nap_core.store import cache_folder
from nap_core.ui.gallery import html_pictures
from nap_core.ui.resources import new_folder, open_study, runs_locally, show_error
from nap_core.ui.widgets import show_progress

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

NETWORK, IMAGES = "own-network", "own-images"
WEIGHTS = ("safetensors", "pth", "pt", "bin", "ckpt", "th")


def own_network() -> Network | None:
    """Return the model that this visitor chose."""
    return st.session_state.get(NETWORK)


def own_images() -> ImageSet | None:
    """Return the images that this visitor chose."""
    return st.session_state.get(IMAGES)


def _kept(files: Sequence[Any]) -> list[Path]:
    """Write uploads to a temporary folder, by their bare names; the bytes leave memory with the uploader's reset."""
    folder = Path(tempfile.mkdtemp(prefix="nap-upload-"))
    paths = []
    for number, file in enumerate(files):
        path = folder / str(number) / Path(file.name).name
        path.parent.mkdir()
        with path.open("wb") as out:
            shutil.copyfileobj(file, out)
        paths.append(path)
    return paths


def _uploader(label: str, name: str, **options: Any) -> Any:
    """Show an uploader that is empty again after `_reset`."""
    return st.file_uploader(label, key=f"{name}-{st.session_state.get(f'{name}-turn', 0)}", **options)


def _reset(name: str) -> None:
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
    file = _uploader("Weights file", "weights", type=WEIGHTS, max_upload_size=1000)
    name = st.selectbox("Architecture", ["", *MODELS], format_func=lambda n: n or "recognise it from the weights")
    st.caption("A state_dict as .safetensors, or .pth/.pt written by torch.save. Nothing in the file is ever run.")
    if file is not None:
        path = _kept([file])[0]
        _reset("weights")
        if _load_model(name or None, path, uploaded=True):
            st.rerun()


def _load_model(name: str | None, weights: Path | str | None, *, uploaded: bool = False) -> bool:
    from nap_core.inputs.models import load_model

    try:
        with st.spinner("Reading the model"):
            st.session_state[NETWORK] = load_model(name, weights, uploaded=uploaded)
    except NapError as error:
        show_error(error)
        return False
    finally:
        if uploaded and isinstance(weights, Path):
            shutil.rmtree(weights.parent.parent, ignore_errors=True)
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
        files = _uploader("A zip, many image files, an .npz, or IDX files", "images", accept_multiple_files=True)
        st.caption("In a zip, the first folder level is taken as the class. Classes are optional.")
        if files:
            paths = _kept(files)
            _reset("images")
            if _load_images(paths[0] if len(paths) == 1 else paths):
                st.rerun()
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

            st.session_state[IMAGES] = demo_images(name)


def _choose_dataset() -> None:
    from nap_core.inputs.datasets import load_dataset

    name = st.selectbox("Data set", list(DATASETS), format_func=lambda n: f"{DATASETS[n].title} ({DATASETS[n].size})")
    if st.button("Read the images", help="Downloaded by torchvision where it is not on this machine yet."):
        try:
            with st.spinner("Reading the images"):
                st.session_state[IMAGES] = load_dataset(name, cache_folder() / "datasets", download=True)
        except NapError as error:
            show_error(error)


def _load_images(path: Path | list[Path]) -> bool:
    from nap_core.inputs.images import load_images

    try:
        st.session_state[IMAGES] = load_images(path, progress=show_progress("Reading images"))
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


def open_other() -> None:
    """Open a demo, a study made before (locally), or activations made elsewhere."""
    for name, demo in DEMOS.items():
        if st.button(f"Open the demo “{demo.title}”", key=f"demo-{name}"):
            open_study(name)
            st.switch_page("pages/overview.py")
    if runs_locally():
        folder = st.text_input("Folder of a study", placeholder="the folder given as --study")
        if st.button("Open this study", disabled=not folder):
            open_study(Path(folder).expanduser())
            st.switch_page("pages/overview.py")
    file = _uploader("Activations made elsewhere (.npz)", "activations", type=("npz",))
    st.caption("One array [image, feature] per layer; `ids` and `targets` are optional.")
    if file is not None:
        _import_activations(_kept([file])[0])


def _import_activations(path: Path) -> None:
    from nap_core.activations.imported import read_activations
    from nap_core.study import Study

    _reset("activations")
    try:
        found = read_activations(path)
        study = Study.from_activations(
            new_folder(), found.layers, ids=found.ids, targets=found.targets, title=path.stem
        )
        if problems := study.cluster(progress=show_progress("Grouping layers")):
            raise InputError(" ".join(problems.values()))
    except NapError as error:
        show_error(error)
        return
    open_study(study.folder)
    st.switch_page("pages/overview.py")
