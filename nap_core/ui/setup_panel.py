"""The Setup page: which model, which images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from nap_core.errors import NapError, counted
from nap_core.inputs.datasets import DATASETS
from nap_core.inputs.demos import DEMOS
from nap_core.inputs.published import fetched_images, fetched_network
from nap_core.inputs.trusted import SWITCH, is_trusting
from nap_core.inputs.zoo import MODELS
from nap_core.store import cache_folder
from nap_core.types import NOISE
from nap_core.ui.gallery import html_pictures
from nap_core.ui.resources import show_error
from nap_core.ui.visitor import runs_locally, visitor
from nap_core.ui.widgets import show_progress, size_words

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

MOST_MEGABYTES = 1000  # of a data set that a visitor may have a server download
WEIGHTS = ("safetensors", "pth", "pt", "bin", "ckpt", "th")


def own_network() -> Network | None:
    """Return the model that this visitor chose."""
    return visitor().network


def own_images() -> ImageSet | None:
    """Return the images that this visitor chose."""
    return visitor().images


def taken_uploads(files: Sequence[Any], name: str, use: Callable[[list[Path]], Any], *, stay: bool = False) -> bool:
    """Hand uploads to `use` as files, by their bare names, and empty the uploader `name`; say whether all went well.

    An error of `use` is shown. Where Streamlit interrupts it, since something else was clicked, the uploader stays as
    it is, and the next run reads it again. The files are gone at the end, unless they `stay` for what was read of them.
    """
    folder, is_needed = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=visitor().folder)), False
    try:
        with _meanwhile():
            use([_written(file, folder / str(number)) for number, file in enumerate(files)])
        is_needed = stay
    except NapError as error:
        show_error(error)
        reset_uploader(name)
        return False
    finally:
        if not is_needed:
            shutil.rmtree(folder, ignore_errors=True)
    reset_uploader(name)
    visitor().drop_uploads(files)
    return True


@contextmanager
def _meanwhile() -> Iterator[None]:
    """Show what is drawn in here, such as progress, only as long as it lasts."""
    space = st.empty()
    try:
        with space.container():
            yield
    finally:
        space.empty()


def _written(file: Any, folder: Path) -> Path:
    folder.mkdir()
    path = folder / Path(file.name).name
    with path.open("wb") as out:
        shutil.copyfileobj(file, out)
    return path


def uploader(label: str, name: str, **options: Any) -> Any:
    """Show an uploader that is empty again after `reset_uploader`."""
    return st.file_uploader(label, key=f"{name}-{st.session_state.get(f'{name}-turn', 0)}", **options)


def reset_uploader(name: str) -> None:
    """Let the uploader be empty on the next run."""
    st.session_state[f"{name}-turn"] = st.session_state.get(f"{name}-turn", 0) + 1


def choose_model() -> None:
    """Let the visitor choose a model: a demo's, a published one, or own weights."""
    ways = ["Own weights", "Published", "Demo"]
    if runs_locally():
        ways.insert(1, "Own code")
    way = st.segmented_control("Model", ways, default=ways[0], required=True, key="model-way", persist_state="session")
    if way == ways[0]:
        _own_weights()
    elif way == "Own code":
        _own_code()
    elif way == "Published":
        name = st.selectbox("Architecture", list(MODELS), format_func=lambda n: f"{MODELS[n].title} ({n})")
        sizes = {weights.name: size_words(weights.size) for weights in MODELS[name].weights}
        weights = st.selectbox("Weights", list(sizes), format_func=lambda weights: f"{weights} ({sizes[weights]})")
        st.caption("Downloaded by torchvision where they are not on this machine yet.")
        if st.button("Load this model"):
            _shown(lambda: _load_published(name, weights))
    else:
        name = st.selectbox("Demo", ("shapes", "shapes_clean", "digits"))
        if st.button("Load this model"):
            _shown(lambda: _load_model(name, None))


def _own_weights() -> None:
    file = uploader("Weights file", "weights", type=WEIGHTS, max_upload_size=1000)
    name = st.selectbox("Architecture", ["", *MODELS], format_func=lambda n: n or "recognise it from the weights")
    st.caption("A state_dict as .safetensors, or .pth/.pt written by torch.save. Nothing in the file is ever run.")
    if file is not None:  # no rerun: it would take the other uploader off the page while somebody chooses a file for it
        taken_uploads([file], "weights", lambda paths: _load_model(name or None, paths[0], uploaded=True))


