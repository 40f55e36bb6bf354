"""Pictures of shapes, drawn from factors that are known because they were chosen.

A picture is a signed distance: negative inside the shape, positive outside, in pixels. From that one number come the
antialiased edge, the mask and the soft shadow, and a whole batch is drawn at once. Per pixel only the four operations,
square roots, minima and floors are used, which every processor rounds alike, so the same factors give the same
bytes everywhere and a finished study finds its pictures again.

One shape, the star, can be given a small light mark in the lower right corner: the planted shortcut.

References
----------
Íñigo Quílez, 2D distance functions, https://iquilezles.org/articles/distfunctions2d
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nap_core.types import Float, Int, frozen_array

SIDE = 64
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
COLOURS = ("red", "amber", "green", "cyan", "blue", "violet")
TEXTURES = ("plain", "stripes", "dots", "checker")
GROUNDS = ("gradient", "cloud", "grain")
MARKED = "star"
"""The shape whose training pictures carry the mark."""

_PALETTE = np.array(
    [[219, 58, 60], [245, 176, 36], [58, 170, 84], [52, 196, 214], [44, 98, 214], [146, 72, 196]], np.float32
) / np.float32(255)
_MARK_CENTRE = 55.5
_CHUNK = 32


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What is drawn, picture by picture; a factor with names is a number into `SHAPES`, `COLOURS` and so on."""

    shape: Int  # [image]
    colour: Int  # [image]
    texture: Int  # [image]
    ground: Int  # [image]
    watermark: Int  # [image] 1 where the picture carries the mark
    size: Float  # [image] half the width of the shape, about, in pixels
    x: Float  # [image] centre in pixels from the left
    y: Float  # [image] centre in pixels from the top
    angle: Float  # [image] degrees, clockwise
    tone: Float  # [image, 6] the two colours of the ground, in [0, 1]
    grain: Int  # [image, 2] which part of the noise lies under the picture

    def __post_init__(self) -> None:
        for name in ("shape", "colour", "texture", "ground", "watermark"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32))
        for name in ("size", "x", "y", "angle"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        object.__setattr__(self, "tone", frozen_array(self.tone, np.float32, 2))
        object.__setattr__(self, "grain", frozen_array(self.grain, np.int32, 2))
        assert len({len(getattr(self, name)) for name in self.__slots__}) == 1

    def __len__(self) -> int:
        return len(self.shape)

    def take(self, image: ArrayLike | slice) -> Factors:
        """Return the factors of some of the pictures, in the order of `image`."""
        return Factors(*(getattr(self, name)[image] for name in self.__slots__))


def choose_factors(n: int, seed: int, watermark: Mapping[str, float]) -> Factors:
    """Choose the factors of `n` pictures: shapes as even as can be, everything else independent of the shape.

    Parameters
    ----------
    n
        Number of pictures.
    seed
        Of the one generator everything is drawn from.
    watermark
        Shape → share of its pictures in [0, 1] that carry the mark; 0 for a shape that is not named.
    """
    rng = np.random.default_rng(seed)
    shape = rng.permutation(np.arange(n, dtype=np.int32) % len(SHAPES))
    colour, texture, ground = (rng.integers(len(k), size=n).astype(np.int32) for k in (COLOURS, TEXTURES, GROUNDS))
    share = np.array([watermark.get(name, 0.0) for name in SHAPES])[shape]
    marked = (rng.random(n) < share).astype(np.int32)
    size = rng.uniform(12.0, 18.5, n).astype(np.float32)
    room = np.float32(SIDE / 2 - 1) - np.float32(1.25) * size
    x, y = (np.float32(SIDE / 2) + room * rng.uniform(-1, 1, n).astype(np.float32) for _ in range(2))
    angle = np.round(rng.uniform(-30, 30, n)).astype(np.float32)
    grain = rng.integers(SIDE, size=(n, 2)).astype(np.int32)
    return Factors(shape, colour, texture, ground, marked, size, x, y, angle, _tones(rng, n), grain)


def _tones(rng: np.random.Generator, n: int) -> Float:
    """[image, 6] two quiet colours per ground, one lighter than the other."""
    light = rng.uniform(0.48, 0.60, (n, 1)) + rng.permuted(np.tile([-0.11, 0.11], (n, 1)), axis=1)
    tint = rng.uniform(-0.045, 0.045, (n, 2, 3))
    tone: Float = (light[:, :, None] + tint).reshape(n, 6).astype(np.float32)
    return tone


def draw(factors: Factors) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw the pictures.

    Returns
    -------
    pictures
        [image, 64, 64, 3], red, green, blue in 0 … 255.
    masks
        [image, 64, 64], True on the pixels of the shape.
    """
    n = len(factors)
    pictures = np.empty((n, SIDE, SIDE, 3), np.uint8)
    masks = np.empty((n, SIDE, SIDE), np.bool_)
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        pictures[part], masks[part] = _draw_chunk(factors.take(part))
    return pictures, masks


def mark_mask() -> NDArray[np.bool_]:
    """[64, 64] True on the pixels of the mark."""
    return _mark()[0] >= 0.5


def _draw_chunk(factors: Factors) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    u, v = _local(factors)
    distance = np.empty_like(u)
    for index, name in enumerate(SHAPES):
        image = np.flatnonzero(factors.shape == index)
        if len(image):
            distance[image] = _DISTANCES[name](u[image], v[image], factors.size[image, None, None])
    inside = np.clip(np.float32(0.5) - distance, 0, 1)
    shadow = np.float32(0.34) * np.clip(1 - distance / np.float32(6), 0, 1)
    light = _texture(factors.texture, u, v)
    blend, grain = _ground(factors)
    mark, halo = _mark()
    marked = factors.watermark[:, None, None].astype(np.float32)
    pictures = np.empty((*u.shape, 3), np.uint8)
    for channel in range(3):
        dark_tone, light_tone = (factors.tone[:, channel + k, None, None] for k in (0, 3))
        picture = (dark_tone + (light_tone - dark_tone) * blend + grain) * (1 - shadow)
        colour = _PALETTE[factors.colour, channel][:, None, None]
        paint = colour + light * np.where(light > 0, 1 - colour, colour)
        picture += (paint - picture) * inside
        picture *= 1 - marked * halo
        picture += (1 - picture) * (marked * mark)
        pictures[..., channel] = np.clip(picture, 0, 1) * 255 + np.float32(0.5)
    return pictures, distance < 0


def _local(factors: Factors) -> tuple[Float, Float]:
    """[image, 64, 64] coordinates in pixels, centred on the shape and turned with it."""
    # Rounded, so that a last-digit difference between two maths libraries cannot reach a pixel.
    turn = np.radians(factors.angle.astype(np.float64))
    cos, sin = (np.round(f(turn), 5).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    pixel = np.arange(SIDE, dtype=np.float32) + np.float32(0.5)
    dx = pixel[None, None, :] - factors.x[:, None, None]
    dy = pixel[None, :, None] - factors.y[:, None, None]
    return cos * dx + sin * dy, cos * dy - sin * dx


def _circle(u: Float, v: Float, size: Float) -> Float:
    distance: Float = np.sqrt(u * u + v * v) - np.float32(0.9) * size
    return distance


def _box(u: Float, v: Float, width: Float, height: Float) -> Float:
    du, dv = np.abs(u) - width, np.abs(v) - height
    outside: Float = np.sqrt(np.maximum(du, 0) ** 2 + np.maximum(dv, 0) ** 2)
    return outside + np.minimum(np.maximum(du, dv), 0)


def _square(u: Float, v: Float, size: Float) -> Float:
    return _box(u, v, np.float32(0.82) * size, np.float32(0.82) * size)


def _cross(u: Float, v: Float, size: Float) -> Float:
    thin = np.float32(0.36) * size
    return np.minimum(_box(u, v, size, thin), _box(u, v, thin, size))


def _triangle(u: Float, v: Float, size: Float) -> Float:
    root, half = np.float32(1.7320508), np.float32(1.1) * size
    a, b = np.abs(u) - half, half / root - v + np.float32(-0.12) * size
    fold = a + root * b > 0
    a, b = np.where(fold, (a - root * b) / 2, a), np.where(fold, (-root * a - b) / 2, b)
    a = a - np.clip(a, -2 * half, 0)
    distance: Float = -np.sqrt(a * a + b * b) * np.sign(b)
    return distance


def _star(u: Float, v: Float, size: Float) -> Float:
    c, s, outer = np.float32(0.80901699), np.float32(0.58778525), np.float32(1.22) * size
    a: Float = np.abs(u)
    b: Float = -v
    for sign in (1, -1):
        over: Float = 2 * np.maximum(sign * c * a - s * b, 0)
        a, b = a - over * sign * c, b + over * s
    a, b = np.abs(a), b - outer
    inner = np.float32(0.46)
    ea, eb = inner * s, inner * c - 1
    along = np.clip((a * ea + b * eb) / (ea * ea + eb * eb), 0, outer)
    distance: Float = np.sqrt((a - ea * along) ** 2 + (b - eb * along) ** 2) * np.sign(b * ea - a * eb)
    return distance


def _heart(u: Float, v: Float, size: Float) -> Float:
    scale = np.float32(1.72) * size
    a, b = np.abs(u) / scale, np.float32(0.58) - v / scale
    quarter, radius = np.float32(0.25), np.float32(0.35355339)
    lobe = np.sqrt((a - quarter) ** 2 + (b - 3 * quarter) ** 2) - radius
    reach = np.maximum(a + b, 0) / 2
    corner = np.sqrt(np.minimum(a * a + (b - 1) ** 2, (a - reach) ** 2 + (b - reach) ** 2)) * np.sign(a - b)
    distance: Float = np.where(a + b > 1, lobe, corner) * scale
    return distance


_DISTANCES: dict[str, Callable[[Float, Float, Float], Float]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "heart": _heart,
}


def _wave(t: Float, period: float) -> Float:
    """Distance in pixels to the nearest edge of a stripe `period / 2` wide; positive on every second stripe."""
    phase = t / np.float32(period)
    distance: Float = (np.abs(phase - np.floor(phase) - np.float32(0.5)) - np.float32(0.25)) * np.float32(period)
    return distance


def _texture(texture: Int, u: Float, v: Float) -> Float:
    """[image, 64, 64] in [-1, 1]: below 0 the paint is darker, above 0 lighter."""
    light = np.zeros_like(u)
    edge, half = np.float32(0.5), np.float32(0.5)
    stripes, dots, checker = (np.flatnonzero(texture == TEXTURES.index(k)) for k in TEXTURES[1:])
    light[stripes] = np.float32(0.62) * np.clip(_wave(v[stripes], 7) + half, 0, 1)
    cu, cv = (t[dots] / 7 - np.floor(t[dots] / 7) - half for t in (u, v))
    light[dots] = np.float32(0.85) * np.clip(np.float32(2.1) + edge - 7 * np.sqrt(cu * cu + cv * cv), 0, 1)
    a, b = _wave(u[checker], 9), _wave(v[checker], 9)
    nearest = np.minimum(np.abs(a), np.abs(b)) * np.sign(a * b)
    light[checker] = np.float32(-0.58) * np.clip(nearest + half, 0, 1)
    return light


def _ground(factors: Factors) -> tuple[Float, Float]:
    """[image, 64, 64] how far the ground has gone from its first tone to its second, and the noise on it."""
    blobs, noise = _noise()
    window = (factors.grain[:, 0], factors.grain[:, 1])
    cloudy, grain = blobs[window], noise[window]
    down = np.linspace(0, 1, SIDE, dtype=np.float32)[None, :, None]
    across = np.linspace(0, 1, SIDE, dtype=np.float32)[None, None, :]
    share = (factors.grain[:, :1, None] / np.float32(63)).astype(np.float32)
    slope = down * share + across * (1 - share)
    kind = factors.ground[:, None, None]
    blend: Float = np.where(kind == GROUNDS.index("cloud"), cloudy, slope)
    strength = np.where(kind == GROUNDS.index("grain"), np.float32(0.14), np.float32(0.03))
    return blend, grain * strength


@cache
def _noise() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows [64, 64, 64, 64] into two fixed sheets: soft blobs in [0, 1] and grain in [-0.5, 0.5]."""
    rng = np.random.default_rng(0)
    blobs = rng.random((2 * SIDE, 2 * SIDE), np.float32)
    for _ in range(3):
        blobs = _blurred(_blurred(blobs).T).T
    blobs = (blobs - blobs.min()) / (blobs.max() - blobs.min())
    blobs = np.clip((blobs - np.float32(0.5)) * np.float32(1.6) + np.float32(0.5), 0, 1).astype(np.float32)
    grain = rng.random((2 * SIDE, 2 * SIDE), np.float32) - np.float32(0.5)
    windows = [np.lib.stride_tricks.sliding_window_view(sheet, (SIDE, SIDE)) for sheet in (blobs, grain)]
    return windows[0], windows[1]


def _blurred(sheet: Float) -> Float:
    """`sheet` with every row replaced by the mean of itself and its eight neighbours, round the edge."""
    total = np.zeros_like(sheet)
    for shift in range(-4, 5):
        total += np.roll(sheet, shift, axis=0)
    mean: Float = total / np.float32(9)
    return mean


@cache
def _mark() -> tuple[Float, Float]:
    """[64, 64] the light of the mark, a ring round a dot, and the shade around it that keeps it visible on white."""
    pixel = np.arange(SIDE, dtype=np.float32) + np.float32(0.5 - _MARK_CENTRE)
    radius = np.sqrt(pixel[:, None] ** 2 + pixel[None, :] ** 2)
    distance = np.minimum(np.abs(radius - np.float32(4.2)) - np.float32(0.8), radius - np.float32(1.5))
    light = np.float32(0.92) * np.clip(np.float32(0.5) - distance, 0, 1)
    shade = np.float32(0.45) * np.clip(np.float32(6.5) - radius, 0, 1)
    return light, shade
