"""Parts of pages: the layer table, pattern cards, a pattern opened, what a set of images has in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.export import named, predicted
from nap_core.figures import probability_figure, share_figure
from nap_core.palette import pattern_color
from nap_core.patterns.summary import LayerSummary, summarise
from nap_core.study import Study
from nap_core.types import NOISE, Int, Patterns
from nap_core.ui.gallery import chip, is_wrong, pattern_title, pictures
from nap_core.ui.grid import paged_pictures

CARDS_PER_PAGE = 24
SORTS = ("size", "persistence", "purity", "errors", "similarity")
PURITY = "Share of a pattern's images that are of its commonest class."
AMI = "Adjusted mutual information of patterns and classes: 1 the same grouping, 0 what chance would give."


@st.cache_data(show_spinner="Counting", max_entries=256)
def _summary(folder: str, layer: str, _config: ClusterConfig, key: str) -> LayerSummary:
    study = Study.open(folder)
    return summarise(study.patterns(layer, _config), study.target)


def layer_summaries(study: Study, config: ClusterConfig) -> list[LayerSummary]:
    """Return the figures of every layer that has patterns."""
    names = [name for name in study.layer_names if name not in study.problems]
    return [_summary(str(study.folder), name, config, study.patterns_key(name, config)) for name in names]


def layer_table(summaries: Sequence[LayerSummary]) -> None:
    """Show every layer in one table."""
    shown = {
        "layer": [s.layer for s in summaries],
        "patterns": [s.n_patterns for s in summaries],
        "coverage": [round(s.coverage, 2) for s in summaries],
        "largest": [s.largest for s in summaries],
    }
    if summaries and not np.isnan(summaries[0].ami):
        shown |= {"purity": [s.purity for s in summaries], "AMI": [s.ami for s in summaries]}
        shown |= {"AMI, assigned": [s.ami_assigned for s in summaries]}
    bar = st.column_config.ProgressColumn(
        "coverage", help="Share of images in some pattern", format="percent", max_value=1
    )
    columns = {
        "coverage": bar,
        "purity": st.column_config.NumberColumn(format="%.2f", help=PURITY),
        "AMI": st.column_config.NumberColumn(format="%.2f", help=AMI),
        "AMI, assigned": st.column_config.NumberColumn(
            format="%.2f", help="The same with every image of no pattern put to its most probable one."
        ),
    }
    st.dataframe(shown, hide_index=True, column_config=columns)


def class_words(study: Study, images: Int, most: int = 3) -> str:
    """Return the commonest classes of some images with their counts; the model's answers where there are no classes."""
    if (study.target[images] != NOISE).any():
        names = [named(int(t), study.class_names) or "unknown" for t in study.target[images]]
    elif study.predictions is not None:
        names = [f"seen as {predicted(study, int(i))}" for i in images]
    else:
        return ""
    counts = Counter(names).most_common()
    told = ", ".join(f"{name} {n}" for name, n in counts[:most])
    return told + (f" and {len(counts) - most} more" if len(counts) > most else "")


