"""A pattern's colour comes from its place: hue runs along the patterns' order at constant lightness and chroma.

Neighbours in the order are alike, so a flow reads as gradients. Colour is never the only sign: the pattern's number
stands beside it.

References
----------
Ottosson, B. (2020): A perceptual color space for image processing (OKLab).
"""

from __future__ import annotations

import math

from nap_core.flows import OTHER
from nap_core.types import NOISE

NOISE_COLOR = "#8b8f96"
OTHER_COLOR = "#b9bdc4"
WRONG_COLOR = "#c0362c"
ACCENT = "#2f6db5"
_LIGHTNESS, _CHROMA = (0.68, 0.60), 0.115
_FIRST_HUE, _LAST_HUE = 25.0, 325.0


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """Return ``#rrggbb`` of an OKLCH colour: lightness in [0, 1], chroma from 0, hue in degrees; clipped to sRGB."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _gamma(min(1.0, max(0.0, value)))):02x}" for value in linear)


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def pattern_color(label: int, n_patterns: int) -> str:
    """Return the colour of a pattern, of `NOISE` or of `OTHER`; the same on every page."""
    if label == NOISE:
        return NOISE_COLOR
    if label == OTHER:
        return OTHER_COLOR
    place = label / max(1, n_patterns - 1)
    return oklch(_LIGHTNESS[label % 2], _CHROMA, _FIRST_HUE + place * (_LAST_HUE - _FIRST_HUE))


def ramp(n: int) -> list[str]:
    """Return `n` colours from grey to the accent, for a number from 0 to 1; lightness tells it, too."""
    return [oklch(0.82 - 0.36 * i / (n - 1), 0.01 + 0.12 * i / (n - 1), 255.0) for i in range(n)]
