"""Is a layer's clustering to be believed: chance, other cuts, images of no pattern, and the view without patterns.

Like everything in `nap_core.study.quality`, computed when asked for and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig, is_sampled, of_sample
from nap_core.keys import digest
from nap_core.patterns.clustering import fitted
from nap_core.patterns.dial import N_DRAWS, Dial, dial
from nap_core.patterns.directions import N_DIRECTIONS, Directions, directions
from nap_core.patterns.space import cluster_space
from nap_core.patterns.unplaced import Unplaced, unplaced
from nap_core.patterns.verdict import N_PERMUTATIONS, LayerVerdict, verdict
from nap_core.store import Entry
from nap_core.study.properties import kept_metadata, property_columns
from nap_core.study.quality import VERSION, judged_part, kept_tree, layer_measures, quality
from nap_core.study.study import Study
from nap_core.types import NOISE, Float, Progress

_CHANCE = ("chance_n_patterns", "chance_coverage", "chance_parted")
_FACTS = ("n_patterns", "coverage", "n_islands", "parted", "clumping", "seed")
_DIAL = [field.name for field in fields(Dial) if field.name != "method"]


def _verdict_key(study: Study, layer: str, config: ClusterConfig) -> str:
    patterns = study.patterns_key(layer, config)
    return digest("verdict", patterns=patterns, n_permutations=N_PERMUTATIONS, version=VERSION)


def _judged(layer: str, entry: Entry) -> LayerVerdict:
    facts: dict[str, Any] = {name: entry.about[name] for name in _FACTS}
    facts |= {name: entry.arrays[name] for name in _CHANCE}
    return LayerVerdict(layer=layer, **facts)


def known_verdict(study: Study, layer: str, config: ClusterConfig | None = None) -> LayerVerdict | None:
    """Return the verdict that is stored already, or None."""
    entry = study.store.get(_verdict_key(study, layer, config or study.config))
    return None if entry is None else _judged(layer, entry)


def layer_verdict(
    study: Study, layer: str, config: ClusterConfig | None = None, progress: Progress | None = None
) -> LayerVerdict:
    """Return whether a layer has patterns or is a continuum; see `verdict`. Asks chance through the whole recipe."""
    config = config or study.config

    known = known_verdict(study, layer, config)
    if known is not None:
        return known
    found = verdict(
        *judged_part(study, layer, config),
        layer_measures(study, layer, config).gaps,
        study.fitting(layer, config),
        progress=progress,
    )
    about = {name: getattr(found, name) for name in _FACTS}
    chance = {name: getattr(found, name) for name in _CHANCE}
    study.store.put(_verdict_key(study, layer, config), chance, kind="layer verdict", layer=layer, **about)
    return found


def judge(
    study: Study,
    layer: str,
    config: ClusterConfig | None = None,
    *,
    with_dial: bool = False,
    report: Callable[[str], Progress] | None = None,
) -> LayerVerdict:
    """Compute and keep everything that is said of how sure one may be of a layer; return the verdict.

    Parameters
    ----------
    with_dial
        Whether other cuts are compared, too.
    report
        Step → progress; called once per step.
    """
    config = config or study.config

    def step(name: str) -> Progress | None:
        return report(f"{layer}: {name}") if report else None

    quality(study, layer, config, step("images left out at random"))
    layer_unplaced(study, layer, config)
    if with_dial:
        layer_dial(study, layer, config, step("cuts compared"))
    return layer_verdict(study, layer, config, step("units shuffled"))


def _dial_key(study: Study, layer: str, config: ClusterConfig) -> str:
    content = {
        "activations": study.activations_key(layer),
        "config": replace(study.fitting(layer, config), cluster_selection_method="eom"),
        "target": np.asarray(study.target),
        "n_draws": N_DRAWS,
        **of_sample(config),
    }
    return digest("dial", version=VERSION, **content)


def _turned(entry: Entry) -> Dial:
    return Dial(
        method=tuple(str(name) for name in entry.arrays["method"]),
        **{name: entry.arrays[name] for name in _DIAL},
    )


def known_dial(study: Study, layer: str, config: ClusterConfig | None = None) -> Dial | None:
    """Return the dial that is stored already, or None."""
    entry = study.store.get(_dial_key(study, layer, config or study.config))
    return None if entry is None else _turned(entry)


def layer_dial(study: Study, layer: str, config: ClusterConfig | None = None, progress: Progress | None = None) -> Dial:
    """Return what other cuts of the same tree give; see `dial`."""
    config = config or study.config

    def turned() -> dict[str, NDArray[Any]]:
        space, edge, weight = kept_tree(study, layer, config)
        target = np.asarray(study.target)[study.patterns(layer, config).clustered]
        found = dial(space, (edge, weight), study.fitting(layer, config), target, progress=progress)
        return {name: np.asarray(getattr(found, name)) for name in ("method", *_DIAL)}

    return _turned(study.store.compute(_dial_key(study, layer, config), turned, kind="dial", layer=layer))


def _compared(study: Study, layer: str, config: ClusterConfig) -> Float:
    """Return [image, dimension] where all images lie when they are clustered; without a reduction that takes no tree.

    Those assigned by a sample lie where they were compared with it, which is before any reduction.
    """
    config, activations = study.fitting(layer, config), study.activations(layer)
    if is_sampled(config, study.n_images):
        return fitted(judged_part(study, layer, config)[0], config).apply(activations.values)
    if config.reduction != "none":
        return kept_tree(study, layer, config)[0].values
    return cluster_space(activations, replace(config, hierarchy="density")).values


def _unplaced_key(study: Study, layer: str, config: ClusterConfig) -> str:
    return digest("unplaced", patterns=study.patterns_key(layer, config), version=VERSION)


def known_unplaced(study: Study, layer: str, config: ClusterConfig | None = None) -> Unplaced | None:
    """Return what is stored already of the images of no pattern, or None."""
    entry = study.store.get(_unplaced_key(study, layer, config or study.config))
    return None if entry is None else Unplaced(**entry.arrays)


def layer_unplaced(study: Study, layer: str, config: ClusterConfig | None = None) -> Unplaced:
    """Return why each image of no pattern is in none; see `unplaced`."""
    config = config or study.config

    def placed() -> dict[str, NDArray[Any]]:
        found = unplaced(_compared(study, layer, config), study.patterns(layer, config).label, config.metric)
        return {field.name: getattr(found, field.name) for field in fields(Unplaced)}

    key = _unplaced_key(study, layer, config)
    return Unplaced(**study.store.compute(key, placed, kind="images of no pattern", layer=layer).arrays)


def layer_directions(study: Study, layer: str, config: ClusterConfig | None = None) -> Directions:
    """Return the leading directions of a layer; see `directions`."""
    config = study.fitting(layer, config or study.config)

    def found() -> dict[str, NDArray[Any]]:
        leading = directions(study.activations(layer), config)
        return {"score": leading.score, "share": leading.share}

    compares = {name: getattr(config, name) for name in ("scaling", "center", "row_l2")}
    key = digest("directions", activations=study.activations_key(layer), most=N_DIRECTIONS, version=VERSION, **compares)
    kept = study.store.compute(key, found, kind="directions", layer=layer).arrays
    return Directions(layer, kept["score"], kept["share"])


def known_columns(study: Study, progress: Progress | None = None) -> dict[str, NDArray[Any]]:
    """Return everything that is known of the images, by name: what is seen in them, classes, answers, own columns."""
    columns = {**property_columns(study, progress=progress), **kept_metadata(study)}
    if (study.target != NOISE).any():
        columns["class"] = _named(study.target, study.class_names)
    if study.predictions is not None:
        columns["the model's answer"] = _named(study.predictions.prediction, study.prediction_names)
        columns["the model's certainty"] = np.asarray(study.predictions.confidence)
        columns |= _margin(study)
    return columns


def _margin(study: Study) -> dict[str, NDArray[Any]]:
    """Return how far the first answer is before the second, where the study has the layer that gives the answers."""
    assert study.predictions is not None
    last, n_classes = study.layers[-1], len(study.prediction_names)
    if last.kind != "vector" or last.n_units < 2 or last.n_units != n_classes:
        return {}
    values = np.asarray(study.activations(last.name).values)
    if not np.array_equal(values.argmax(axis=1), study.predictions.prediction):
        return {}
    second, first = np.partition(values, -2, axis=1)[:, -2:].T
    return {"class margin": first - second}


def _named(number: NDArray[Any], names: tuple[str, ...]) -> NDArray[Any]:
    known = [*(names[i] if i < len(names) else str(i) for i in range(int(number.max(initial=NOISE)) + 1)), ""]
    names_of: NDArray[Any] = np.array(known)[number]
    return names_of
