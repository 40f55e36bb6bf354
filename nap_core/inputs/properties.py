"""Simple properties of pictures that anybody can see: brightness, colour, edges, frame, where the content lies.

They are measured on small copies (thumbnails do), so that a number does not depend on how large a file was. A pattern
that one of them explains has perhaps learnt that property and not the content.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nap_core.types import Float, Progress, frozen_array

SMALL = 32  # side of the square copies kept for comparing pictures place by place
_WORK = 64  # longest side on which properties are measured
_FLAT = 10.0  # of 255: pixels of one frame differ by less, JPEG noise included
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Property:
    """A property in words: what more and what less of it is called."""

    more: str
    less: str


PROPERTIES: dict[str, Property] = {
    "brightness": Property("brighter", "darker"),  # mean luma in [0, 1]
    "contrast": Property("richer in contrast", "flatter in contrast"),  # std of luma in [0, 0.5]
    "saturation": Property("more colourful", "less colourful"),  # mean of max - min over the channels in [0, 1]
    "edges": Property("richer in edges", "smoother"),  # mean gradient of luma per pixel, in [0, 1]
    "corners": Property("busier in the corners", "quieter in the corners"),  # share of edges there, even: 0.25
    "border": Property("framed by a wider border", "framed by a narrower border"),  # share of the side, in [0, 0.5]
    "aspect": Property("wider in format", "taller in format"),  # width / height
    "x": Property("further right in content", "further left in content"),  # centre of the edges in [0, 1]
    "y": Property("lower in content", "higher in content"),  # centre of the edges in [0, 1], 1 at the bottom
    "spread": Property("spread wider over the picture", "gathered in a smaller place"),  # RMS distance from it
}
"""Name → words. The comment behind each is its unit and range; `hue`, being an angle, is a category: `colour_names`."""

_COLOURS = ((20, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (200, "cyan"), (260, "blue"), (330, "violet"))


@dataclass(frozen=True, slots=True, eq=False)
class ImageProperties:
    """What was measured on every picture."""

    values: Mapping[str, Float]  # one [image] array per name of `PROPERTIES`
    hue: Float  # [image] dominant hue in degrees [0, 360); NaN where the picture is grey
    fingerprint: NDArray[np.uint64]  # [image] dHash, equal or nearly so for nearly equal pictures
    small: NDArray[np.uint8]  # [image, 32, 32, 3] the whole picture, stretched to a square

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {name: frozen_array(v, np.float32) for name, v in self.values.items()})
        object.__setattr__(self, "hue", frozen_array(self.hue, np.float32))
        object.__setattr__(self, "fingerprint", frozen_array(self.fingerprint, np.uint64))
        object.__setattr__(self, "small", frozen_array(self.small, np.uint8, 4))
        assert {len(v) for v in self.values.values()} == {len(self.hue)} == {len(self.small)} == {len(self.fingerprint)}

    @property
    def colour(self) -> list[str]:
        """[image] name of the dominant colour, or "grey"."""
        return colour_names(self.hue)


def colour_names(hue: Float) -> list[str]:
    """Return [image] the colour's name for every hue in degrees; "grey" for NaN."""
    return ["grey" if np.isnan(h) else next((name for end, name in _COLOURS if h < end), "red") for h in hue]


def _luma(pixels: Float) -> Float:
    luma: Float = pixels @ _LUMA / np.float32(255)
    return luma


def gradient(luma: Float) -> Float:
    """Return [..., h, w] the length of the gradient per pixel of [..., h, w], 0 on the rim."""
    across, down = np.zeros_like(luma), np.zeros_like(luma)
    across[..., :, 1:-1] = (luma[..., :, 2:] - luma[..., :, :-2]) / 2
    down[..., 1:-1, :] = (luma[..., 2:, :] - luma[..., :-2, :]) / 2
    length: Float = np.hypot(across, down)
    return length


def _hue(pixels: Float) -> float:
    """Return the mean hue in degrees, each pixel weighted by its chroma; NaN where there is next to no colour."""
    red, green, blue = np.moveaxis(pixels / np.float32(255), -1, 0)
    a, b = red - (green + blue) / 2, np.sqrt(3) / 2 * (green - blue)
    if np.hypot(a, b).mean() < 0.03 or np.hypot(a.mean(), b.mean()) < 0.01:
        return float("nan")
    return float(np.degrees(np.arctan2(b.mean(), a.mean())) % 360)


