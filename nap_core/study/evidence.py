"""What is behind a pattern of a study: its units, its places, its causes, how firmly it holds; kept with the study."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.explain.attributions import METHODS, agreement, grad_cam
from nap_core.explain.causes import Causes, causes, n_changed
from nap_core.explain.head import PatternHead
from nap_core.explain.places import PlaceMaps, can_be_placed, enlarged, place_maps
from nap_core.explain.robustness import LEVELS, Robustness, robustness
from nap_core.keys import digest
from nap_core.patterns.unit_rules import Condition, Template, UnitRule, template, unit_rule
from nap_core.patterns.units import unit_contrast
from nap_core.study.framing import framed_pictures, source_of_pictures, study_canvas
from nap_core.study.study import Study
from nap_core.study.synthetic import study_space
from nap_core.types import NOISE, Float, Int, Progress, frozen_array

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

RULE_VERSION = 1  # raised when the meaning of stored rules changes
CAUSES_VERSION = 1  # raised when the meaning of stored causes changes
MAPS_VERSION = 1  # raised when the meaning of stored maps changes
ROBUSTNESS_VERSION = 1  # raised when the meaning of stored robustness changes
N_MAPPED = 6
_N_ASKED = 60  # members, and as many other images, that causes are asked of
_N_ATTACKED = 16
_N_TEMPLATE = 6


def pattern_rule(study: Study, layer: str, pattern: int, config: ClusterConfig | None = None) -> UnitRule:
    """Return the short rule that tells a pattern's members by their units; see `unit_rule`."""
    key = digest("rule", patterns=study.patterns_key(layer, config), pattern=pattern, version=RULE_VERSION)

    def found() -> dict[str, NDArray[Any]]:
        rule = unit_rule(study.activations(layer).values, study.patterns(layer, config).label == pattern)
        conditions = [(one.feature, one.is_high, one.threshold) for one in rule.conditions]
        judged = np.array([rule.precision, rule.recall, rule.n_held_out])
        return {"conditions": np.array(conditions, np.float64).reshape(-1, 3), "judged": judged}

    arrays = study.store.compute(key, found, kind="rule", layer=layer).arrays
    conditions = tuple(Condition(int(feature), bool(high), float(at)) for feature, high, at in arrays["conditions"])
    precision, recall, n = arrays["judged"].tolist()
    return UnitRule(conditions, precision, recall, int(n))


def pattern_template(study: Study, layer: str, pattern: int, config: ClusterConfig | None = None) -> Template:
    """Return the units in which a pattern's firmest members agree, and whether they find the others."""
    patterns = study.patterns(layer, config)
    values = np.asarray(study.activations(layer).values)
    return template(values, patterns.label == pattern, patterns.members(pattern)[:_N_TEMPLATE])


def _key(
    kind: str, study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig | None, **more: Any
) -> str:
    """Return the key of what is found by running the network on a pattern's members."""
    patterns = study.patterns_key(layer, config)
    source = source_of_pictures(study)
    return digest(kind, patterns=patterns, model=network.fingerprint, pictures=source, pattern=pattern, **more)


def pattern_causes(
    study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig | None = None
) -> Causes:
    """Return what changing a pattern's units does, beside random units; see `causes`."""
    key = _key("causes", study, network, layer, pattern, config, version=CAUSES_VERSION)
    entry = study.store.compute(
        key, lambda: _causes(study, network, layer, pattern, config), kind="causes", layer=layer
    )
    shares = {name: float(value) for name, value in zip(_SHARES, entry.arrays["shares"], strict=True)}
    return Causes(tuple(int(unit) for unit in entry.arrays["units"]), **shares)


_SHARES = [field.name for field in fields(Causes) if field.name != "units"]


def _causes(
    study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig | None
) -> dict[str, NDArray[Any]]:
    space, activations = study_space(study, layer, config), study.activations(layer)
    values, inside = np.asarray(activations.values), study.patterns(layer, config).label == pattern
    order = activations.unit[unit_contrast(values, inside, values.shape[1]).feature]
    units = list(dict.fromkeys(int(unit) for unit in order))[: n_changed(space.layer.n_units)]
    first = [int(np.flatnonzero(activations.unit == unit)[0]) for unit in range(space.layer.n_units)]
    levels = (values[:, first].mean(axis=0), values[inside][:, first].mean(axis=0))
    member, other = _spread(np.flatnonzero(inside)), _spread(np.flatnonzero(~inside))
    found = causes(
        network,
        study_canvas(study, network),
        space,
        pattern,
        units,
        framed_pictures(study, network, member),
        framed_pictures(study, network, other),
        levels,
    )
    return {"units": np.array(found.units), "shares": np.array([getattr(found, name) for name in _SHARES])}