def representatives(patterns: Patterns, pattern: int, most: int = 6) -> list[int]:
    """Return the medoid and then other members, exemplars first; the firmest for the noise as it stands."""
    members = patterns.members(pattern)
    if pattern == NOISE:
        return [int(i) for i in members[:: max(1, len(members) // most)][:most]]
    first = [int(patterns.medoid[pattern]), *(int(i) for i in patterns.exemplars(pattern)), *(int(i) for i in members)]
    return list(dict.fromkeys(first))[:most]


def sorted_patterns(study: Study, patterns: Patterns, by: str, search: str = "") -> list[int]:
    """Return pattern numbers in the order asked for; only those with a class or file name like `search`."""
    numbers = list(range(patterns.n_patterns))
    if search:
        numbers = [n for n in numbers if _matches(study, patterns.members(n), search.lower())]
    if by == "size":
        numbers.sort(key=lambda n: -int(patterns.size[n]))
    elif by == "persistence":
        numbers.sort(key=lambda n: -float(patterns.persistence[n]))
    elif by == "purity":
        numbers.sort(key=lambda n: -_top_share(study.target[patterns.members(n)]))
    elif by == "errors":
        numbers.sort(key=lambda n: -sum(is_wrong(study, int(i)) for i in patterns.members(n)))
    return numbers


def _matches(study: Study, images: Int, word: str) -> bool:
    ids = study.ids
    return any(word in ids[i].lower() or word in named(int(study.target[i]), study.class_names).lower() for i in images)


def _top_share(target: Int) -> float:
    return float(np.unique(target, return_counts=True)[1].max() / len(target)) if len(target) else 0.0


def pattern_card(study: Study, patterns: Patterns, pattern: int, on_open: Callable[[int], None]) -> None:
    """Show a pattern, or the noise, as a card with a button that opens it."""
    members = patterns.members(pattern)
    with st.container(border=True, height="stretch"):
        color = pattern_color(pattern, patterns.n_patterns)
        share = f"{len(members):,} images, {len(members) / patterns.n_images:.0%}"
        st.html(f"<b>{chip(color, pattern_title(pattern))}</b> <span style='opacity:.7'>{share}</span>")
        shown = representatives(patterns, pattern)
        pictures(study, shown[:1], size=112)
        pictures(study, shown[1:], size=48)
        st.caption(class_words(study, members) or "no classes known")
        wrong = sum(is_wrong(study, int(i)) for i in members)
        firm = f"median probability {np.median(patterns.probability[members]):.2f}" if pattern != NOISE else ""
        st.caption(
            " · ".join(part for part in (firm, f"{wrong} misclassified" if wrong else "") if part) or "in no pattern"
        )
        key, about = f"open-{patterns.layer}-{pattern}", f"All images of {pattern_title(pattern)}"
        st.button("Open", key=key, help=about, on_click=on_open, args=(pattern,))


def pattern_detail(study: Study, patterns: Patterns, pattern: int) -> None:
    """Show everything about one pattern: figures, average image, classes, answers, all its images."""
    members = patterns.members(pattern)
    color = pattern_color(pattern, patterns.n_patterns)
    left, middle, right = st.columns([1, 1, 1])
    with left:
        st.metric("Images", f"{len(members):,}", help="Members; images merely assigned to it are not counted.")
        if study.has_pictures:
            st.image(average_image(study, members), caption="average image", width=128)
        if pattern != NOISE:
            st.metric(
                "Persistence", f"{patterns.persistence[pattern]:.2f}", help="How long it lasts in the tree, 0 to 1"
            )
    with middle:
        if pattern != NOISE:
            st.caption("how firmly each image belongs (HDBSCAN membership probability)")
            st.plotly_chart(probability_figure(patterns.probability[members], color), key=f"p-{pattern}")
        else:
            st.caption("the pattern each would most probably join")
            _bars(Counter(f"pattern {n}" for n in patterns.assigned[members]), key="noise-assigned")
    with right:
        in_common(study, members, key=f"{patterns.layer}-{pattern}")
    paged_pictures(study, [int(i) for i in members], key=f"page-{patterns.layer}-{pattern}")


def in_common(study: Study, images: Int, key: str) -> None:
    """Show the classes and the model's answers of some images as bars."""
    if (study.target[images] != NOISE).any():
        st.caption("classes")
        _bars(Counter(named(int(t), study.class_names) for t in study.target[images]), key=f"classes-{key}")
    if study.predictions is not None:
        st.caption("what the model sees")
        _bars(Counter(predicted(study, int(i)) for i in images), key=f"answers-{key}")


def _bars(counts: Counter[str], key: str) -> None:
    most = counts.most_common(8)
    st.plotly_chart(share_figure([name for name, _ in most], [n for _, n in most]), key=key)


def average_image(study: Study, images: Int, most: int = 200) -> np.ndarray:
    """Return ``[128, 128, 3]`` uint8, the mean of at most `most` thumbnails, evenly taken and stretched to a square."""
    import io

    from PIL import Image

    taken = images[:: max(1, len(images) // most)][:most]
    total = np.zeros((128, 128, 3), np.float64)
    for image in taken:
        picture = Image.open(io.BytesIO(study.thumbnail(int(image)))).convert("RGB").resize((128, 128))
        total += np.asarray(picture, np.float64)
    mean: np.ndarray = (total / max(1, len(taken))).round().astype(np.uint8)
    return mean
