"""What the patterns of a layer look for, as small pictures kept with the study: a prototype each, with its check.

They are made once, in parts of a few patterns, the largest patterns first; a run that is stopped goes on with the parts
that are missing. What is kept is read without the network and without torch, so that every page can show it at once,
and it is small enough to be shipped with the demos.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.explain.check import Check
from nap_core.explain.maximize import USUAL_STEPS
from nap_core.explain.places import can_be_placed, place_maps
from nap_core.explain.wishes import WAYS
from nap_core.keys import digest
from nap_core.store import Entry
from nap_core.study.folder import THUMBNAIL
from nap_core.study.framing import framed_pictures, study_canvas
from nap_core.study.prototypes import prototypes
from nap_core.study.study import Study
from nap_core.study.synthetic import FACTS_VERSION, IMAGE_VERSION, Made, study_space, wish_for
from nap_core.study.synthetic_files import as_image
from nap_core.types import Progress, frozen_array

if TYPE_CHECKING:
    from PIL import Image

    from nap_core.inputs.models import Network

LOOKS_VERSION = 1  # raised when the meaning of kept looks changes
FEWEST_MEMBERS = 10
"""Members from which a pattern is looked at."""
PART = 16
"""Patterns that are made and kept together."""
_SEEDS = (0, 1, 2)
_LARGEST_SEEDED = 64  # longest side in pixels up to which every pattern is made from several seeds
_EXACT = 32  # longest side in pixels up to which a kept picture loses nothing
_N_PLACED = 24  # members whose maps are averaged
_MAP = 16  # places a side that a kept map has at most
_EACH = [field.name for field in fields(Check) if "NDArray" in str(field.type)]
_WHOLE = [field.name for field in fields(Check) if str(field.type) in ("float", "int")]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one pattern looks for: the first seed's picture, and the check of all seeds."""

    pattern: int
    picture: NDArray[np.uint8]  # [height, width] or [height, width, 3]
    check: Check
    places: NDArray[np.uint8] | None  # [row, column] where its score comes from, mean of members, the most is 255

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", frozen_array(self.picture, np.uint8, np.ndim(self.picture)))

    @property
    def light(self) -> str:
        """``green``, ``amber`` or ``red``; see `Check.light`."""
        return self.check.light[0]


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What is kept of a layer."""

    way: str  # of `WAYS`; nothing where nothing is kept
    asked: tuple[int, ...]  # patterns that are large enough, the largest first
    kept: dict[int, Look]  # pattern → its look
    is_finished: bool  # whether all parts are there; a pattern of which nothing can be drawn has no look


def asked_patterns(study: Study, layer: str, config: ClusterConfig | None = None) -> tuple[int, ...]:
    """Return the patterns of at least `FEWEST_MEMBERS` images, the largest first."""
    size = study.patterns(layer, config).size
    order = np.argsort(-size, kind="stable")
    return tuple(int(pattern) for pattern in order if size[pattern] >= FEWEST_MEMBERS)


def looks(study: Study, layer: str, config: ClusterConfig | None = None) -> Looks:
    """Return what is kept of a layer; needs neither the network nor torch."""
    asked = asked_patterns(study, layer, config)
    for way in WAYS:
        parts = [study.store.get(_key(study, layer, config, way, part)) for part in _parts(asked)]
        there = [entry for entry in parts if entry is not None]
        if there:
            kept = {look.pattern: look for entry in there for look in _read(layer, entry)}
            return Looks(way, asked, kept, len(there) == len(parts))
    return Looks("", asked, {}, not asked)


def make_looks(
    study: Study,
    network: Network,
    layer: str,
    config: ClusterConfig | None = None,
    *,
    way: str = "",
    progress: Progress | None = None,
    training: Progress | None = None,
    watch: Callable[[Looks], bool] | None = None,
) -> Looks:
    """Make what is missing of a layer and return all of it.

    Parameters
    ----------
    way
        Parametrisation; what suits the pictures' size when empty.
    progress
        Of the patterns, in steps of `USUAL_STEPS` each.
    training
        Of the generator, where one has to be trained first.
    watch
        Called with what is kept after every part, and returns True to stop there.

    Raises
    ------
    StudyError
        If it is not the study's network, or the study has no pictures.
    """
    asked = asked_patterns(study, layer, config)
    way = way or wish_for(study, network, layer, pattern=0).parametrisation
    seeds = _SEEDS if max(study_canvas(study, network).size) <= _LARGEST_SEEDED else _SEEDS[:1]
    done = 0
    for part in _parts(asked):
        key, report = _key(study, layer, config, way, part), _within(progress, done, len(part), len(asked))
        if study.store.get(key) is None:
            how: dict[str, Any] = {"parametrisation": way, "seeds": seeds, "progress": report, "training": training}
            made = list(prototypes(study, network, layer, part, config, **how))
            study.store.put(key, _arrays(study, network, layer, made, config), kind="looks", layer=layer, way=way)
            if watch and watch(looks(study, layer, config)):
                break
        report(1, 1)
        done += len(part)
    return looks(study, layer, config)


def _parts(asked: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for first in range(0, len(asked), PART):
        yield tuple(asked[first : first + PART])


def _key(study: Study, layer: str, config: ClusterConfig | None, way: str, part: tuple[int, ...]) -> str:
    model = (study.about["model"] or {"fingerprint": ""})["fingerprint"]
    facts = {"told": (_EACH, _WHOLE), "versions": (LOOKS_VERSION, IMAGE_VERSION, FACTS_VERSION)}
    return digest("looks", patterns=study.patterns_key(layer, config), model=model, way=way, part=part, **facts)


def _within(progress: Progress | None, done: int, n_part: int, n_asked: int) -> Progress:
    """Return a progress of one part that reports to that of all patterns; some of the part may be there already."""

    def report(steps: int, of: int) -> None:
        if progress:
            progress(done * USUAL_STEPS + n_part * USUAL_STEPS * steps // max(1, of), n_asked * USUAL_STEPS)

    return report


def _arrays(
    study: Study, network: Network, layer: str, made: Sequence[Made], config: ClusterConfig | None
) -> dict[str, NDArray[Any]]:
    if not made:
        return {"pattern": np.array([], np.int32)}
    pictures = [_small(as_image(one.images.picture[0], least=1)) for one in made]
    arrays: dict[str, NDArray[Any]] = {
        "pattern": np.array([one.wish.pattern for one in made], np.int32),
        "width": np.array(pictures[0].width, np.int32),
        "sheet": _sheet(pictures),
        "each": np.array([[getattr(one.check, name) for name in _EACH] for one in made], np.float32),
        "whole": np.array([[getattr(one.check, name) for name in _WHOLE] for one in made], np.float32),
    }
    if not can_be_placed(study_space(study, layer, config)):
        arrays["places"] = np.stack([_places(study, network, layer, int(n), config) for n in arrays["pattern"]])
    return arrays


def _small(picture: Image.Image) -> Image.Image:
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return picture


def _sheet(pictures: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """Return pictures of one size side by side, as the bytes of one file."""
    from PIL import Image

    width, height = pictures[0].size
    page = Image.new(pictures[0].mode, (width * len(pictures), height))
    for number, picture in enumerate(pictures):
        page.paste(picture, (number * width, 0))
    packed = io.BytesIO()
    if max(width, height) <= _EXACT:
        page.save(packed, "PNG", optimize=True)
    else:
        page.save(packed, "JPEG", quality=85, optimize=True)
    return np.frombuffer(packed.getvalue(), np.uint8)


def _places(
    study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig | None
) -> NDArray[np.uint8]:
    """Return where a pattern's score comes from, the mean over its firmest members."""
    from PIL import Image

    image = study.patterns(layer, config).members(pattern)[:_N_PLACED]
    space, there = study_space(study, layer, config), study_canvas(study, network)
    found = place_maps(network, there, space, pattern, framed_pictures(study, network, image)).map.mean(axis=0)
    scaled = Image.fromarray(np.round(255 * found / max(float(found.max()), 1e-12)).astype(np.uint8))
    scaled.thumbnail((_MAP, _MAP), Image.Resampling.BOX)
    return np.asarray(scaled)


