"""One image through every layer of a study, an image of the study or a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.geometry.neighbors import nearest_in_parts
from nap_core.geometry.scaling import Scaler, fit_scaling
from nap_core.keys import digest
from nap_core.patterns.clustering import check_finite
from nap_core.patterns.company import company, departures, majorities, pattern_company
from nap_core.patterns.newcomer import Newcomers, own_distances, place_newcomers, scaled_parts
from nap_core.study.answers import misclassified
from nap_core.study.study import Study
from nap_core.types import NOISE, Activations, Float, Int, Patterns

SCALER_VERSION = 1  # raised when the meaning of stored scalings changes
OWN_VERSION = 1  # raised when the meaning of stored own distances changes
COMPANY_VERSION = 1  # raised when the meaning of stored departures changes


@dataclass(frozen=True, slots=True)
class Step:
    """Where one image is in one layer."""

    layer: str
    label: int  # pattern, or NOISE
    probability: float  # membership of a study image, share of the vote for a new one; 0 for noise
    outlier_score: float  # GLOSH in [0, 1]; not a number for a new image
    assigned: int  # pattern; equals `label` but for noise; NOISE where no pattern exists
    assigned_probability: float
    percentile: float  # of a new image: share of study images that lie closer to their nearest; else not a number
    n_patterns: int
    size: int  # members of `assigned`
    medoid: int  # image that stands for `assigned`, or NOISE
    commonest: int  # class most members of `assigned` are of, or NOISE
    commonest_share: float  # of the members of known class
    own_share: float  # share of the image's own class among them; not a number where it is not known
    company: int  # class that the image's pattern is of, MIXED or NOISE; see `nap_core.patterns.company`


def layers_with_patterns(study: Study) -> list[str]:
    """Return the layers in execution order, without those that could not be grouped."""
    return [name for name in study.layer_names if name not in study.problems]


def image_path(study: Study, image: int, config: ClusterConfig | None = None) -> tuple[Step, ...]:
    """Return where an image of the study is, layer by layer.

    Parameters
    ----------
    image
        Its number, 0 … n_images-1.
    """
    steps = []
    for layer in layers_with_patterns(study):
        found = study.patterns(layer, config)
        values = {
            "label": int(found.label[image]),
            "probability": float(found.probability[image]),
            "outlier_score": float(found.outlier_score[image]),
            "assigned": int(found.assigned[image]),
            "assigned_probability": float(found.assigned_probability[image]),
            "percentile": float("nan"),
        }
        steps.append(_step(found, study.target, int(study.target[image]), values))
    return tuple(steps)


def newcomer_path(
    study: Study, placed: Sequence[Newcomers], row: int, own: int, config: ClusterConfig | None = None
) -> tuple[Step, ...]:
    """Return where a new image is, layer by layer.

    Parameters
    ----------
    placed
        Of the layers in execution order; see `newcomers`.
    own
        The study's class that the image is taken for, or `NOISE`.
    """
    steps = []
    for there in placed:
        names = ("label", "probability", "assigned", "assigned_probability", "percentile")
        values = {name: getattr(there, name)[row].item() for name in names} | {"outlier_score": float("nan")}
        steps.append(_step(study.patterns(there.layer, config), study.target, own, values))
    return tuple(steps)


def _step(patterns: Patterns, target: Int, own: int, values: dict[str, Any]) -> Step:
    label, assigned = values["label"], values["assigned"]
    if assigned == NOISE:
        return Step(patterns.layer, **values, n_patterns=patterns.n_patterns, **_NOWHERE)
    commonest, share = majorities(patterns, target)
    classes = target[patterns.label == assigned]
    known = classes[classes != NOISE]
    return Step(
        patterns.layer,
        **values,
        n_patterns=patterns.n_patterns,
        size=len(classes),
        medoid=int(patterns.medoid[assigned]),
        commonest=int(commonest[assigned]),
        commonest_share=float(share[assigned]),
        own_share=float(np.mean(known == own)) if len(known) and own != NOISE else float("nan"),
        company=NOISE if label == NOISE else int(pattern_company(patterns, target)[label]),
    )


_NOWHERE: dict[str, Any] = {
    "size": 0,
    "medoid": NOISE,
    "commonest": NOISE,
    "commonest_share": 0.0,
    "own_share": float("nan"),
    "company": NOISE,
}


def class_departures(study: Study, config: ClusterConfig | None = None) -> tuple[Int, Int]:
    """Return for every image where it leaves its class for good, and where it was among it last; see `departures`.

    Positions are those of `layers_with_patterns`.
    """
    layers = layers_with_patterns(study)
    keys = [study.patterns_key(layer, config) for layer in layers]
    key = digest("departures", patterns=keys, target=study.target, version=COMPANY_VERSION)

    def found() -> dict[str, NDArray[Any]]:
        kept = [company(study.patterns(layer, config), study.target) for layer in layers]
        left, last = departures(np.reshape(kept, (len(layers), study.n_images)), study.target)
        return {"left": left, "last": last}

    arrays = study.store.compute(key, found, kind="departures").arrays
    return arrays["left"], arrays["last"]


def same_departure(study: Study, image: int, config: ClusterConfig | None = None) -> Int:
    """Return the images of an image's class that leave it in the same layer for the same other class.

    The image itself is among them; none where it does not leave its class.
    """
    left, _ = class_departures(study, config)
    if left[image] < 0:
        return np.empty(0, np.int32)
    ways = _departures_as_rows(study, config)
    return np.flatnonzero((ways == ways[image]).all(axis=1)).astype(np.int32)


def _departures_as_rows(study: Study, config: ClusterConfig | None) -> Int:
    """Return [image, 3]: class, the layer where the image leaves it, or -1, and the class that it leaves it for."""
    left, _ = class_departures(study, config)
    names, there = layers_with_patterns(study), np.full(study.n_images, NOISE, np.int32)
    for layer in np.unique(left[left >= 0]):
        kept = company(study.patterns(names[layer], config), study.target)
        there[left == layer] = kept[left == layer]
    return np.stack([study.target, left, there], axis=1)


def telling_image(study: Study, config: ClusterConfig | None = None) -> int:
    """Return an image worth following: misclassified, and leaving its class as most do, where there is such a one."""
    left, last = class_departures(study, config)
    wrong, ways = misclassified(study), _departures_as_rows(study, config)
    for candidates in (wrong & (left >= 0), left >= 0, wrong & (last >= 0), wrong):
        if candidates.any():
            found = np.flatnonzero(candidates)
            _, kind, count = np.unique(ways[found], axis=0, return_inverse=True, return_counts=True)
            return int(found[count[kind.ravel()].argmax()])
    return 0


def shared_layers(study: Study, steps: Sequence[Step], config: ClusterConfig | None = None) -> Int:
    """Return [image] in how many layers an image of the study is in the pattern that `steps` are in."""
    shared = np.zeros(study.n_images, np.int32)
    for step in steps:
        if step.label != NOISE:
            shared += study.patterns(step.layer, config).label == step.label
    return shared


def neighbours(study: Study, layer: str, image: int, k: int, config: ClusterConfig | None = None) -> tuple[Int, Float]:
    """Return the `k` images nearest to an image in the layer itself, the nearest first, and their distances.

    Images are compared as `config` compares them, before any reduction; activations are read in parts.
    """
    config, values = config or study.config, study.activations(layer).values
    scaler = study_scaler(study, layer, config)
    near, distance = nearest_in_parts(
        scaler.apply(values[image : image + 1]),
        scaled_parts(values, scaler, 1),
        k,
        config.metric,
        skip=np.array([image]),
    )
    return near[0].astype(np.int32), distance[0]


def study_scaler(study: Study, layer: str, config: ClusterConfig) -> Scaler:
    """Return what the scaling of `config` takes from a layer's activations, kept with the study."""
    compares = {name: getattr(config, name) for name in ("scaling", "center", "row_l2")}
    key = digest("scaler", activations=study.activations_key(layer), version=SCALER_VERSION, **compares)

    def fitted() -> dict[str, NDArray[Any]]:
        raw = study.activations(layer)
        check_finite(raw)
        found = fit_scaling(raw.values, raw.unit, raw.pooling, **compares)
        return {name: getattr(found, name) for name in ("before", "divisor", "after")}

    arrays = study.store.compute(key, fitted, kind="scaler", layer=layer).arrays
    return Scaler(**arrays, is_clipped=config.scaling == "p99", row_l2=config.row_l2)


