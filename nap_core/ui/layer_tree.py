"""The layers of a model as a tree: searched, opened and closed, and chosen by ticking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from nap_core.types import LayerInfo

_PARTS = Path(__file__).parent / "components"
_tree = st.components.v2.component(
    "nap_layer_tree",
    html='<div class="tree" role="group" aria-label="Layers of the model"></div>',
    css=(_PARTS / "layer_tree.css").read_text(encoding="utf-8"),
    js=(_PARTS / "layer_tree.js").read_text(encoding="utf-8"),
)


def layer_tree(layers: Sequence[LayerInfo], suggested: Sequence[str], *, key: str) -> list[str]:
    """Show all layers; return those that are ticked, in execution order; at first the suggested ones."""
    ticked = f"{key}-ticked"  # beside the tree's own state, which ends with its page
    chosen = st.session_state.setdefault(ticked, list(suggested))
    state = st.session_state.get(key)
    heard = list(state.get("chosen") or ()) if state else []

    def hear() -> None:
        st.session_state[ticked] = list(st.session_state[key].get("chosen") or ())

    _tree(
        key=key,
        data={"nodes": nodes(layers), "suggested": list(suggested), "chosen": chosen, "heard": heard},
        on_chosen_change=hear,
    )
    return [layer.name for layer in layers if layer.name in st.session_state[ticked]]


def nodes(layers: Sequence[LayerInfo]) -> list[dict[str, Any]]:
    """Return the tree row by row, containers above their parts, parts in the order in which images reach them.

    A container that is never called itself, such as a list of blocks, has a row without a shape.
    """
    told = {layer.name: layer for layer in layers}
    children: dict[str, list[str]] = {"": []}
    for name in told:
        parts = name.split(".")
        for depth in range(len(parts)):
            path, parent = ".".join(parts[: depth + 1]), ".".join(parts[:depth])
            if path not in children:
                children[path] = []
                children[parent].append(path)
    rows: list[dict[str, Any]] = []
    waiting = children[""][::-1]
    while waiting:
        path = waiting.pop()
        rows.append(_node(path, told.get(path), len(children[path])))
        waiting.extend(reversed(children[path]))
    return rows


def _node(path: str, layer: LayerInfo | None, n_parts: int) -> dict[str, Any]:
    node: dict[str, Any] = {"name": path, "depth": path.count("."), "parts": n_parts}
    if layer is None:
        return node | {"type": "", "shape": "", "parameters": "", "reason": "never called itself", "usable": False}
    return node | {
        "type": layer.type,
        "shape": "×".join(map(str, layer.output_shape)),
        "parameters": count_words(layer.n_parameters),
        "reason": layer.reason,
        "usable": layer.kind != "unreadable",
    }


def count_words(n: int) -> str:
    """Return a number of parameters in a few letters: "3.5 M"; nothing for none."""
    if not n:
        return ""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return str(n)
