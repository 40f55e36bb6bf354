"""The map as a component: points in, what was pointed at or drawn around out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from nap_core.types import Float, Int
from nap_core.ui.told import tell

_PARTS = Path(__file__).parent / "components"
_map = st.components.v2.component(
    "nap_scatter_map",
    html="""<div class="map"><div class="tools" role="toolbar" aria-label="Map">
<button data-do="lasso" title="Draw around images to select them; with Shift they are added">Lasso</button>
<button data-do="move" title="Drag the map">Move</button>
<button data-do="in" title="Closer" aria-label="Closer">+</button>
<button data-do="out" title="Further" aria-label="Further">−</button>
<button data-do="pictures" title="Draw the images themselves">Pictures</button>
</div><canvas></canvas><canvas tabindex="0" role="application"></canvas>
<div class="card" hidden><div></div><span></span></div></div>""",
    css=(_PARTS / "scatter_map.css").read_text(encoding="utf-8"),
    js=(_PARTS / "scatter_map.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """What the reader did on the map: pointed at one image, or drew around some."""

    images: tuple[int, ...]
    is_lasso: bool
    adds: bool  # to the selection, instead of being it


@dataclass(frozen=True, slots=True, eq=False)
class Coloring:
    """A colour for every image."""

    color: Int  # [image] position in `palette`
    palette: Sequence[str]  # #rrggbb
    names: Sequence[tuple[int, str]]  # (image, text) written into the map


def _shorts(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<u2").tobytes()).decode()


def _fitted(position: Float) -> tuple[str, str]:
    """Return both coordinates in 0 … 65535, the same scale for both, the middle in the middle."""
    low, high = position.min(axis=0), position.max(axis=0)
    side = max(float((high - low).max()), 1e-30)
    placed = np.rint((position - (low + high) / 2) / side * 65535 + 32767.5).clip(0, 65535)
    return _shorts(placed[:, 0]), _shorts(placed[:, 1])


def scatter_map(
    position: Float,
    coloring: Coloring,
    said: Sequence[str],
    chosen: Sequence[int],
    *,
    atlas: Mapping[str, Any] | None,
    label: str,
    key: str,
    height: int = 620,
) -> Hit | None:
    """Show images as points; return what the reader has just done there.

    Parameters
    ----------
    position
        [image, 2]
    said
        [image] what is told of the image under the pointer.
    chosen
        Selected images; the others turn grey and stay.
    atlas
        ``source`` (an address of a JPEG), ``cell`` (pixels) and ``columns`` of all thumbnails, or None.
    label
        The map in words, for those who cannot see it.
    """
    x, y = _fitted(position)
    data = {
        "key": key,
        "x": x,
        "y": y,
        "color": _shorts(coloring.color),
        "palette": list(coloring.palette),
        "names": [{"image": image, "text": text} for image, text in coloring.names],
        "said": list(said),
        "atlas": atlas,
        "label": label,
        "height": height,
    }
    with st.container(gap=None):
        tell(key, list(chosen))
        result = _map(key=key, data=data, on_lasso_change=lambda: None, on_pointed_change=lambda: None)
    lasso, pointed = result.get("lasso"), result.get("pointed")
    if lasso is not None:
        return Hit(_inside(lasso["images"], len(position)), True, bool(lasso["add"]))
    return None if pointed is None else Hit(_inside([pointed], len(position)), False, False)


def _inside(images: Sequence[Any], n: int) -> tuple[int, ...]:
    return tuple(int(image) for image in images if 0 <= int(image) < n)