def _spread(images: NDArray[Any], most: int = _N_ASKED) -> NDArray[Any]:
    taken: NDArray[Any] = images[np.linspace(0, len(images) - 1, min(most, len(images))).astype(int)]
    return taken


@dataclass(frozen=True, slots=True, eq=False)
class PatternPlaces:
    """Where a pattern's score comes from in some of its images, by several methods."""

    image: Int  # [row] images of the study
    maps: PlaceMaps
    mean: Float  # [height, width] the mean of the positive maps of these images
    other: dict[str, Float]  # method → [row, height, width] at the size of the pictures
    agreement: dict[str, float]  # method → mean overlap with `maps` of the fifth of places that count most

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", frozen_array(self.image, np.int32))


def pattern_places(
    study: Study, network: Network, layer: str, pattern: int, config: ClusterConfig | None = None
) -> PatternPlaces:
    """Return where the score of a pattern comes from in its most typical images.

    Raises
    ------
    ConfigError
        If the layer has no places; `why_no_places` says so beforehand.
    """
    image = study.patterns(layer, config).members(pattern)[:N_MAPPED]
    key = _key("places", study, network, layer, pattern, config, version=MAPS_VERSION)
    entry = study.store.compute(
        key, lambda: _places(study, network, layer, pattern, image, config), kind="places", layer=layer
    )
    arrays = entry.arrays
    maps = PlaceMaps(arrays["contribution"], arrays["constant"], arrays["score"])
    names = [name for name in ("grad_cam", *METHODS) if name in arrays]
    size = arrays["gradients"].shape[1:]
    shown = enlarged(maps.map, size)
    other = {name: np.asarray(arrays[name]) for name in names}
    agreed = {name: float(agreement(shown, table).mean()) for name, table in other.items()}
    return PatternPlaces(image, maps, maps.map.mean(axis=0), other, agreed)


def why_no_places(study: Study, layer: str, config: ClusterConfig | None = None) -> str:
    """Return why a layer's patterns have no places, or nothing."""
    return can_be_placed(study_space(study, layer, config))


def _places(
    study: Study, network: Network, layer: str, pattern: int, image: Int, config: ClusterConfig | None
) -> dict[str, NDArray[Any]]:
    space, there = study_space(study, layer, config), study_canvas(study, network)
    picture = framed_pictures(study, network, image)
    maps = place_maps(network, there, space, pattern, picture)
    some = np.linspace(0, study.n_images - 1, min(100, study.n_images)).astype(int)
    base = framed_pictures(study, network, some).mean(axis=0)
    found = {name: np.asarray(getattr(maps, name)) for name in ("contribution", "constant", "score")}
    with PatternHead(network, there, space) as head:
        if space.layer.kind == "conv":
            found["grad_cam"] = enlarged(grad_cam(head, pattern, picture), picture.shape[2:])
        for name, (_, method) in METHODS.items():
            found[name] = method(head, pattern, picture, base)
    return found


def pattern_robustness(
    study: Study,
    network: Network,
    layer: str,
    pattern: int,
    config: ClusterConfig | None = None,
    *,
    into: int = NOISE,
    progress: Progress | None = None,
) -> tuple[Int, Robustness]:
    """Return some members of a pattern, evenly taken, and how little moves them out of it (or into another one)."""
    image = _spread(np.sort(study.patterns(layer, config).members(pattern)), _N_ATTACKED).astype(np.int32)
    more = {"into": into, "levels": list(LEVELS), "version": ROBUSTNESS_VERSION}
    key = _key("robustness", study, network, layer, pattern, config, **more)

    def found() -> dict[str, NDArray[Any]]:
        picture = framed_pictures(study, network, image)
        space, there = study_space(study, layer, config), study_canvas(study, network)
        result = robustness(network, there, space, pattern, picture, into=into, progress=progress)
        return {name: np.asarray(getattr(result, name)) for name in _ROBUSTNESS}

    arrays = study.store.compute(key, found, kind="robustness", layer=layer).arrays
    return image, Robustness(**{name: arrays[name] for name in _ROBUSTNESS})


_ROBUSTNESS = [field.name for field in fields(Robustness)]
