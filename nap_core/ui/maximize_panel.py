"""The page of synthetic images: what is asked, the making with its picture growing, the result beside real images."""

from __future__ import annotations

import base64
import io
import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.errors import NapError
from nap_core.explain.maximize import PREVIEW_STEPS, USUAL_STEPS, Moment
from nap_core.explain.recipes import Bench, ascent
from nap_core.explain.wishes import LARGEST_DIVERSITY, PATTERN_MODES, UNIT_MODES, WAYS, Wish, usual_way
from nap_core.explain.words import words
from nap_core.study import Study
from nap_core.study.framing import study_canvas
from nap_core.study.synthetic import (
    Made,
    at_moment,
    has_generator,
    has_images,
    image_key,
    synthetic,
    wish_for,
)
from nap_core.study.synthetic_files import as_image, sheet, told
from nap_core.types import Progress
from nap_core.ui.grid import picture_grid
from nap_core.ui.looks import ALL, LIGHTS
from nap_core.ui.resources import show_error
from nap_core.ui.widgets import show_progress

if TYPE_CHECKING:
    from PIL import Image
    from streamlit.delta_generator import DeltaGenerator

    from nap_core.inputs.models import Network

LENGTHS = {"preview": PREVIEW_STEPS, "usual": USUAL_STEPS, "long": 4 * USUAL_STEPS}
QUICK = 32
"""Longest side in pixels up to which a generator is trained in less time than a reader waits."""
_STOPPED = "stopped-images"
_STYLE = """<style>
.nap-made{display:flex;flex-wrap:wrap;gap:12px;margin:2px 0 6px}
.nap-made figure{margin:0;width:var(--nap-size)}
.nap-made img{width:100%;border-radius:4px;display:block;image-rendering:pixelated}
.nap-made figcaption{font-size:12px;line-height:1.3;margin-top:3px}
.nap-made i{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.4em}
</style>"""


def pick_target(study: Study, layer: str, config: ClusterConfig) -> tuple[str, int]:
    """Let the reader choose a pattern, a unit, a class or all patterns; return which kind, and its number."""
    n_patterns = study.patterns(layer, config).n_patterns
    kinds = (["pattern"] if n_patterns else []) + ["unit"] + (["class"] if study.predictions is not None else [])
    kinds += [ALL] if n_patterns and study.about["model"] else []
    with st.container(horizontal=True):
        what = st.segmented_control(
            "Look for", kinds, default=kinds[0], required=True, key="look-for", bind="query-params"
        )
        return str(what), 0 if what == ALL else _pick_number(study, layer, str(what), n_patterns)


def pick_wish(study: Study, network: Network, layer: str, config: ClusterConfig, what: str, number: int) -> Wish | None:
    """Let the reader say how to look; None, with the reason shown, where that cannot be."""
    asked = _pick_mode(study, layer, what, number, study.patterns(layer, config).n_patterns, config)
    asked["logit" if what == "class" else what] = number
    if said := (PATTERN_MODES if what == "pattern" else UNIT_MODES).get(asked["mode"]):
        st.caption(f"Shows {said[1]}.")
    with st.expander("How the images are made"):
        asked |= _pick_making(study, network, asked["mode"])
    _hint(study, network, asked)
    try:
        return wish_for(study, network, layer, **asked)
    except NapError as error:
        show_error(error)
        return None


def _hint(study: Study, network: Network, asked: dict[str, Any]) -> None:
    """Say that another way looks more like real images where the free one is chosen."""
    is_free = asked["parametrisation"] in ("fourier", "pixel") and asked["mode"] not in ("edit", "distribution")
    if is_free and usual_way(study_canvas(study, network).size, study.n_images) == "generator":
        ready = "" if has_generator(study, network) else "; it is trained first, a minute or two, once"
        st.caption(
            "Free pictures show what is enough for the network and mostly look like nothing. The *generator*, chosen "
            f"above, keeps to what the study's images look like{ready}."
        )


def _pick_number(study: Study, layer: str, what: str, n_patterns: int) -> int:
    if what == "class":
        names = study.prediction_names or tuple(map(str, range(int(study.predictions.prediction.max()) + 1)))  # type: ignore[union-attr]
        chosen = st.selectbox("Class", list(range(len(names))), format_func=lambda n: names[n], key="look-class")
        return int(chosen)
    last = n_patterns - 1 if what == "pattern" else next(i.n_units for i in study.layers if i.name == layer) - 1
    label = f"{what.capitalize()}, 0 to {last}"
    return int(st.number_input(label, 0, last, 0, key=f"look-{what}", bind="query-params", width=180))


