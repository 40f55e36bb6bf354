"""Records in, figures out: Plotly figures; the flow has a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nap_core.palette import ACCENT, OTHER_COLOR

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_NUMBERS = 20  # columns of a table of cells that still have room for numbers


def probability_figure(probability: NDArray[np.float32], color: str = ACCENT) -> Any:
    """Return a small histogram of how firmly images belong, probability in [0, 1]; the last bin holds 1 itself."""
    import numpy as np
    import plotly.graph_objects as go

    count, edge = np.histogram(probability, 20, (0, 1))
    bars = go.Bar(x=(edge[:-1] + edge[1:]) / 2, y=count, width=np.diff(edge), marker_color=color)
    figure = quiet(go.Figure(bars), x="how firmly", y="images")
    figure.update_xaxes(range=[0, 1])
    return figure


def share_figure(names: Sequence[str], counts: Sequence[int], color: str = ACCENT) -> Any:
    """Return horizontal bars, the largest on top, with the number beside each."""
    import plotly.graph_objects as go

    bars = go.Bar(
        x=list(counts)[::-1], y=list(names)[::-1], orientation="h", marker_color=color, text=list(counts)[::-1]
    )
    figure = quiet(go.Figure(bars), x="", y="", height=60 + 26 * len(names))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(type="category")
    return figure


def quiet(figure: Any, x: str, y: str, height: int = 180) -> Any:
    """Give a figure the look of all: narrow margins, no legend, names of the axes; return it."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        bargap=0.12,
        xaxis_title=x,
        yaxis_title=y,
    )
    return figure


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of numbers with the names of its rows and columns."""

    rows: Sequence[str]  # from the top
    columns: Sequence[str]
    values: NDArray[np.float32]  # [row, column]; NaN leaves a cell empty


def grid_figure(grid: Grid, *, low: float, high: float, form: str = "z.2f", text: str = "#1c2128") -> Any:
    """Return a table of cells, the darker the larger the number, with the numbers in them; a cell can be selected.

    A heatmap reports no click, so that a square of a scatter that nobody sees lies on every cell; its `customdata` is
    (row, column).

    Parameters
    ----------
    low, high
        Numbers of the palest and the strongest shade.
    form
        How numbers are written, as in `format`; where names or cells are too many, they are told on hover alone.
    text
        Colour of the numbers, ``#rrggbb``.
    """
    import plotly.graph_objects as go

    n_rows, n_columns = grid.values.shape
    red, green, blue = (int(ACCENT[i : i + 2], 16) for i in (1, 3, 5))
    shades = [[0, f"rgba({red},{green},{blue},0.05)"], [1, f"rgba({red},{green},{blue},0.85)"]]
    told = [["" if value != value else format(float(value), form) for value in row] for row in grid.values]
    heat = go.Heatmap(z=grid.values, zmin=low, zmax=high, colorscale=shades, showscale=False, hoverinfo="skip")
    heat.update(xgap=2, ygap=2)
    if n_columns <= MOST_NUMBERS:
        heat.update(text=told, texttemplate="%{text}", textfont={"size": 12, "color": text})
    cells = [(row, column) for row in range(n_rows) for column in range(n_columns) if told[row][column]]
    hit = go.Scatter(
        x=[column for _, column in cells],
        y=[row for row, _ in cells],
        customdata=cells,
        mode="markers",
        marker={"symbol": "square", "size": 22, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        hovertext=[f"{grid.rows[r]}, {grid.columns[c]}: {told[r][c]}" for r, c in cells],
        hoverinfo="text",
    )
    figure = quiet(go.Figure([heat, hit]), x="", y="", height=70 + 26 * n_rows)
    names = {"tickmode": "array", "showgrid": False, "zeroline": False, "fixedrange": True, "title": None}
    figure.update_xaxes(tickvals=list(range(n_columns)), ticktext=list(grid.columns), side="top", **names)
    figure.update_yaxes(tickvals=list(range(n_rows)), ticktext=list(grid.rows), autorange="reversed", **names)
    return figure


def spread_figure(
    layers: Sequence[str], spread: NDArray[np.float32], others: NDArray[np.float32], name: str, most: int = 40
) -> Any:
    """Return over how many patterns a class is spread in every layer, as a line; the others in grey behind it.

    Parameters
    ----------
    spread
        [layer] effective number of patterns, from 1; 0 where the class is in none.
    others
        [class, layer] the same of other classes; at most `most` are drawn.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for row in others[:: max(1, -(-len(others) // most))]:
        line = {"color": OTHER_COLOR, "width": 1}
        figure.add_scatter(
            x=layers, y=[float(v) or None for v in row], mode="lines", line=line, opacity=0.4, hoverinfo="skip"
        )
    values = [float(v) or None for v in spread]
    told = "%{x}: spread over %{y:.1f} patterns<extra>" + name.replace("<", "‹") + "</extra>"
    figure.add_scatter(x=layers, y=values, mode="lines+markers", line={"color": ACCENT, "width": 3}, hovertemplate=told)
    figure = quiet(figure, x="", y="patterns it is spread over", height=260)
    ticks = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500]
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    figure.update_xaxes(type="category", range=[-0.2, len(layers) - 0.8], tickfont={"family": "monospace"})
    return figure
