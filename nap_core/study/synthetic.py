"""Synthetic images of a study's patterns, units and classes, kept with the study: `maximize` with all it stands on.

Statistics, generators and checks are made of the study's pictures as `nap_core.study.framing` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import ConfigError, UnknownNameError
from nap_core.explain.autoencoder import FEWEST_IMAGES, Training, generator, train_generator, usual_training
from nap_core.explain.canvas import Canvas, ImageStatistics, image_statistics
from nap_core.explain.check import Check, Target, check, compared, logit_target, pattern_target, unit_target
from nap_core.explain.maximize import USUAL_STEPS, FeatureImage, Moment, feature_image, maximize
from nap_core.explain.parametrisations import Generator, from_linear_prior, linear_prior
from nap_core.explain.recipes import Bench, ascent
from nap_core.explain.reference import Reference, shrunk
from nap_core.explain.space import PatternSpace, pattern_space
from nap_core.explain.wishes import LARGEST_GENERATED, Wish, usual_plan, usual_way
from nap_core.keys import digest
from nap_core.store import Entry
from nap_core.study.framing import framed_pictures, source_of_pictures, study_canvas
from nap_core.study.study import Study
from nap_core.types import Int, Progress, frozen_array

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

FACTS_VERSION = 2  # raised when the meaning of stored picture facts changes
GENERATOR_VERSION = 3  # raised when another generator comes of the same training, and the next with it
IMAGE_VERSION = 5  # raised when the meaning of stored synthetic images changes
_SAMPLE = 600  # pictures that statistics and the linear prior are made of
_N_CODES = 48  # of the linear prior
_IN_PARTS = 64
N_SHOWN = 9
"""Real images that stand beside a synthetic one."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Synthetic images with their check and the real images they stand beside."""

    wish: Wish
    images: FeatureImage
    check: Check
    exemplar: Int  # real images, the most typical first

    def __post_init__(self) -> None:
        object.__setattr__(self, "exemplar", frozen_array(self.exemplar, np.int32))

    @property
    def n_steps(self) -> int:
        """Steps that were made; fewer than planned where the run was stopped."""
        return len(self.images.history)

    @property
    def is_finished(self) -> bool:
        """Whether all planned steps were made."""
        return self.n_steps >= self.wish.plan.n_steps


def _facts_key(study: Study, network: Network) -> str:
    images, source = study.images["fingerprint"], source_of_pictures(study)
    preprocessing = network.preprocessing.key
    return digest("picture facts", images=images, source=source, preprocessing=preprocessing, version=FACTS_VERSION)


def _facts(study: Study, network: Network) -> Entry:
    """Return mean, colour and spectrum of the study's pictures, and all of them small."""

    def made() -> dict[str, NDArray[Any]]:
        import torch

        small = []
        for first in range(0, study.n_images, _IN_PARTS):
            part = np.arange(first, min(first + _IN_PARTS, study.n_images))
            picture = framed_pictures(study, network, part)
            small.append(np.round(255 * shrunk(torch.from_numpy(picture)).numpy()).astype(np.uint8))
        found = image_statistics(framed_pictures(study, network, _sample(study, 200)))
        parts = {field.name: getattr(found, field.name) for field in fields(ImageStatistics)}
        return parts | {"small": np.concatenate(small)}

    return study.store.compute(_facts_key(study, network), made, kind="picture facts")


def _sample(study: Study, most: int) -> NDArray[Any]:
    return np.linspace(0, study.n_images - 1, min(most, study.n_images)).astype(int)


def study_generator(study: Study, network: Network, name: str, progress: Progress | None = None) -> Generator:
    """Return the auto-encoder trained on the study's images (``generator``) or their ``linear`` prior.

    A training that is broken off, by an error or by `progress`, goes on near where it was when it is asked for again.

    Raises
    ------
    ConfigError
        If the images are too large or too few for an auto-encoder.
    """
    there = study_canvas(study, network)
    if name == "linear":
        return _linear(study, network, there)
    if usual_way(there.size, study.n_images) != "generator":
        raise ConfigError(
            f"An auto-encoder is trained on at least {FEWEST_IMAGES} pictures of at most {LARGEST_GENERATED} pixels; "
            f"here are {study.n_images} of {'×'.join(map(str, there.size))}. Choose linear or fourier."
        )
    training = usual_training(there.size)
    layers = [layer for layer in study.layers if layer.kind != "unreadable"]

    key = _generator_key(study, network, training)
    draft = study.store.draft(key)

    def trained() -> dict[str, NDArray[Any]]:
        pictures = framed_pictures(study, network, np.arange(study.n_images))
        keep, after = draft.snapshot, draft.last_snapshot()
        return train_generator(network, there, layers, pictures, training, progress=progress, keep=keep, after=after)

    entry = study.store.compute(key, trained, kind="generator", training=asdict(training))
    draft.discard()
    return generator(there.shape, training, entry.arrays)


