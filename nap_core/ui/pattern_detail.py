"""One pattern opened: how sure it is, what its images share, its units, its neighbours, and all its images."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import counted
from nap_core.export import named, predicted, selection_csv, selection_zip
from nap_core.figures import probability_figure
from nap_core.palette import pattern_color
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.study.describe import Neighbor, companions, contrast, similar_patterns
from nap_core.types import NOISE, Int, Patterns
from nap_core.ui.badges import sure_words
from nap_core.ui.continuum_panel import show_unplaced
from nap_core.ui.gallery import pictures
from nap_core.ui.grid import paged_pictures, picture_grid
from nap_core.ui.notes import called, edit_note, notes_of
from nap_core.ui.pins import pin_button
from nap_core.ui.resources import go_to
from nap_core.ui.traits_panel import show_traits

TYPICAL = 8  # images at either end


def pattern_detail(study: Study, patterns: Patterns, pattern: int, config: ClusterConfig) -> None:
    """Show everything about one pattern, or about the noise."""
    members = patterns.members(pattern)
    note = notes_of(study, patterns.layer, config).get(pattern)
    if note and note.note:
        st.markdown(f"*{note.note}*")
    _figures(study, patterns, pattern, members)
    sure_words(study, patterns.layer, pattern, config)
    with st.container(horizontal=True):
        if pattern != NOISE:
            edit_note(study, patterns.layer, pattern, config)
        _looks_for(study, patterns.layer, pattern)
        pin_button(study, patterns, pattern, config, key="opened")
        _downloads(study, members, config, f"{patterns.layer}-pattern-{pattern}".replace(":", "-unit-"))
    left, right = st.columns([3, 2], gap="large")
    with left:
        _typical(study, patterns, pattern, members)
    with right:
        _how_firmly(study, patterns, pattern, members)
    about = st.container()
    st.markdown("##### All its images")
    chosen = _filtered(study, members, key=f"{patterns.layer}-{pattern}")
    paged_pictures(study, chosen.tolist(), key=f"page-{patterns.layer}-{pattern}")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _units(study, patterns, pattern, config)
    with right:
        _neighbours(study, patterns, pattern, config)
    if pattern != NOISE:
        show_traits(about, study, patterns, pattern, config)
    elif len(members):
        with about:
            show_unplaced(study, patterns.layer, config)


def _figures(study: Study, patterns: Patterns, pattern: int, members: Int) -> None:
    wrong = int(misclassified(study)[members].sum())
    share = len(members) / patterns.n_images
    with st.container(horizontal=True, gap="large"):
        st.metric("Images", f"{len(members):,}", help=f"{share:.0%} of all; images merely assigned to it do not count.")
        if (study.target[members] != NOISE).any():
            counts = np.unique(study.target[members], return_counts=True)[1]
            about = "Share of its images that are of its commonest class."
            st.metric("Purity", f"{counts.max() / len(members):.0%}", help=about)
        if study.predictions is not None:
            overall = misclassified(study).mean()
            st.metric("Misclassified", f"{wrong:,}", help=f"{wrong / len(members):.0%}; in all images {overall:.0%}.")
        if pattern != NOISE:
            about = "How long the pattern lasts while the tree is cut ever finer, from 0 to 1 (HDBSCAN persistence)."
            st.metric("Persistence", f"{patterns.persistence[pattern]:.2f}", help=about)


def _looks_for(study: Study, layer: str, pattern: int) -> None:
    """Lead to the synthetic images of a pattern of a whole layer."""
    if pattern != NOISE and layer in study.layer_names and study.about["model"]:
        address: dict[str, str | int] = {"layer": layer, "look-for": "pattern", "look-pattern": pattern}
        go_to("What it looks for", "maximize", key="to-maximize", **address)


def _downloads(study: Study, images: Int, config: ClusterConfig, name: str) -> None:
    st.download_button(
        "Table (CSV)",
        lambda: selection_csv(study, images, config),
        f"{name}.csv",
        "text/csv",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
    if study.has_pictures:
        st.download_button(
            "Images (zip)",
            lambda: selection_zip(study, images, config),
            f"{name}.zip",
            "application/zip",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )


def _typical(study: Study, patterns: Patterns, pattern: int, members: Int) -> None:
    """Show the images at the heart of the pattern and those at its edge; of the noise, the strangest."""
    key = f"{patterns.layer}-{pattern}"
    if pattern == NOISE:
        st.markdown("##### Furthest from every group", help="Highest outlier score (GLOSH).")
        strangest = members[np.argsort(-patterns.outlier_score[members], kind="stable")]
        picture_grid(study, strangest[: 2 * TYPICAL].tolist(), key=f"strange-{key}", size=60)
        return
    first = [int(patterns.medoid[pattern]), *patterns.exemplars(pattern).tolist(), *members.tolist()]
    st.markdown("##### Most typical", help="The medoid first, then the densest core (HDBSCAN exemplars).")
    picture_grid(study, list(dict.fromkeys(first))[:TYPICAL], key=f"typical-{key}", size=60)
    if len(members) > TYPICAL and patterns.probability[members].min() < 1:
        st.markdown("##### Least typical", help="Its least firm members.")
        picture_grid(study, members[::-1][:TYPICAL].tolist(), key=f"edge-{key}", size=60)


def _how_firmly(study: Study, patterns: Patterns, pattern: int, members: Int) -> None:
    if study.has_pictures:
        st.image(average_image(study, members), caption="average image", width=128)
    if pattern == NOISE:
        st.caption("the pattern that each would most probably join")
        names = Counter(f"pattern {n}" for n in patterns.assigned[members]).most_common(8)
        _bars({"pattern": [name for name, _ in names], "images": [n for _, n in names]}, "pattern", key="assigned")
        return
    st.caption("how firmly each image belongs", help="HDBSCAN membership probability")
    color = pattern_color(pattern, patterns.n_patterns)
    st.plotly_chart(probability_figure(patterns.probability[members], color), key=f"p-{patterns.layer}-{pattern}")


def _filtered(study: Study, images: Int, key: str) -> Int:
    """Show the classes and the answers of some images as bars; return the images of the bars that are chosen."""
    said: dict[str, list[str]] = {}
    if (study.target[images] != NOISE).any():
        said["class"] = [named(int(target), study.class_names) or "unknown" for target in study.target[images]]
    if study.predictions is not None:
        said["seen as"] = [predicted(study, int(i)) for i in images]
    kept = np.ones(len(images), bool)
    for space, (what, names) in zip(st.columns(2), said.items(), strict=False):
        counts = Counter(names).most_common()
        with space:
            rows = _bars({what: [n for n, _ in counts], "images": [c for _, c in counts]}, what, key=f"{what}-{key}")
        if chosen := {counts[row][0] for row in rows if row < len(counts)}:
            kept &= np.array([name in chosen for name in names])
    return images[kept]


def _bars(table: dict[str, list[object]], what: str, key: str) -> list[int]:
    """Show counts as bars in a table whose rows can be chosen; return the chosen rows."""
    bar = st.column_config.ProgressColumn(
        "images", format="%d", max_value=max(int(str(n)) for n in table["images"]), min_value=0
    )
    event = st.dataframe(
        table,
        hide_index=True,
        height=min(38 + 35 * len(table[what]), 213),
        column_config={"images": bar},
        on_select="rerun",
        selection_mode="multi-row",
        key=key,
    )
    return list(event["selection"]["rows"])


def _units(study: Study, patterns: Patterns, pattern: int, config: ClusterConfig) -> None:
    st.markdown("##### Units that set it apart")
    found = contrast(study, patterns.layer, pattern, config)
    if not len(found.feature):
        st.caption("No unit differs between these images and the rest.")
        return
    unit = study.activations(patterns.layer).unit[found.feature]
    table = {
        "unit": unit.tolist(),
        "difference": found.effect.tolist(),
        "AUROC": found.auroc.tolist(),
        "mean inside": found.inside.tolist(),
        "mean outside": found.outside.tolist(),
        "p": [f"{p:.1g}" if p >= 1e-4 else "< 0.0001" for p in found.p],
    }
    number = st.column_config.NumberColumn
    columns = {
        "difference": number(format="%+.1f", help="Difference of means in standard deviations (Cohen's d)."),
        "AUROC": number(format="%.2f", help="Chance that an image of the pattern drives the unit more than another."),
        "mean inside": number(format="%.2f"),
        "mean outside": number(format="%.2f"),
        "p": st.column_config.TextColumn(
            help="Welch's t-test, corrected over all units (Benjamini-Hochberg). The units had a part in making the "
            "pattern, so a small p is expected; the difference says more."
        ),
    }
    event = st.dataframe(
        table,
        hide_index=True,
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        key=f"units-{patterns.layer}-{pattern}",
    )
    rows = event["selection"]["rows"]
    whole = patterns.layer.partition(":")[0]
    if rows and rows[0] < len(unit):
        chosen = int(unit[rows[0]])
        go_to(f"Patterns of unit {chosen} alone", "patterns", key="of-unit", layer=whole, unit=chosen, view="cards")
        if study.about["model"]:
            address: dict[str, str | int] = {"layer": whole, "look-for": "unit", "look-unit": chosen}
            go_to(f"What unit {chosen} looks for", "maximize", key="unit-looks-for", **address)
    else:
        st.caption("Choose a row to see what that unit alone treats alike.")


def _neighbours(study: Study, patterns: Patterns, pattern: int, config: ClusterConfig) -> None:
    if pattern != NOISE and patterns.n_patterns > 1:
        st.markdown("##### Nearest patterns")
        _linked(study, patterns.layer, similar_patterns(study, patterns.layer, pattern, config, 4), config)
    names = [name for name in study.layer_names if name not in study.problems]
    if patterns.layer not in names:
        return
    place = names.index(patterns.layer)
    for title, other in (("come from", place - 1), ("go to", place + 1)):
        if 0 <= other < len(names) and study.has_patterns(names[other], config):
            st.markdown(f"##### Its images {title}, in `{names[other]}`")
            _linked(study, names[other], companions(study, patterns.layer, pattern, names[other], config, 4), config)


def _linked(study: Study, layer: str, found: list[Neighbor], config: ClusterConfig) -> None:
    patterns = study.patterns(layer, config)
    for other in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            if other.pattern != NOISE:
                with st.container(width=36):  # else the picture takes all the room there is
                    pictures(study, [int(patterns.medoid[other.pattern])], size=36)
            shared = f", {counted(other.n_shared, 'image')}" if other.n_shared else ""
            key, number = f"to-{layer}-{other.pattern}", str(other.pattern)
            go_to(
                f"{called(study, layer, other.pattern, config)}{shared}",
                "patterns",
                key=key,
                layer=layer,
                pattern=number,
            )


def average_image(study: Study, images: Int, most: int = 100) -> np.ndarray:
    """Return ``[128, 128, 3]`` uint8, the mean of at most `most` thumbnails, evenly taken and stretched to a square."""
    from PIL import Image

    taken = images[:: max(1, len(images) // most)][:most]
    total = np.zeros((128, 128, 3), np.float64)
    for image in taken:
        picture = Image.open(io.BytesIO(study.thumbnail(int(image)))).convert("RGB").resize((128, 128))
        total += np.asarray(picture, np.float64)
    mean: np.ndarray = (total / max(1, len(taken))).round().astype(np.uint8)
    return mean
