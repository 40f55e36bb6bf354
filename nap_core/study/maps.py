"""Maps of a study: where its images lie, layer by layer, and all its thumbnails in one picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from nap_core.configs import ClusterConfig, searched
from nap_core.embedding import FULL_EPOCHS, Embedding, embed, n_epochs
from nap_core.keys import digest
from nap_core.study.study import Study

if TYPE_CHECKING:
    from PIL import Image

LAYOUT_VERSION = 1  # raised when the meaning of stored layouts changes
ATLAS_PIXELS = 7_000_000
"""About how many pixels all thumbnails of an atlas may have: a JPEG of some 2 MB."""
_CELLS = (64, 48, 32, 24)


def _layout_key(study: Study, layer: str, config: ClusterConfig, method: str) -> str:
    compares = {name: getattr(config, name) for name in ("scaling", "center", "row_l2", "n_neighbors", "seed")}
    compares |= searched(config)
    if method == "umap" and n_epochs(study.n_images) != FULL_EPOCHS:
        compares["n_epochs"] = n_epochs(study.n_images)
    return digest("layout", activations=study.activations_key(layer), method=method, version=LAYOUT_VERSION, **compares)


def has_layout(study: Study, layer: str, config: ClusterConfig, method: str = "umap") -> bool:
    """Whether a layout can be read at once."""
    return study.store.path(_layout_key(study, layer, config, method)).is_dir()


def layout(study: Study, layer: str, config: ClusterConfig | None = None, method: str = "umap") -> Embedding:
    """Return a layer's layout, computed when it is asked for the first time; see `embed`.

    Raises
    ------
    UnknownLayerError
        If the layer is not part of the study.
    NotFiniteError
        If an activation is NaN or infinite.
    """
    config = config or study.config
    entry = study.store.compute(
        _layout_key(study, layer, config, method),
        lambda: _arrays(embed(study.activations(layer), config, method)),
        kind="layout",
        layer=layer,
        method=method,
    )
    return Embedding(layer, str(entry.arrays["method"]), entry.arrays["position"])


def _arrays(found: Embedding) -> dict[str, np.ndarray]:
    return {"position": found.position, "method": np.array(found.method)}


def atlas_cell(n_images: int) -> int:
    """Return the side in pixels of a thumbnail in the atlas of so many images; 0 where there would be too many."""
    return next((cell for cell in _CELLS if n_images * cell * cell <= ATLAS_PIXELS), 0)


def atlas(study: Study) -> tuple[bytes, int, int]:
    """Return all thumbnails in one JPEG, row by row, with the side of a cell in pixels and the number of columns.

    Without pictures, or with too many of them, the JPEG is empty and the side 0.
    """
    cell = atlas_cell(study.n_images) if study.has_pictures else 0
    if not cell:
        return b"", 0, 0
    columns = int(np.ceil(np.sqrt(study.n_images)))
    key = digest("atlas", images=study.images["fingerprint"], cell=cell, version=1)
    entry = study.store.compute(key, lambda: {"jpeg": _drawn(study, cell, columns)}, kind="atlas")
    return entry.arrays["jpeg"].tobytes(), cell, columns


def _drawn(study: Study, cell: int, columns: int) -> np.ndarray:
    from PIL import Image

    sheet = Image.new("RGB", (columns * cell, -(-study.n_images // columns) * cell))
    for image in range(study.n_images):
        sheet.paste(_square(study.thumbnail(image), cell), (image % columns * cell, image // columns * cell))
    packed = io.BytesIO()
    sheet.save(packed, "JPEG", quality=70)
    return np.frombuffer(packed.getvalue(), np.uint8)


def _square(jpeg: bytes, cell: int) -> Image.Image:
    """Return the middle of a thumbnail as a square, as the galleries show it."""
    from PIL import Image, ImageOps

    picture = Image.open(io.BytesIO(jpeg))
    picture.draft("RGB", (cell, cell))
    return ImageOps.fit(picture.convert("RGB"), (cell, cell))
