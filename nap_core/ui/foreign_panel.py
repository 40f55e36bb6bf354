"""The New images page: how many look foreign, the strangest with what is nearest to them, and the scores compared."""

from __future__ import annotations

import base64
import html
from collections import Counter

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.export import foreign_csv, named
from nap_core.figures import Grid, grid_figure
from nap_core.patterns.foreign import RARE, SHOWN, SOFTMAX, Separation
from nap_core.quality_figures import foreign_figure
from nap_core.study import Study
from nap_core.study.foreign import FUSED, Foreign, nearest_known
from nap_core.types import NOISE, Float, Int
from nap_core.ui.grid import picture_grid
from nap_core.ui.image_words import quoted
from nap_core.ui.new_images import Asked
from nap_core.ui.notes import called
from nap_core.ui.resources import go_to
from nap_core.ui.selection import select
from nap_core.ui.uploads import follow_later

PER_PAGE, NEAREST = 6, 6
_PICTURE = """<img src="{source}" alt="{name}" title="{name}" style="width:84px;height:84px;object-fit:cover;
 border-radius:4px;display:block">"""


def answer(asked: Asked, found: Foreign) -> str:
    """Return how many images look foreign, with what chance would give, as Markdown."""
    n, n_known, strange = len(found.fused), len(found.known), int(found.looks_foreign.sum())
    drawn = f" {n:,} were drawn from {asked.n_before:,}." if asked.n_before > n else ""
    return (
        f"**{strange:,} of {n:,} images {asked.source} look foreign**: at most {RARE:.0%} of {n_known:,} known "
        f"images are as strange to the network. Of images of known kinds it would be about {RARE * n:.0f}.{drawn}"
    )


def show_answer(study: Study, asked: Asked, found: Foreign) -> None:
    """Show how many images look foreign, in words and beside the study's own; offer the table and the selection."""
    st.markdown(answer(asked, found))
    st.plotly_chart(
        foreign_figure(found.own_fused, found.fused, found.border), key=f"foreign-{study.folder.name}-{hash(asked.key)}"
    )
    st.caption(
        "How strange to all layers together: the mean surprise of three distances in every layer and of the network's "
        "own certainty (−log of the share of known images that score as high). Known images are each scored by others."
    )
    with st.container(horizontal=True):
        table = foreign_csv(study, asked.new, found)
        icon = ":material/download:"
        st.download_button(
            "Every score (CSV)", table, "new-images.csv", "text/csv", on_click="ignore", type="tertiary", icon=icon
        )
        if asked.is_own:
            _offer_selection(study, f"Select the {int(found.looks_foreign.sum()):,}", asked.image[found.looks_foreign])


def _offer_selection(study: Study, label: str, images: Int) -> None:
    about = "They stay selected on every page."
    if len(images) and st.button(label, type="tertiary", icon=":material/select_all:", help=about, key=f"take-{label}"):
        select(study, images.tolist())
        st.switch_page("pages/selection.py")