def _pick_mode(
    study: Study, layer: str, what: str, number: int, n_patterns: int, config: ClusterConfig
) -> dict[str, Any]:
    kind = next(info.kind for info in study.layers if info.name == layer)
    modes = PATTERN_MODES if what == "pattern" else UNIT_MODES if what == "unit" else {}
    possible = [name for name in modes if _is_possible(study, layer, name, kind, n_patterns)]
    if not possible:
        return {"mode": ""}
    titles = {name: modes[name][0] for name in possible}
    mode = st.segmented_control(
        "Question", possible, default=possible[0], required=True, format_func=titles.__getitem__, key=f"mode-{what}"
    )
    found: dict[str, Any] = {"mode": str(mode)}
    if mode == "contrast":
        other = st.number_input(
            "Against pattern", 0, n_patterns - 1, 1 if number == 0 else 0, key="look-other", width=180
        )
        found["other"] = int(other)
    if mode == "edit":
        start = (number + 1) % n_patterns
        source = st.number_input(
            "Start from the most typical image of pattern", 0, n_patterns - 1, start, key="look-start", width=300
        )
        found["image"] = int(study.patterns(layer, config).medoid[int(source)])
    if mode == "token":
        shape = next(info.output_shape for info in study.layers if info.name == layer)
        last = max(0, math.prod(shape[:-1]) - 1)
        about = "0 is the class token where the network has one."
        found["token"] = int(
            st.number_input(f"Token, 0 to {last}", 0, last, 0, key="look-token", help=about, width=180)
        )
    return found


def _is_possible(study: Study, layer: str, mode: str, kind: str, n_patterns: int) -> bool:
    if mode in ("contrast", "edit"):
        return n_patterns > 1
    if mode == "distribution":
        names = list(study.layer_names)
        before = names[: names.index(layer) + 1]
        return any(info.kind in ("conv", "token") for info in study.layers if info.name in before)
    return kind == "token" if mode in ("feature", "token") else kind != "vector" if mode == "neuron" else True


def _pick_making(study: Study, network: Network, mode: str) -> dict[str, Any]:
    size = study_canvas(study, network).size
    usual = usual_way(size, study.n_images)
    ways = [way for way in WAYS if way != "generator" or usual == "generator"]
    if usual == "generator" and max(size) > QUICK and not has_generator(study, network):
        usual = "fourier"
    if mode == "edit":
        ways = ["fourier", "pixel"]
    first = usual if usual in ways and mode != "distribution" else "fourier"
    left, middle, right = st.columns([2, 1, 1])
    way = left.selectbox(
        "Parametrisation",
        ways,
        index=ways.index(first),
        format_func=lambda name: f"{WAYS[name][0]}",
        key=f"way-{first}",
    )
    left.caption(WAYS[str(way)][1])
    length = middle.selectbox("Steps", list(LENGTHS), index=1, format_func=lambda name: f"{name}, {LENGTHS[name]}")
    n_seeds = right.number_input("Seeds", 1, 6, 3, help="One image each; what they share is what the layer asks for.")
    asked = {"parametrisation": str(way), "n_steps": LENGTHS[str(length)], "seeds": range(int(n_seeds))}
    return asked | _pick_more(int(n_seeds))


def _pick_more(n_seeds: int) -> dict[str, Any]:
    _, left, right = st.columns([2, 1, 1])
    octaves = left.number_input(
        "Octaves", 1, 6, 1, help="Begin with the coarse, then double the detail so many times; 1 is all at once."
    )
    about = "Keeps the seeds' images apart from each other: the weight of unlike textures beside what is asked."
    diversity = right.number_input("Diversity", 0.0, LARGEST_DIVERSITY, 0.0, 0.5, help=about, disabled=n_seeds < 2)
    return {"n_octaves": int(octaves), "diversity": float(diversity) if n_seeds > 1 else 0.0}


