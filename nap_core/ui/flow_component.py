"""The flow as a component: bars and ribbons in, the one that was clicked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from nap_core.ui.told import tell

_PARTS = Path(__file__).parent / "components"
_flow = st.components.v2.component(
    "nap_flow_chart",
    html="""<div class="flow"><div class="stage"></div>
<div class="tools"><button data-save="svg" title="Download the chart as a drawing (SVG)">SVG</button>
<button data-save="png" title="Download the chart as a picture (PNG)">PNG</button></div>
<div class="card" hidden></div></div>""",
    css=(_PARTS / "flow_chart.css").read_text(encoding="utf-8"),
    js=(_PARTS / "flow_chart.js").read_text(encoding="utf-8"),
)


def flow_component(
    drawing: Mapping[str, Any], chosen: Callable[[], str], choose: Callable[[str], None], *, label: str, key: str
) -> None:
    """Show a chart in which bars and ribbons can be clicked.

    Parameters
    ----------
    drawing
        What `nap_core.flow_figures.flow_drawing` returns.
    chosen
        Returns the name of the bar or ribbon whose images are lit in all layers, or "".
    choose
        Called with the name of what was clicked, "" where nothing is any longer, before the page runs again.
    label
        The chart in words, for those who cannot see it.
    """

    def hear() -> None:
        part = st.session_state[key].get("part")
        if part is not None:
            choose(str(part))

    with st.container(gap=None):
        tell(key, chosen())
        _flow(key=key, data={**drawing, "of": key, "label": label}, on_part_change=hear)
