"""The properties of a study's pictures, measured once on its thumbnails."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from nap_core.errors import InputError
from nap_core.inputs.properties import PROPERTIES, ImageProperties, image_properties
from nap_core.keys import digest
from nap_core.study.study import Study
from nap_core.types import Progress

PROPERTIES_VERSION = 1  # raised when the meaning of a stored property changes


def properties_key(study: Study) -> str:
    """Return the key of the properties of a study's pictures."""
    return digest("image properties", images=study.images["fingerprint"], version=PROPERTIES_VERSION)


def picture_properties(study: Study, *, progress: Progress | None = None) -> ImageProperties:
    """Return what is simple to see of every picture of a study.

    Raises
    ------
    InputError
        If the study came without pictures.
    """
    if not study.has_pictures:
        raise InputError("This study came without pictures, so nothing of them can be measured; run it on images.")
    key = properties_key(study)
    entry = study.store.get(key)
    if entry is None:
        found = image_properties(study.thumbnail, study.n_images, progress=progress)
        arrays: dict[str, NDArray[Any]] = {
            "hue": found.hue,
            "fingerprint": found.fingerprint,
            "small": found.small,
            **found.values,
        }
        entry = study.store.put(key, arrays, kind="image properties")
    kept = entry.arrays
    values = {name: kept[name] for name in PROPERTIES}
    return ImageProperties(values, kept["hue"], kept["fingerprint"], kept["small"])