def _read(layer: str, entry: Entry) -> Iterator[Look]:
    from PIL import Image

    arrays = entry.arrays
    if not len(arrays["pattern"]):
        return
    width = int(arrays["width"])
    with Image.open(io.BytesIO(arrays["sheet"].tobytes()), formats=("JPEG", "PNG")) as page:
        if not 0 < max(width, page.height) <= THUMBNAIL or page.width != width * len(arrays["pattern"]):
            raise ValueError(f"the looks of '{layer}' do not fit their sheet")
        sheet = np.asarray(page)
    for row, pattern in enumerate(arrays["pattern"].tolist()):
        check = _check(f"pattern {pattern} of {layer}", arrays["each"][row], arrays["whole"][row])
        places = np.asarray(arrays["places"][row]) if "places" in arrays else None
        yield Look(pattern, sheet[:, row * width : (row + 1) * width], check, places)


def _check(text: str, each: NDArray[Any], whole: NDArray[Any]) -> Check:
    told: dict[str, Any] = {field.name: field.type for field in fields(Check)}
    told |= dict(zip(_EACH, each, strict=True))
    numbers = zip(_WHOLE, whole.tolist(), strict=True)
    return Check(**told | {"text": text} | {name: int(n) if told[name] == "int" else n for name, n in numbers})
