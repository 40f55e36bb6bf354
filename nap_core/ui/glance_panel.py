"""What a pattern, unit or class is about, at a glance: real images, what was made for it, where, and by which units."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.explain.wishes import PATTERN_MODES, UNIT_MODES, WAYS
from nap_core.explain.words import words
from nap_core.study import Study
from nap_core.study.describe import strongest_images, unit_values
from nap_core.study.kept import kept_images
from nap_core.study.looks import Look
from nap_core.study.synthetic import Made
from nap_core.types import Int
from nap_core.ui.flow_answer import unit_words
from nap_core.ui.grid import picture_grid
from nap_core.ui.looks import LIGHTS, figure_row, kept_looks, light_html, shown, source, where_picture
from nap_core.ui.panels import class_words, representatives

REAL = 12
"""Real images that stand beside what was made."""


def glance(study: Study, layer: str, config: ClusterConfig, what: str, number: int, *, can_make: bool) -> None:
    """Show at once what is known; nothing here waits for the network."""
    images = real_images(study, layer, config, what, number)
    look = _look(study, layer, config, number) if what == "pattern" else None
    made = kept_of(study, layer, config, what, number)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _made(study, layer, config, look, made, number, can_make=can_make)
    with right:
        show_real(study, layer, what, number, images)
    _units(study, layer, config, what, number)


def real_images(study: Study, layer: str, config: ClusterConfig, what: str, number: int) -> list[int]:
    """Return the most typical members of a pattern, or what drives a unit or a class most."""
    if what == "pattern":
        return representatives(study.patterns(layer, config), number, REAL)
    if what == "unit":
        return [int(image) for image in strongest_images(study, layer, number, REAL)]
    assert study.predictions is not None
    image = np.flatnonzero(study.predictions.prediction == number)
    order = np.argsort(-study.predictions.confidence[image], kind="stable")
    return [int(one) for one in image[order][:REAL]]


def kept_of(study: Study, layer: str, config: ClusterConfig, what: str, number: int) -> list[Made]:
    """Return all synthetic images that the study holds for a pattern, a unit or a class."""
    return kept_images(study, layer, config, **{"logit" if what == "class" else what: number})


def _look(study: Study, layer: str, config: ClusterConfig, pattern: int) -> Look | None:
    there = kept_looks(study, layer, config)
    return there.kept.get(pattern) if there else None


def _made(
    study: Study,
    layer: str,
    config: ClusterConfig,
    look: Look | None,
    made: list[Made],
    number: int,
    *,
    can_make: bool,
) -> None:
    st.markdown("##### Made for this network", help="No real pictures: the network's own answer was climbed.")
    if look is not None:
        pictures = [(source(shown(look.picture)), light_html(look), "made for this pattern")]
        where = where_picture(study, look, study.patterns(layer, config).members(number))
        if where is not None:
            about = "where the pattern's score comes from, the mean of its firmest members over their mean picture"
            pictures.append((source(where), "where it counts, on average", about))
        st.html(figure_row(pictures, 140))
        _believed(study, look.check.is_suspicious, words(look.check, study.prediction_names))
    elif made:
        st.html(figure_row([made_figure(made[0], 0)], 140))
        _believed(study, made[0].check.is_suspicious, words(made[0].check, study.prediction_names))
    else:
        st.caption("Nothing is made yet. A picture made here shows what is enough for the network to answer this way.")
    if can_make:
        st.button(
            "Make more" if made or look else "Make images",
            type="secondary" if made or look else "primary",
            key="to-make",
            on_click=_to_making,
            help="Choose the question, the way, seeds and steps.",
        )
    if len(made) > 1:
        st.caption(f"{len(made)} sets of images are kept; *compare* shows them side by side.")


def _to_making() -> None:
    st.session_state["look-view"] = "made images"


def _believed(study: Study, is_suspicious: bool, sentences: tuple[str, ...]) -> None:
    if is_suspicious:
        st.warning(sentences[-1], icon=":material/warning:")
    with st.expander("Can this be believed?"):
        st.markdown("\n".join(f"- {sentence}" for sentence in sentences))


def made_figure(made: Made, image: int) -> tuple[str, str, str]:
    """Return one synthetic image as a figure of a row: address, caption, and what it is."""
    from nap_core.study.synthetic_files import as_image

    color, said = LIGHTS[made.check.light[image]]
    caption = f'<i style="background:{color}"></i>seed {made.images.seed[image]}: {html.escape(said)}'
    return source(as_image(made.images.picture[image])), caption, way_words(made)


def way_words(made: Made) -> str:
    """Return the question and the way of a set of images: "Prototype · Generator"."""
    titles = PATTERN_MODES | UNIT_MODES
    question = titles[made.wish.mode][0] if made.wish.mode else "Class"
    more = [f"{n} octaves"] if (n := made.wish.plan.n_octaves) > 1 else []
    more += [f"token {made.wish.token}"] if made.wish.token is not None else []
    more += [f"diversity {made.wish.diversity:g}"] if made.wish.diversity else []
    more += [f"against {made.wish.other}"] if made.wish.other is not None else []
    return " · ".join([question, WAYS[made.wish.parametrisation][0], *more])


def show_real(study: Study, layer: str, what: str, number: int, images: list[int]) -> None:
    """Show real images of a pattern, unit or class, and of which classes they are."""
    if not images:
        st.markdown("##### Real images")
        st.caption("The network sees this class in no image of the study.")
        return
    titles = {
        "pattern": "Its most typical images",
        "unit": "Images that drive it most",
        "class": "Surest of this class",
    }
    st.markdown(f"##### {titles[what]}")
    picture_grid(study, images, key=f"real-{layer}-{what}-{number}", size=84)
    if words_of := class_words(study, np.array(images, np.int32)):
        st.caption(words_of)
    if what == "unit":
        value = unit_values(study, layer, number)
        st.caption(
            f"It answers from {value.min():.2f} to {value.max():.2f}; these are {value[images].min():.2f} or more."
        )


def _units(study: Study, layer: str, config: ClusterConfig, what: str, number: int) -> None:
    if what == "class":
        return
    if what == "pattern":
        inside = study.patterns(layer, config).label == number
        told = unit_words(study, layer, inside, np.ones(study.n_images, bool))
        if told:
            st.markdown(f"**By its units:** compared with all other images, {told}.")
        return
    if told := _patterns_of(study, layer, config, number):
        st.markdown(f"**By patterns:** {told}")


def _patterns_of(study: Study, layer: str, config: ClusterConfig, unit: int, most: int = 3) -> str:
    """Return in which patterns a unit answers most, as a sentence."""
    patterns, value = study.patterns(layer, config), unit_values(study, layer, unit)
    spread = float(value.std())
    if not patterns.n_patterns or spread == 0:
        return ""
    mean = np.array([value[_members(patterns.label, n)].mean() for n in range(patterns.n_patterns)])
    best = np.argsort(-mean, kind="stable")[:most]
    parts = [f"pattern {n} ({(mean[n] - value.mean()) / spread:+.1f} sd)" for n in best]
    return f"it answers most to {', '.join(parts)}."


def _members(label: Int, pattern: int) -> Int:
    found: Int = np.flatnonzero(label == pattern).astype(np.int32)
    return found
