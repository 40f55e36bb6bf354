"""Pictures in rows, as plain HTML: lazily loaded, one size, with their names for those who cannot see them."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import streamlit as st

from nap_core.export import named, predicted
from nap_core.study import Study
from nap_core.study.answers import misclassified
from nap_core.types import NOISE

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet

_STYLE = """<style>
.nap-row{display:flex;flex-wrap:wrap;gap:6px;margin:2px 0 4px}
.nap-row figure{margin:0;position:relative;width:var(--nap-size)}
.nap-row img{width:var(--nap-size);height:var(--nap-size);object-fit:cover;border-radius:4px;display:block;
 image-rendering:auto}
.nap-row figcaption{font-size:11px;line-height:1.25;opacity:.75;overflow:hidden;overflow-wrap:anywhere;
 display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2}
.nap-row .nap-wrong::after{content:"";position:absolute;top:0;right:0;border-style:solid;border-width:0 13px 13px 0;
 border-color:transparent #c0362c transparent transparent;border-top-right-radius:4px}
.nap-row .nap-id{width:auto;padding:2px 6px;border:1px solid #8886;border-radius:4px;font-size:12px}
.nap-noise{border:1px dashed #8b8f96}
</style>"""


def is_wrong(study: Study, image: int) -> bool:
    """Whether the model's answer differs from the data set's class, by name; False where the model lacks the class."""
    return bool(misclassified(study)[image])


def words(study: Study, image: int) -> str:
    """Return what is said of an image beside it."""
    target, answer = named(int(study.target[image]), study.class_names), predicted(study, image)
    if is_wrong(study, image):
        return f"{target}, seen as {answer}"
    return target or (f"seen as {answer}" if answer else "")


def _figure(study: Study, image: int, captions: bool) -> str:
    name, said = html.escape(study.ids[image], quote=True), html.escape(words(study, image), quote=True)
    if not study.has_pictures:
        return f'<figure class="nap-id" data-image="{name}">{name} {said}</figure>'
    code = base64.b64encode(study.thumbnail(image)).decode()
    wrong = " class='nap-wrong'" if is_wrong(study, image) else ""
    caption = f"<figcaption>{said or name}</figcaption>" if captions else ""
    picture = f'<img loading="lazy" src="data:image/jpeg;base64,{code}" alt="{name}" title="{name} · {said}">'
    return f"<figure{wrong}>{picture}{caption}</figure>"


def picture_data(study: Study, image: int) -> dict[str, Any]:
    """Return what a component needs to show an image."""
    code = base64.b64encode(study.thumbnail(image)).decode() if study.has_pictures else ""
    return {
        "image": image,
        "name": study.ids[image],
        "said": words(study, image),
        "source": f"data:image/jpeg;base64,{code}" if code else "",
        "wrong": is_wrong(study, image),
    }


def open_image(study: Study, image: int) -> None:
    """Go to the page of an image."""
    st.switch_page("pages/image.py", query_params={"image": study.ids[image]})


def pictures(study: Study, images: Iterable[int], *, size: int = 72, captions: bool = False) -> None:
    """Show images in a wrapping row of squares of `size` pixels; a red corner marks a wrong answer."""
    figures = "".join(_figure(study, int(image), captions) for image in images)
    st.html(f'{_STYLE}<div class="nap-row" style="--nap-size:{size}px">{figures}</div>')


def chip(color: str, text: str) -> str:
    """Return HTML of a coloured square before a text."""
    square = f"display:inline-block;width:.8em;height:.8em;border-radius:3px;margin-right:.45em;background:{color}"
    return f'<span style="{square}"></span>{html.escape(text)}'


def pattern_title(pattern: int, name: str = "") -> str:
    """Return what a pattern, or the noise, is called as a heading; with the name that a reader gave it."""
    title = "No pattern" if pattern == NOISE else f"Pattern {pattern}"
    return f"{title} · {name}" if name else title


def html_pictures(images: ImageSet, chosen: Iterable[int], size: int = 64) -> None:
    """Show some pictures of an image set that is not part of a study yet."""
    from nap_core.inputs.images import thumbnail

    figures = []
    for image in chosen:
        code = base64.b64encode(thumbnail(images.picture(image, at_least=128), 128)).decode()
        name = html.escape(images.ids[image], quote=True)
        figures.append(f'<figure><img src="data:image/jpeg;base64,{code}" alt="{name}" title="{name}"></figure>')
    st.html(f'{_STYLE}<div class="nap-row" style="--nap-size:{size}px">{"".join(figures)}</div>')
