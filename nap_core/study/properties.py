"""The properties of a study's pictures, measured once on its thumbnails, and what sets its patterns apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import InputError
from nap_core.inputs.metadata import Columns, read_metadata
from nap_core.inputs.properties import PROPERTIES, ImageProperties, colour_names, image_properties
from nap_core.keys import digest
from nap_core.patterns.enrichment import Trait, traits
from nap_core.store import Entry
from nap_core.study.folder import SMALL_PICTURES
from nap_core.study.study import Study
from nap_core.types import Progress

PROPERTIES_VERSION = 2  # raised when the meaning of a stored property changes
METADATA = "metadata.csv"


def properties_key(study: Study, kind: str = "image properties") -> str:
    """Return the key of the properties of a study's pictures, or of their small copies."""
    return digest(kind, images=study.images["fingerprint"], version=PROPERTIES_VERSION)


def has_properties(study: Study) -> bool:
    """Whether the properties can be read at once."""
    return study.store.path(properties_key(study)).is_dir()


def _measured(study: Study, progress: Progress | None) -> tuple[Entry, Entry]:
    """Measure all pictures and keep what was found; the small copies apart, as they are large and soon made again."""
    if not study.has_pictures:
        raise InputError("This study came without pictures, so nothing of them can be measured; run it on images.")
    found = image_properties(study.thumbnail, study.n_images, progress=progress)
    arrays: dict[str, NDArray[Any]] = {"hue": found.hue, "fingerprint": found.fingerprint, **found.values}
    small = study.store.put(properties_key(study, SMALL_PICTURES), {"small": found.small}, kind=SMALL_PICTURES)
    return study.store.put(properties_key(study), arrays, kind="image properties"), small


def picture_properties(study: Study, *, progress: Progress | None = None) -> ImageProperties:
    """Return what is simple to see of every picture of a study.

    Raises
    ------
    InputError
        If the study came without pictures.
    """
    kept, small = study.store.get(properties_key(study)), study.store.get(properties_key(study, SMALL_PICTURES))
    if kept is None or small is None:
        kept, small = _measured(study, progress)
    values = {name: kept.arrays[name] for name in PROPERTIES}
    return ImageProperties(values, kept.arrays["hue"], kept.arrays["fingerprint"], small.arrays["small"])


def property_columns(study: Study, *, progress: Progress | None = None) -> Columns:
    """Return name → [image] of everything simple that is known of the images: what is seen in the pictures, the size of
    their files, how sure the model is."""
    columns: Columns = {}
    if study.has_pictures:
        kept = (study.store.get(properties_key(study)) or _measured(study, progress)[0]).arrays
        columns |= {name: kept[name] for name in PROPERTIES}
        columns["main colour"] = np.array(colour_names(kept["hue"]))
    size = np.array([file[1] if file else np.nan for file in study.images.get("files", [])], np.float64)
    if len(size) and np.isfinite(size).any():
        columns["file size"] = size / 1000
    if study.predictions is not None:
        columns["the model's confidence"] = study.predictions.confidence
    return columns


def kept_metadata(study: Study) -> Columns:
    """Return the columns of the table that was kept with the study; none where there is none."""
    path = study.folder / METADATA
    return read_metadata(path, study.ids) if path.exists() else {}


def keep_metadata(study: Study, table: bytes) -> None:
    """Keep a table with the study; an empty one takes the old one away."""
    path = study.folder / METADATA
    path.unlink(missing_ok=True)
    if table:
        path.write_bytes(table)


def pattern_traits(
    study: Study,
    layer: str,
    config: ClusterConfig | None = None,
    *,
    metadata: Columns | None = None,
    progress: Progress | None = None,
) -> list[Trait]:
    """Return what sets the patterns of a layer apart from all other images, the strongest effect first; significance is
    corrected over all patterns and columns.

    Parameters
    ----------
    metadata
        Further columns, name → [image]; those kept with the study if None.
    """
    patterns = study.patterns(layer, config)
    further = kept_metadata(study) if metadata is None else metadata
    return traits(patterns.label, patterns.n_patterns, property_columns(study, progress=progress) | further)
