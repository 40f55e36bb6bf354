"""Images that no pattern holds, and a layer without patterns: what is near each image, and what orders them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.patterns.directions import Order, along, ordered_by
from nap_core.patterns.unplaced import KINDS, Unplaced
from nap_core.study import Study
from nap_core.study.judgement import known_columns, layer_directions, layer_unplaced
from nap_core.types import NOISE
from nap_core.ui.grid import paged_pictures, picture_grid
from nap_core.ui.widgets import show_progress

PICTURES = 12  # along a direction
_TOLD = 3  # columns named per direction


def unplaced_words(found: Unplaced, n_images: int) -> str:
    """Return why images are in no pattern, with numbers, as Markdown."""
    n = len(found.image)
    if not n:
        return "Every image is in some pattern."
    count = np.bincount(found.kind, minlength=len(KINDS))
    parts = ", ".join(f"{count[i]:,} {kind}" for i, kind in enumerate(KINDS) if count[i])
    return f"**{n:,} of {n_images:,} images are in no pattern**: {parts}."


def show_unplaced(study: Study, layer: str, config: ClusterConfig) -> None:
    """Show the images of no pattern by the reason, and between which patterns they lie."""
    found = layer_unplaced(study, layer, config)
    st.markdown("##### Why are images in no pattern?")
    st.markdown(unplaced_words(found, study.n_images))
    present = [i for i in range(len(KINDS)) if (found.kind == i).any()]
    if not present:
        return
    chosen = st.segmented_control(
        "Which", present, default=present[0], required=True, format_func=lambda i: KINDS[i], key=f"noise-{layer}"
    )
    at = np.flatnonzero(found.kind == chosen)
    if chosen != KINDS.index("far from any pattern"):
        st.markdown(_between(found, at))
    order = at[np.argsort(-found.distance[at] if chosen == 2 else found.share[at], kind="stable")]
    paged_pictures(study, found.image[order].tolist(), key=f"noise-{layer}-{chosen}", size=72, per_page=24)
    st.caption(
        "What is near is asked of the ten nearest members, where the clustering sees them; far is three times as far "
        "from the fifth nearest member as members of the nearest pattern are."
    )


def _between(found: Unplaced, at: np.ndarray) -> str:
    """Return the commonest pairs of patterns between which images lie, or the patterns at whose edge they are."""
    pairs = Counter(
        tuple(sorted((int(found.first[i]), int(found.second[i])))) if found.kind[i] == 0 else (int(found.first[i]),)
        for i in at
    )
    told = [
        f"{n} {'between' if len(pair) > 1 else 'near'} {' and '.join(str(p) for p in pair if p != NOISE)}"
        for pair, n in pairs.most_common(6)
    ]
    more = f" and {len(pairs) - 6} more places" if len(pairs) > 6 else ""
    return f"Patterns: {'; '.join(told)}{more}."


def order_words(orders: Sequence[Order]) -> str:
    """Return what orders one direction in words, as Markdown."""
    if not orders:
        return "nothing that is known of the images orders it"
    sense = {None: "", True: " rising", False: " falling"}
    told = [f"{order.column}{sense[order.rises]} ({order.strength:.2f})" for order in orders[:_TOLD]]
    return f"ordered by **{told[0]}**" + (f", also {', '.join(told[1:])}" if told[1:] else "")


def show_directions(study: Study, layer: str, config: ClusterConfig, *, at_once: bool) -> None:
    """Show the leading directions of a layer with images along each, at once or when asked."""
    st.markdown("##### What orders the images?")
    if not at_once and not st.toggle("Look at the layer as a continuum", key=f"directions-{layer}"):
        st.caption("The leading directions of the layer, what goes along with each, and images from end to end.")
        return
    found = layer_directions(study, layer, config)
    space = st.empty()
    with space.container():
        columns = known_columns(study, show_progress("Properties of the images"))
    space.empty()
    orders = ordered_by(found, columns)
    for direction in range(len(found.share)):
        here = [order for order in orders if order.direction == direction]
        st.markdown(f"Direction {direction + 1}, {found.share[direction]:.0%} of the variance: {order_words(here)}.")
        picture_grid(study, along(found, direction, PICTURES).tolist(), key=f"direction-{layer}-{direction}", size=72)
    st.caption(
        "Principal components of the layer; images at even steps of rank from one end to the other. The number is the "
        "rank correlation (of names the share of the ranks that they explain); only what is significant after "
        "correction is named. What goes along with a direction need not be its cause."
    )