def show_strangest(study: Study, asked: Asked, found: Foreign, layer: str, config: ClusterConfig) -> None:
    """Show the new images one by one, the strangest first or last, each with the known images nearest to it."""
    st.markdown("##### One by one, with the known images nearest to each")
    with st.container(horizontal=True, vertical_alignment="center"):
        way = st.segmented_control(
            "Order",
            ("strangest first", "least strange first"),
            default="strangest first",
            required=True,
            key="strange-order",
            label_visibility="collapsed",
        )
        pages = -(-len(found.fused) // PER_PAGE)
        page = min(st.pagination(pages, key="strange-page"), pages) if pages > 1 else 1
    order = np.argsort(-found.fused if way == "strangest first" else found.fused, kind="stable")
    rows = order[(page - 1) * PER_PAGE : page * PER_PAGE]
    near, distance = nearest_known(study, layer, asked.new.rows[layer][rows], found.known, NEAREST, config)
    for start in range(0, len(rows), 2):
        for space, place in zip(st.columns(2), range(start, min(start + 2, len(rows))), strict=False):
            with space, st.container(border=True, height="stretch", gap="small", key=f"strange-{place}"):
                _one(study, asked, found, int(rows[place]), layer)
                _nearest(study, layer, near[place], distance[place], place, config)
    _offer_selection(study, f"Select the known images nearest to these {len(rows)}", np.unique(near))


def _one(study: Study, asked: Asked, found: Foreign, row: int, layer: str) -> None:
    name = asked.new.ids[row]
    with st.container(horizontal=True, gap="small"):
        if asked.is_own:
            with st.container(width=92):
                picture_grid(study, [int(asked.image[row])], key=f"own-{study.folder.name}-{row}", size=84)
        elif asked.new.thumbnail[row]:
            source = f"data:image/jpeg;base64,{base64.b64encode(asked.new.thumbnail[row]).decode()}"
            st.html(_PICTURE.format(source=source, name=html.escape(name, quote=True)), width="content")
        with st.container(gap=None):
            st.markdown(told(study, asked, found, row))
            if not asked.is_own and st.button(
                "Follow it through the layers", key=f"follow-{row}", type="tertiary", icon=":material/arrow_forward:"
            ):
                number = follow_later(study, asked.new, row)
                st.switch_page("pages/image.py", query_params={"upload": str(number)})


def told(study: Study, asked: Asked, found: Foreign, row: int) -> str:
    """Return what is said of one new image, as Markdown."""
    share = 1.0 - float(found.chance[row])
    stranger = (
        "stranger than every known image" if _is_beyond(found, row) else f"stranger than {share:.0%} of the known"
    )
    by_layer = found.by_layer[:, row]
    most = f", most of all in `{found.layers[int(by_layer.argmax())]}`" if by_layer.max() > 0 else ""
    said = ""
    if asked.new.predictions is not None:
        seen = named(int(asked.new.predictions.prediction[row]), study.prediction_names)
        said = f"seen as {quoted(seen)} ({asked.new.predictions.confidence[row]:.2f}); "
    return f"**{quoted(asked.new.ids[row])}**  \n{said}{stranger}{most}."


def _is_beyond(found: Foreign, row: int) -> bool:
    return bool(found.fused[row] > found.own_fused.max())


def _nearest(study: Study, layer: str, near: Int, distance: Float, place: int, config: ClusterConfig) -> None:
    """Show the nearest known images and the pattern that most of them are in."""
    picture_grid(study, near.tolist(), key=f"near-{study.folder.name}-{place}", size=56)
    pattern, n = Counter(study.patterns(layer, config).label[near].tolist()).most_common(1)[0]
    where = f"{called(study, layer, pattern, config)} holds {n} of these {len(near)}"
    if pattern == NOISE:
        where = f"{n} of these {len(near)} are in no pattern"
    go_to(where, "patterns", key=f"near-pattern-{place}", layer=layer, pattern=str(pattern))


def show_scores(study: Study, asked: Asked, found: Foreign) -> None:
    """Show every score beside the others: how well each finds the images, where all of them are said to be foreign."""
    st.markdown("##### Which score finds them?")
    declared = st.toggle(
        "All of these images are foreign",
        value=asked.is_declared,
        key=f"declared-{hash(asked.key)}",
        help="Then it can be said how well each score tells them from the known ones (AUROC).",
    )
    if not declared:
        st.caption("Say so, and every score is judged by how well it tells them from the study's own images.")
        return
    told_apart = _separations(f"{asked.key} {hash(found.fused.tobytes())}", found)
    st.markdown(_best_words(told_apart))
    values = np.array([[_auroc(told_apart, (layer, name)) for name in SHOWN] for layer in found.layers], np.float32)
    text = "#e4e7eb" if st.context.theme.type == "dark" else "#1c2128"
    figure = grid_figure(Grid(list(found.layers), list(SHOWN), values), low=0.5, high=1, text=text)
    st.plotly_chart(figure, key=f"auroc-{hash(asked.key)}")
    st.caption(
        "AUROC: chance that a new image scores higher than a known one; 1 every time, 0.5 no better than a coin. "
        "Images that the network was trained on are easier to tell than unseen ones of their kind; to compare with "
        "these, use the command line: `python -m nap_core foreign --known`."
    )
    with st.expander("All figures with their intervals"):
        _table(told_apart)


@st.cache_data(show_spinner=False, max_entries=16)
def _separations(key: str, _found: Foreign) -> dict[tuple[str, str], Separation]:
    return _found.separations_from_known()


def _auroc(told_apart: dict[tuple[str, str], Separation], key: tuple[str, str]) -> float:
    return told_apart[key].auroc if key in told_apart else float("nan")


def _best_words(told_apart: dict[tuple[str, str], Separation]) -> str:
    """Return how well all layers together, and the network's own certainty, tell the images, as Markdown."""
    one = told_apart["", FUSED]
    said = f"All layers together tell them with **{one.auroc:.3f}** (AUROC; 95 %: {one.low:.3f} to {one.high:.3f})"
    if ("", SOFTMAX) not in told_apart:
        return f"{said}."
    sure = told_apart["", SOFTMAX]
    return f"{said}, the network's own certainty with **{sure.auroc:.3f}** ({sure.low:.3f} to {sure.high:.3f})."


def _table(told_apart: dict[tuple[str, str], Separation]) -> None:
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        {
            "layer": [layer or "all layers" for layer, _ in told_apart],
            "score": [score for _, score in told_apart],
            "AUROC": [one.auroc for one in told_apart.values()],
            "from": [one.low for one in told_apart.values()],
            "to": [one.high for one in told_apart.values()],
        },
        hide_index=True,
        column_config=dict.fromkeys(("AUROC", "from", "to"), number),
    )