def made_images(study: Study, network: Network, wish: Wish, config: ClusterConfig) -> Made | None:
    """Return the images where there are some; else offer to make them, and make them with the picture growing."""
    if has_images(study, network, wish, config):
        return synthetic(study, network, wish, config)
    key = image_key(study, network, wish, config)
    stopped: Moment | None = st.session_state.get(_STOPPED, {}).get(key)
    label = "Make these images" if stopped is None else f"Go on from step {stopped.n_done} of {wish.plan.n_steps}"
    space, note = st.empty(), st.empty()
    if wish.parametrisation == "generator" and not has_generator(study, network):
        note.caption("A generator is trained on the study's images first, once: a minute or two.")
    with space.container():  # what grows takes its place; a bare button would stay, greyed, below it
        is_asked = st.button(label, type="primary", key="make")
    if is_asked:
        try:
            with space.container():
                made = _made(study, network, wish, config, key, stopped)
        except NapError as error:
            space.empty()
            show_error(error)
            return None
        space.empty()
        note.empty()
        return made
    return None if stopped is None else at_moment(study, network, wish, stopped, config)


def _made(study: Study, network: Network, wish: Wish, config: ClusterConfig, key: str, after: Moment | None) -> Made:
    # Any click ends the script at the next report; what was reached by then is in the session and can be continued.
    st.button("Stop", help="Shows what is there by then; it can be continued.")
    picture = st.empty()
    st.session_state[_STOPPED] = {} if after is None else {key: after}
    made = synthetic(
        study,
        network,
        wish,
        config,
        progress=bar("Steps"),
        training=bar("Training the generator"),
        watch=_growing(wish, picture, key),
        after=after,
    )
    st.session_state.pop(_STOPPED, None)
    return made


def bar(step: str, above: DeltaGenerator | None = None) -> Progress:
    """Return a progress whose bar appears with its first report: where the script is then, or in `above`."""
    bars: list[Progress] = []

    def report(done: int, total: int) -> None:
        if not bars:
            with above or nullcontext():
                bars.append(show_progress(step))
        bars[0](done, total)

    return report


def _growing(wish: Wish, space: Any, key: str) -> Callable[[Bench, Moment], bool]:
    seen = {"at": 0.0}

    def watch(table: Bench, moment: Moment) -> bool:
        st.session_state[_STOPPED] = {key: moment}
        if time.monotonic() - seen["at"] > 0.7 or moment.n_done == 1:
            seen["at"] = time.monotonic()
            space.html(figures(ascent(table, wish).picture(moment), [""] * len(wish.plan.seeds)))
        return False

    return watch


def show_made(study: Study, made: Made) -> None:
    """Show synthetic images beside real ones, and what speaks for and against them."""
    left, right = st.columns(2, gap="large")
    lights = [LIGHTS[light] for light in made.check.light]
    captions = [
        f'<i style="background:{color}"></i>seed {seed}: {text}'
        for seed, (color, text) in zip(made.images.seed, lights, strict=True)
    ]
    with left:
        st.markdown("##### Made for this network")
        st.html(figures(made.images.picture, captions))
    with right:
        st.markdown("##### Real images", help="The most typical members, or those that drive the unit or class most.")
        picture_grid(study, made.exemplar.tolist(), key=f"real-{made.wish.layer}-{made.check.text}", size=84)
    if not made.is_finished:
        st.info(f"Stopped after {made.n_steps} of {made.wish.plan.n_steps} steps.")
    sentences = words(made.check, study.prediction_names)
    if made.check.is_suspicious:
        st.warning(sentences[-1])
        sentences = sentences[:-1]
    st.markdown("##### Can this be believed?")
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
    _downloads(study, made)


def _downloads(study: Study, made: Made) -> None:
    name = made.check.text.replace(" ", "-").replace("/", "-")
    with st.container(horizontal=True):
        for label, data, ending, kind in (
            ("Picture (PNG)", lambda: png(sheet(study, made)), "png", "image/png"),
            ("Check (JSON)", lambda: json.dumps(told(study, made), indent=1), "json", "application/json"),
        ):
            st.download_button(
                label,
                data,
                f"{name}.{ending}",
                kind,
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
            )


def png(picture: Image.Image) -> bytes:
    """Return an image as the bytes of a PNG file."""
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    return packed.getvalue()


def figures(pictures: Any, captions: list[str], size: int = 140) -> str:
    """Return HTML of pictures [image, channel, …] in [0, 1] in a wrapping row, each with a caption (HTML) below."""
    return image_figures([as_image(picture) for picture in pictures], captions, size)


def image_figures(images: list[Image.Image], captions: list[str], size: int) -> str:
    """Return HTML of images in a wrapping row of `size` pixels, each with a caption (HTML) below."""
    made = []
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        source = f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"
        made.append(
            f'<figure><img src="{source}" alt="made image {number}"><figcaption>{caption}</figcaption></figure>'
        )
    return f'{_STYLE}<div class="nap-made" style="--nap-size:{size}px">{"".join(made)}</div>'