def _frame_rows(pixels: Float) -> int:
    """Return how many rows from the top are a frame: of one colour, and ended by a straight line."""
    first_row = np.median(pixels[0], axis=0)
    red, green, blue = (np.abs(pixels[..., i] - first_row[i]) > _FLAT for i in range(3))
    off = red | green | blue  # far faster than a maximum over an axis of three
    touched = off.mean(axis=1)
    inside = np.flatnonzero(touched > 0.02)
    if not len(inside) or inside[0] == 0:
        return 0
    first = int(inside[0])
    # A thing on a plain ground touches its box with a few pixels; a picture touches its frame all along.
    return first if touched[first : first + 3].max() > 0.5 else 0


def _border(pixels: Float) -> float:
    """Return the width of the frame on two opposite sides, as a share of that side, in [0, 0.5]."""
    turned = pixels.transpose(1, 0, 2)
    ends = [min(_frame_rows(part), _frame_rows(part[::-1])) / len(part) for part in (pixels, turned)]
    return float(max(ends))


def _place(edges: Float) -> tuple[float, float, float]:
    """Return centre x, y and spread of the edges, each as a share of the side."""
    total = float(edges.sum())
    if total < 1e-6:
        return 0.5, 0.5, 0.0
    height, width = edges.shape
    across, down = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    columns, rows = edges.sum(axis=0) / total, edges.sum(axis=1) / total
    x, y = float(columns @ across), float(rows @ down)
    spread = np.sqrt(columns @ (across - x) ** 2 + rows @ (down - y) ** 2)
    return x, y, float(spread)


def _corners(edges: Float) -> float:
    height, width = (max(1, side // 4) for side in edges.shape)
    total = float(edges.sum())
    parts = [
        edges[rows, columns]
        for rows in (slice(height), slice(-height, None))
        for columns in (slice(width), slice(-width, None))
    ]
    return sum(float(part.sum()) for part in parts) / total if total > 1e-6 else 0.25


def _fingerprint(picture: Image.Image) -> int:
    """Return the dHash of a picture: 64 bits, each whether a place is lighter than the next one to the right."""
    grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
    bits = np.packbits(grey[:, 1:] > grey[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def measured(picture: Image.Image) -> tuple[list[float], float, int, NDArray[np.uint8]]:
    """Return the values in the order of `PROPERTIES`, the hue, the fingerprint and the small copy of one picture."""
    picture = picture.convert("RGB")
    scale = min(1.0, _WORK / max(picture.size))
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    pixels = np.asarray(picture.resize((size[0], size[1]), Image.Resampling.BOX), np.float32)
    luma, edges = _luma(pixels), gradient(_luma(pixels))
    channels = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    chroma = (np.maximum.reduce(channels) - np.minimum.reduce(channels)) / 255
    sharp = np.asarray(picture, np.float32)
    facts = [luma.mean(), luma.std(), chroma.mean(), edges.mean(), _corners(edges), _border(sharp)]
    values = [*facts, picture.size[0] / picture.size[1], *_place(edges)]
    small = np.asarray(picture.resize((SMALL, SMALL), Image.Resampling.BOX))
    return [float(v) for v in values], _hue(pixels), _fingerprint(picture), small


def image_properties(
    read: Callable[[int], bytes | NDArray[np.uint8]], n_images: int, *, progress: Progress | None = None
) -> ImageProperties:
    """Measure every picture.

    Parameters
    ----------
    read
        Image → an encoded picture (JPEG, PNG), or uint8 ``[h, w]`` or ``[h, w, 3]``. A hundred pixels a side do.
    n_images
        Number of pictures.
    """

    def one(image: int) -> tuple[list[float], float, int, NDArray[np.uint8]]:
        given = read(image)
        return measured(Image.open(io.BytesIO(given)) if isinstance(given, bytes) else Image.fromarray(given))

    rows = []
    with ThreadPoolExecutor() as workers:
        for row in workers.map(one, range(n_images)):
            rows.append(row)
            if progress and (len(rows) % 64 == 0 or len(rows) == n_images):
                progress(len(rows), n_images)
    table = np.array([row[0] for row in rows], np.float32).reshape(n_images, len(PROPERTIES))
    return ImageProperties(
        values=dict(zip(PROPERTIES, table.T, strict=True)),
        hue=np.array([row[1] for row in rows], np.float32),
        fingerprint=np.array([row[2] for row in rows], np.uint64),
        small=np.array([row[3] for row in rows], np.uint8).reshape(n_images, SMALL, SMALL, 3),
    )
