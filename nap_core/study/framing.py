"""A study's pictures as its network sees them: from their files, or from the thumbnails that every study carries.

A thumbnail has lost what is fine, and layers that answer to texture see another picture in it; so the files are read
while they are there, and a demo's pictures are drawn again. A study on another machine has neither, and its thumbnails
must do. Small pictures were enlarged by a whole factor
when the thumbnails were made; whether and by how much is found by asking the network: the framing whose activations
agree best with those that the study holds is the right one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.pooling import pooled
from nap_core.errors import StudyError
from nap_core.explain.canvas import Canvas, canvas
from nap_core.explain.reading import reading
from nap_core.inputs.demos import demo_images, demo_of_images
from nap_core.inputs.pictures import read_picture
from nap_core.keys import digest
from nap_core.study.folder import THUMBNAIL
from nap_core.study.own_network import check_network
from nap_core.study.study import Study
from nap_core.types import Float

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from nap_core.inputs.models import Network

FRAMING_VERSION = 1  # raised when the meaning of a stored framing changes
_ASKED = 8  # pictures that the network is asked about
_EXAMPLES = 64  # pictures that tell the range of an unknown preprocessing


def framed_pictures(study: Study, network: Network, images: NDArray[Any]) -> Float:
    """Return [image, channel, …] in [0, 1]: pictures of the study as the network's preprocessing frames them."""
    there = study_canvas(study, network)
    found: Float = there.pictures(_inputs(network, _pictures(study, network, images))).numpy()
    return found


def source_of_pictures(study: Study) -> str:
    """Return where a study's pictures are had from: "files", "demo" or "thumbnails"; part of the key of what they make.

    Files count while all of some images, evenly taken, are there.
    """
    if demo_of_images(study.images["source"], study.images["fingerprint"]):
        return "demo"
    some = np.linspace(0, study.n_images - 1, min(_EXAMPLES, study.n_images)).astype(int)
    return "files" if all(study.file(int(image)) for image in some) else "thumbnails"


def _pictures(study: Study, network: Network, images: NDArray[Any]) -> Iterator[Image.Image]:
    source = source_of_pictures(study)
    if source == "demo":
        demo = demo_images(demo_of_images(study.images["source"], study.images["fingerprint"]))
        yield from (demo.picture(int(image)) for image in images)
        return
    factor = _factor(study, network)
    for image in images:
        file = study.file(int(image)) if source == "files" else None
        yield read_picture(file) if file else _thumbnail(study, int(image)).reduce(factor)


def study_canvas(study: Study, network: Network) -> Canvas:
    """Return the canvas of a study's network.

    Raises
    ------
    StudyError
        If it is not the study's network, or the study has no pictures.
    """
    check_network(study, network)
    if not study.has_pictures:
        raise StudyError("This study holds activations without pictures, so nothing can be drawn for it.")

    def measured() -> dict[str, NDArray[Any]]:
        some = np.linspace(0, study.n_images - 1, min(_EXAMPLES, study.n_images)).astype(int)
        found = canvas(network, _inputs(network, _pictures(study, network, some)))
        return {"shape": np.array(found.shape), "low": found.low, "high": found.high}

    arrays = study.store.compute(_key(study, network, "canvas"), measured, kind="canvas").arrays
    return Canvas(tuple(int(side) for side in arrays["shape"]), arrays["low"], arrays["high"])


def _inputs(network: Network, pictures: Iterable[Image.Image]) -> Tensor:
    import torch

    return torch.stack([network.preprocessing(picture) for picture in pictures])


def _thumbnail(study: Study, image: int) -> Image.Image:
    from PIL import Image

    return Image.open(io.BytesIO(study.thumbnail(image))).convert("RGB")


def _factor(study: Study, network: Network) -> int:
    """Return by how much the thumbnails are larger than the pictures were."""
    key = _key(study, network, "framing")
    entry = study.store.compute(key, lambda: {"factor": np.array(_best_factor(study, network))}, kind="framing")
    return int(entry.arrays["factor"])


def _key(study: Study, network: Network, kind: str) -> str:
    return digest(
        kind,
        activations=study.activations_key(study.layer_names[0]),
        preprocessing=network.preprocessing.key,
        source=source_of_pictures(study),
        version=FRAMING_VERSION,
    )


def _best_factor(study: Study, network: Network) -> int:
    some = np.linspace(0, study.n_images - 1, min(_ASKED, study.n_images)).astype(int)
    sizes = {_thumbnail(study, int(image)).size for image in some}
    possible = [1, *(_factors(*sizes.pop()) if len(sizes) == 1 else ())]
    if len(possible) == 1:
        return 1
    best: int = min(possible, key=lambda factor: _disagreement(study, network, some, factor))
    return best


def _factors(width: int, height: int) -> list[int]:
    """Return the factors by which a thumbnail of this size may have been enlarged."""
    whole = [factor for factor in range(2, max(width, height) + 1) if width % factor == height % factor == 0]
    return [factor for factor in whole if THUMBNAIL // (max(width, height) // factor) == factor]


def _disagreement(study: Study, network: Network, images: NDArray[Any], factor: int) -> float:
    """Return how far the first layer's answers are from those the study holds; infinite where it takes no such size."""
    import torch

    layer = study.layers[0]
    try:
        inputs = _inputs(network, (_thumbnail(study, int(image)).reduce(factor) for image in images))
        there = canvas(network, inputs)
        with reading(network, [layer.name], there) as read, torch.no_grad():
            raw = read(there.pictures(inputs)).raw[layer.name]
    except (RuntimeError, ValueError):  # what torch and its modules raise for a size they do not take
        return float("inf")
    values = pooled(raw, layer.kind, study.about["pooling"]).cpu().numpy()
    wanted = study.activations(layer.name).values[images]
    return float(np.abs(values - wanted).mean()) if values.shape == wanted.shape else float("inf")
