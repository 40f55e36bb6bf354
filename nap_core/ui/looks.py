"""What patterns look for, wherever a pattern is shown: a small synthetic picture with the light of its check."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from nap_core.configs import ClusterConfig
from nap_core.explain.words import words
from nap_core.flows import FlowChart
from nap_core.study import Study
from nap_core.study.looks import Look, Looks, looks
from nap_core.study.synthetic_files import overlay
from nap_core.types import NOISE, Int
from nap_core.ui.resources import go_to

LIGHTS = {
    "green": ("#2e8b57", "reached, like real images"),
    "amber": ("#c58a12", "reached, unlike real images"),
    "red": ("#c0362c", "not reached"),
}
"""Light of a check → colour, and what it says."""
SUSPICIOUS = "suspicious: unlike every member"
_STYLE = """<style>
.nap-looks{display:flex;flex-wrap:wrap;gap:10px 12px;margin:2px 0 6px}
.nap-looks figure{margin:0;width:var(--nap-size)}
.nap-looks img{width:100%;border-radius:4px;display:block}
.nap-looks figcaption{font-size:12px;line-height:1.35;margin-top:3px;overflow-wrap:anywhere}
.nap-looks i{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.4em}
</style>"""
_EXACT = 32  # pixels a side up to which single pixels are to be seen
_AVERAGED = 16  # members whose mean lies under a map


def kept_looks(study: Study, layer: str, config: ClusterConfig) -> Looks | None:
    """Return what is kept of a whole layer that has patterns; None where nothing can be."""
    if layer not in study.layer_names or not study.about["model"] or not study.has_patterns(layer, config):
        return None
    return looks(study, layer, config)


def light_of(look: Look) -> tuple[str, str]:
    """Return colour and words of a look's check."""
    color, said = LIGHTS[look.light]
    return color, SUSPICIOUS if look.check.is_suspicious else said


def look_data(study: Study, look: Look) -> dict[str, Any]:
    """Return what a component needs to show a look."""
    color, said = light_of(look)
    return {
        "source": source(shown(look.picture)),
        "color": color,
        "said": said,
        "help": "Made for this network, no real picture. " + " ".join(words(look.check, study.prediction_names)),
    }


def shown(picture: np.ndarray, least: int = 128) -> Image.Image:
    """Return pixels [height, width(, 3)] as a picture; small ones enlarged by a whole number."""
    made = Image.fromarray(np.ascontiguousarray(picture))
    times = -(-least // max(made.size)) if max(made.size) <= _EXACT else 1
    return made.resize((made.width * times, made.height * times), Image.Resampling.NEAREST)


def source(picture: Image.Image) -> str:
    """Return a picture as an address that holds it."""
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    return f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"


def where_picture(study: Study, look: Look, members: Int) -> Image.Image | None:
    """Return where a pattern's score comes from, over the mean of some members; None where no place speaks for it."""
    if look.places is None or not look.places.any() or not study.has_pictures:
        return None
    some = members[:_AVERAGED]
    thumbs = [Image.open(io.BytesIO(study.thumbnail(int(image)))).convert("L").resize((64, 64)) for image in some]
    mean = np.mean([np.asarray(one, np.float32) for one in thumbs], axis=0) / 255
    return overlay(mean[None], look.places / 255)


def figure_row(pictures: list[tuple[str, str, str]], size: int) -> str:
    """Return HTML of pictures in a wrapping row: address, caption (HTML) and what it is, for those who cannot see."""
    made = [
        f'<figure><img src="{address}" alt="{html.escape(about, quote=True)}" title="{html.escape(about, quote=True)}">'
        f"<figcaption>{caption}</figcaption></figure>"
        for address, caption, about in pictures
    ]
    return f'{_STYLE}<div class="nap-looks" style="--nap-size:{size}px">{"".join(made)}</div>'


def light_html(look: Look) -> str:
    """Return a coloured dot and what it says."""
    color, said = light_of(look)
    return f'<i style="background:{color}"></i>{said}'


def along_flow(study: Study, config: ClusterConfig, chart: FlowChart, images: Int) -> None:
    """Show what the patterns that most of some images pass look for, from layer to layer."""
    found, can_be = [], False
    for layer in chart.layers:
        there = kept_looks(study, layer, config)
        label = study.patterns(layer, config).label[images]
        label = label[label != NOISE]
        if there is None or not len(label):
            continue
        can_be |= bool(there.asked)
        pattern = int(np.bincount(label).argmax())
        if pattern in there.kept:
            share = float((label == pattern).sum() / len(images))
            found.append(_step(layer, there.kept[pattern], share))
    if found:
        st.markdown(
            "###### What is looked for on their way",
            help="For each layer, the pattern that most of these images are in, and a picture made for it. None of "
            "them is a real picture; the dot tells whether it passed its check.",
        )
        st.html(figure_row(found, 84))
    elif can_be:
        offer_looks(chart.layers[-1], key="flow-looks")


def _step(layer: str, look: Look, share: float) -> tuple[str, str, str]:
    color, said = light_of(look)
    light = f'<i style="background:{color}"></i>'
    caption = f"<code>{html.escape(layer)}</code><br>{light}pattern {look.pattern}<br>{share:.0%} of them"
    return source(shown(look.picture)), caption, f"Made for pattern {look.pattern} of {layer}: {said}"


def offer_looks(layer: str, *, key: str) -> None:
    """Lead quietly to where pictures are made of all patterns of a layer."""
    go_to("What do these patterns look for? Make the pictures", "maximize", key=key, layer=layer, **{"look-for": ALL})


ALL = "all patterns"
"""What is looked for where it is every pattern of a layer."""
