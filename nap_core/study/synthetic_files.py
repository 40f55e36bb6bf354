"""Synthetic images as files: a picture with the real images below, and what the check says as JSON beside it."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import ConfigError
from nap_core.explain.check import Check
from nap_core.explain.words import words
from nap_core.study.study import Study
from nap_core.study.synthetic import Made

if TYPE_CHECKING:
    from PIL import Image

SMALLEST = 128
"""Pixels a side that a picture is at least shown with; smaller ones are enlarged by whole numbers."""
_GAP = 8
_WARM = (240, 120, 20)


def as_image(picture: NDArray[Any], least: int = SMALLEST) -> Image.Image:
    """Return one picture [channel, height, width] in [0, 1], enlarged by a whole number where it is small."""
    from PIL import Image

    pixels = np.round(255 * np.clip(np.asarray(picture, np.float32), 0, 1)).astype(np.uint8)
    grey = pixels[0] if len(pixels) in (1, 2) else np.moveaxis(pixels[:3], 0, -1)
    made = Image.fromarray(np.ascontiguousarray(grey))
    times = max(1, math.ceil(least / max(made.size)))
    return made.resize((made.width * times, made.height * times), Image.Resampling.NEAREST)


def overlay(picture: NDArray[Any], weight: NDArray[Any], least: int = SMALLEST) -> Image.Image:
    """Return a picture in grey with the places of large `weight` [height, width], in [0, 1], in colour over it."""
    from PIL import Image

    below = as_image(picture, least).convert("L").convert("RGB")
    mask = Image.fromarray(np.round(200 * np.clip(weight, 0, 1)).astype(np.uint8))
    mask = mask.resize(below.size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", below.size, _WARM), below, mask)


def sheet(study: Study, made: Made) -> Image.Image:
    """Return the synthetic images in a row, one per seed, and the real images in a row below."""
    from PIL import Image

    above = [as_image(picture) for picture in made.images.picture]
    real = [Image.open(io.BytesIO(study.thumbnail(int(image)))).convert("RGB") for image in made.exemplar]
    width, height = above[0].size
    side = min(SMALLEST, height)
    below = [picture.resize((side, side)) for picture in real]
    columns = max(len(above) * (width + _GAP), len(below) * (side + _GAP)) - _GAP
    page = Image.new("RGB", (columns, height + (_GAP + side if below else 0)), "white")
    for number, picture in enumerate(above):
        page.paste(picture.convert("RGB"), (number * (width + _GAP), 0))
    for number, picture in enumerate(below):
        page.paste(picture, (number * (side + _GAP), height + _GAP))
    return page


def told(study: Study, made: Made) -> dict[str, Any]:
    """Return the wish, the check and what it means in words, as plain values."""
    check = {field.name: _plain(getattr(made.check, field.name)) for field in fields(Check)}
    return {
        "wish": asdict(made.wish),
        "steps": made.n_steps,
        "score": _plain(made.images.score),
        "light": list(made.check.light),
        "suspicious": made.check.is_suspicious,
        "check": check,
        "words": list(words(made.check, study.prediction_names)),
        "real": [study.ids[int(image)] for image in made.exemplar],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_name(path: Path) -> None:
    """Raise `ConfigError` unless a picture can have this name."""
    if path.suffix.lower() != ".png":
        raise ConfigError(f"'{path.name}' does not end in .png; give a name that does.")


def write_made(study: Study, made: Made, path: Path) -> tuple[Path, Path]:
    """Write the sheet to `path` and the check beside it, with the ending ``.json``; return both.

    Raises
    ------
    ConfigError
        If the path does not end in ``.png`` or cannot be written.
    """
    check_name(path)
    beside = path.with_suffix(".json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet(study, made).save(path)
        beside.write_text(json.dumps(told(study, made), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be written: {error.strerror or error}. Choose another place.") from error
    return path, beside