def _generator_key(study: Study, network: Network, training: Training) -> str:
    names = [layer.name for layer in study.layers if layer.kind != "unreadable"]
    facts, model = _facts_key(study, network), network.fingerprint
    return digest("generator", facts=facts, model=model, layers=names, training=training, version=GENERATOR_VERSION)


def has_generator(study: Study, network: Network) -> bool:
    """Whether the auto-encoder is trained already."""
    key = _generator_key(study, network, usual_training(study_canvas(study, network).size))
    return study.store.path(key).is_dir()


def _linear(study: Study, network: Network, there: Canvas) -> Generator:
    import torch
    from torch.nn.functional import interpolate

    size = [min(side, LARGEST_GENERATED) for side in there.size]
    key = digest("linear prior", facts=_facts_key(study, network), n_codes=_N_CODES, version=FACTS_VERSION)

    def fitted() -> dict[str, NDArray[Any]]:
        picture = torch.from_numpy(framed_pictures(study, network, _sample(study, _SAMPLE)))
        mean, components = linear_prior(interpolate(picture, size=size, mode="area").numpy(), _N_CODES)
        return {"mean": mean, "components": components}

    arrays = study.store.compute(key, fitted, kind="linear prior").arrays
    return from_linear_prior(there.shape, arrays["mean"], arrays["components"], size)


def study_space(study: Study, layer: str, config: ClusterConfig | None = None) -> PatternSpace:
    """Return the space of the patterns of a whole layer.

    Raises
    ------
    ConfigError
        If the name is that of a single unit, whose patterns have no space of their own here.
    """
    info = next((info for info in study.layers if info.name == layer), None)
    if info is None:
        study.activations_key(layer)  # says which layers there are
        raise ConfigError(f"'{layer}' is a single unit; choose its layer, and the unit as what is looked for.")
    config = config or study.config
    activations, patterns = study.activations(layer), study.patterns(layer, config)
    return pattern_space(info, activations, patterns, config, study.about["pooling"])


def bench(
    study: Study, network: Network, layer: str, config: ClusterConfig | None = None, *, progress: Progress | None = None
) -> Bench:
    """Return all that images of a layer are made with; what takes long is made when it is asked for, and kept.

    Raises
    ------
    StudyError
        If it is not the study's network, or the study has no pictures.
    """
    there = study_canvas(study, network)
    facts = _facts(study, network)
    return Bench(
        network=network,
        canvas=there,
        space=study_space(study, layer, config),
        layers={info.name: info for info in study.layers},
        statistics=ImageStatistics(**{field.name: facts.arrays[field.name] for field in fields(ImageStatistics)}),
        pictures=lambda images: framed_pictures(study, network, images),
        generator=lambda name: study_generator(study, network, name, progress),
        prediction=None if study.predictions is None else study.predictions.prediction,
        unit=study.activations(layer).unit,
    )


def wish_for(
    study: Study,
    network: Network,
    layer: str,
    *,
    pattern: int | None = None,
    unit: int | None = None,
    logit: int | None = None,
    mode: str = "",
    other: int | None = None,
    image: int | str | None = None,
    token: int | None = None,
    diversity: float = 0.0,
    parametrisation: str = "",
    n_steps: int = USUAL_STEPS,
    seeds: Sequence[int] = (0, 1, 2),
    n_octaves: int = 1,
) -> Wish:
    """Return a wish with what suits the study's pictures where nothing is said.

    Parameters
    ----------
    image
        Number or id of the picture that an edit starts from;
    parametrisation
        "" is the usual one for the size; of an edit, waves.

    Raises
    ------
    UnknownNameError, ConfigError
        If the parts do not go together, or there is no such image.
    """
    size = study_canvas(study, network).size
    way = parametrisation or ("fourier" if mode in ("edit", "distribution") else usual_way(size, study.n_images))
    plan = usual_plan(size, n_steps, seeds, n_octaves)
    start = None if image is None else _image_number(study, image)
    return Wish(layer, pattern, unit, logit, mode, other, start, token, diversity, way, plan)


def _image_number(study: Study, image: int | str) -> int:
    if str(image) in study.ids:
        return study.ids.index(str(image))
    if str(image).isdigit() and int(image) < study.n_images:
        return int(image)
    raise UnknownNameError(f"No image '{image}'; give an id, or a number from 0 to {study.n_images - 1}.")


def image_key(study: Study, network: Network, wish: Wish, config: ClusterConfig | None = None) -> str:
    """Return the key of the images of a wish."""
    return digest(
        "synthetic",
        patterns=study.patterns_key(wish.layer, config),
        facts=_facts_key(study, network),
        layers=list(study.layer_names),
        model=network.fingerprint,
        wish=wish,
        version=IMAGE_VERSION,
    )


def has_images(study: Study, network: Network, wish: Wish, config: ClusterConfig | None = None) -> bool:
    """Whether the images of a wish can be read at once."""
    return study.store.path(image_key(study, network, wish, config)).is_dir()