def newcomers(
    study: Study, rows: Mapping[str, NDArray[Any]], config: ClusterConfig | None = None, k: int = 12
) -> tuple[Newcomers, ...]:
    """Put new images into the study's patterns, layer by layer; no pattern changes.

    Parameters
    ----------
    rows
        Layer → [row, feature] raw pooled activations of the new images, made by the study's own network and pooling.

    Raises
    ------
    NotFiniteError
        If an activation is NaN or infinite.
    """
    config = config or study.config
    return tuple(_placed(study, layer, rows[layer], config, k) for layer in layers_with_patterns(study))


def _placed(study: Study, layer: str, rows: NDArray[Any], config: ClusterConfig, k: int) -> Newcomers:
    raw = study.activations(layer)
    check_finite(Activations(layer, raw.pooling, rows, raw.unit))
    scaler = study_scaler(study, layer, config)
    compares = {name: getattr(config, name) for name in ("scaling", "center", "row_l2", "metric")}
    key = digest("own distances", activations=study.activations_key(layer), version=OWN_VERSION, **compares)
    own = study.store.compute(
        key, lambda: {"own": own_distances(raw.values, scaler, config.metric)}, kind="own distances", layer=layer
    ).arrays["own"]
    return place_newcomers(rows, raw.values, study.patterns(layer, config), scaler, own, config.metric, k)
