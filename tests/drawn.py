"""Small pictures to write to files: a grey ramp, coloured noise, plain colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

RAMP = np.linspace(0, 255, 48 * 32).reshape(32, 48).astype(np.uint8)
COLOUR = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)


def save(path: Path, value: object = 0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = value if isinstance(value, Image.Image) else Image.new("RGB", (12, 10), (int(str(value)), 7, 7))
    picture.save(path, **options)  # type: ignore[arg-type]
    return path