def synthetic(
    study: Study,
    network: Network,
    wish: Wish,
    config: ClusterConfig | None = None,
    *,
    progress: Progress | None = None,
    training: Progress | None = None,
    watch: Callable[[Bench, Moment], bool] | None = None,
    after: Moment | None = None,
) -> Made:
    """Return the images of a wish, with their check; made when they are asked for the first time.

    Parameters
    ----------
    progress
        Of the steps.
    training
        Of the generator, where one has to be trained first.
    watch
        Called with every moment, and returns True to stop there; what was stopped is returned and not kept.
    after
        A moment of a stopped run of the same wish, to go on behind it.

    Raises
    ------
    StudyError
        If it is not the study's network, or the study has no pictures.
    UnknownNameError, ConfigError
        If there is no such pattern, unit or class, or the layer cannot be asked in this way.
    SilentUnitError, NotFiniteError
        If there is nothing to climb.
    """
    key = image_key(study, network, wish, config)
    entry = study.store.get(key)
    if entry is not None:
        return read_made(entry, wish)
    table = bench(study, network, wish.layer, config, progress=training)
    run = ascent(table, wish)
    images = maximize(run, progress=progress, watch=(lambda m: watch(table, m)) if watch else None, after=after)
    made = made_of(study, table, wish, images, config)
    if made.is_finished:
        keep(study, network, made, config)
    return made


def keep(study: Study, network: Network, made: Made, config: ClusterConfig | None = None) -> None:
    """Keep finished images with the study."""
    key = image_key(study, network, made.wish, config)
    about = {"patterns": study.patterns_key(made.wish.layer, config), "version": IMAGE_VERSION}
    study.store.put(key, _arrays(made), kind="synthetic", layer=made.wish.layer, wish=asdict(made.wish), **about)


def at_moment(study: Study, network: Network, wish: Wish, moment: Moment, config: ClusterConfig | None = None) -> Made:
    """Return what a stopped run had come to."""
    table = bench(study, network, wish.layer, config)
    return made_of(study, table, wish, feature_image(ascent(table, wish), moment), config)


def made_of(study: Study, table: Bench, wish: Wish, images: FeatureImage, config: ClusterConfig | None = None) -> Made:
    """Return images with their check and the real images they stand beside."""
    activations = study.activations(wish.layer)
    target = target_of(study, table.space, wish)
    reference = Reference(_facts(study, table.network).arrays["small"])
    told = check(
        table.network,
        table.canvas,
        table.space,
        target,
        images.picture,
        reference,
        study.predictions,
        activations.unit,
    )
    return Made(wish, images, told, _shown(study, wish, target, config))


def way_likeness(study: Study, network: Network, made: Sequence[Made]) -> NDArray[np.float64]:
    """Return [set, set] how alike sets of synthetic images are as pictures; see `compared`."""
    reference = Reference(_facts(study, network).arrays["small"])
    return compared({str(n): one.images.picture for n, one in enumerate(made)}, reference)


def target_of(study: Study, space: PatternSpace, wish: Wish) -> Target:
    """Return what the images of a wish are held against."""
    if wish.pattern is not None:
        return pattern_target(space, wish.pattern)
    if wish.unit is not None:
        return unit_target(space, study.activations(wish.layer), wish.unit)
    assert wish.logit is not None
    if study.predictions is None:
        raise ConfigError("This study's network gives no classes, so there is no logit to look for.")
    return logit_target(space, study.predictions, wish.logit)


def _shown(study: Study, wish: Wish, target: Target, config: ClusterConfig | None) -> Int:
    if wish.pattern is None:
        return np.asarray(target.member[:N_SHOWN], np.int32)
    patterns = study.patterns(wish.layer, config)
    first = [int(patterns.medoid[wish.pattern]), *patterns.exemplars(wish.pattern), *patterns.members(wish.pattern)]
    return np.array(list(dict.fromkeys(int(image) for image in first))[:N_SHOWN], np.int32)


_IMAGE = [field.name for field in fields(FeatureImage)]
_CHECK = [field.name for field in fields(Check)]


def _arrays(made: Made) -> dict[str, NDArray[Any]]:
    images = {f"image_{name}": np.asarray(getattr(made.images, name)) for name in _IMAGE}
    told = {f"check_{name}": np.asarray(getattr(made.check, name)) for name in _CHECK}
    return images | told | {"exemplar": made.exemplar}


def read_made(entry: Entry, wish: Wish) -> Made:
    """Return what `keep` kept of a wish."""
    arrays = entry.arrays
    images = FeatureImage(**{name: _value(arrays[f"image_{name}"]) for name in _IMAGE})
    told = Check(**{name: _value(arrays[f"check_{name}"]) for name in _CHECK})
    return Made(wish, images, told, arrays["exemplar"])


def _value(array: NDArray[Any]) -> Any:
    return array if array.ndim else array.item()