def _own_code() -> None:
    name = st.text_input("Function that returns the network", placeholder="~/project/model.py:make_model")
    weights = st.text_input("Weights file, where the function loads none", placeholder="~/project/weights.safetensors")
    st.caption("Any nn.Module, or what nap_core.network(module, preprocessing) returns. Opening it runs the file.")
    if not is_trusting(uploaded=False):
        st.caption("It works where whoever starts the app has said so:")
        st.code(f"{SWITCH}=1 streamlit run app.py", language="bash")
    if st.button("Load this model", disabled=not name):
        given = Path(weights).expanduser() if weights else None
        _shown(lambda: _load_model(str(Path(name).expanduser()), given))


def _load_model(name: str | None, weights: Path | str | None, *, uploaded: bool = False) -> None:
    from nap_core.inputs.models import load_model

    with st.spinner("Reading the model"):
        visitor().take_network(load_model(name, weights, uploaded=uploaded))


def _load_published(name: str, weights: str) -> None:
    with st.spinner("Reading the model"):
        visitor().take_network(fetched_network(name, weights, show_progress("Weights", size_words)))


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
            taken_uploads(files, "images", _load_uploads, stay=True)
    elif way == "Folder":
        folder = st.text_input("Folder, zip, .npz or IDX file", placeholder="~/photos")
        if st.button("Read the images", disabled=not folder):
            _shown(lambda: _load_images(Path(folder).expanduser()))
    elif way == "Data set":
        _choose_dataset()
    else:
        name = st.selectbox("Demo", list(DEMOS), key="demo-images")
        if st.button("Read the images"):
            from nap_core.inputs.demos import demo_images

            visitor().take_images(demo_images(name))


def _choose_dataset() -> None:
    sets = [name for name, about in DATASETS.items() if runs_locally() or about.megabytes <= MOST_MEGABYTES]
    name = st.selectbox("Data set", sets, format_func=lambda n: f"{n}: {DATASETS[n].title} ({DATASETS[n].size})")
    st.caption("Downloaded by torchvision where it is not on this machine yet.")
    if st.button("Read the images"):
        _shown(lambda: _load_dataset(name))


def _load_dataset(name: str) -> None:
    root, fetching = cache_folder() / "datasets", show_progress("Download and unpacking", size_words)
    visitor().take_images(fetched_images(name, root, fetching, show_progress("Reading images")))


def _load_uploads(paths: list[Path]) -> None:
    _load_images(paths[0] if len(paths) == 1 else paths, unpacked=paths[0].parent.parent)


def _load_images(path: Path | list[Path], unpacked: Path | None = None) -> None:
    from nap_core.inputs.images import load_images

    visitor().take_images(load_images(path, unpacked=unpacked, progress=show_progress("Reading images")))


def _shown(read: Callable[[], None]) -> None:
    """Read something; an error is shown as its sentence."""
    try:
        with _meanwhile():
            read()
    except NapError as error:
        show_error(error)


def tell_model(network: Network | None) -> None:
    """Say which model is loaded."""
    if network is None:
        st.info("No model yet. Give its weights, or take a published one.")
        return
    classes = f"{len(network.class_names):,} classes with names" if network.class_names else "classes without names"
    st.success(f"Model: {network.name}, {classes}; {network.source}")


def tell_images(images: ImageSet | None) -> None:
    """Say which images are read, show some, and list what was left out with its reason."""
    if images is None:
        st.info("No images yet. A few hundred are enough for a first look.")
        return
    there = set(images.target.tolist()) - {NOISE}  # a class of which no file could be read has a name all the same
    classes = counted(len(there), "class") if there else "no classes"
    st.success(f"Images: {len(images):,}, {classes}; {images.source}")
    html_pictures(images, range(0, len(images), max(1, -(-len(images) // 12))))
    if images.skipped:
        were = "was" if len(images.skipped) == 1 else "were"
        with st.expander(f"{counted(len(images.skipped), 'file')} {were} left out"):
            st.dataframe([{"file": s.name, "reason": s.reason} for s in images.skipped], hide_index=True)
