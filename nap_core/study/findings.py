"""The findings of a study: searched once for a clustering, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from nap_core.activations.reading import PREDICTIONS
from nap_core.configs import ClusterConfig
from nap_core.findings.records import Evidence, Finding
from nap_core.findings.search import KINDS, find_findings
from nap_core.keys import digest
from nap_core.store import Entry
from nap_core.study.answers import misclassified, plain, plain_names
from nap_core.study.properties import picture_properties
from nap_core.study.study import Study
from nap_core.types import NOISE, Float, Int, Progress

FINDINGS_VERSION = 6  # raised when the meaning of a stored finding changes
_PERCENT = 100
_SAME_ANSWER = 0.99  # share of images; layers kept in half precision may differ in a few


def findings_key(study: Study, config: ClusterConfig | None = None) -> str:
    """Return the key of the findings of a study under `config`."""
    return digest(
        "findings",
        layers=study.layer_names,
        patterns=[study.patterns_key(layer, config) for layer in study.layer_names],
        images=study.images["fingerprint"],
        target=study.target.tolist(),
        class_names=study.class_names,
        predictions=study.about["keys"].get(PREDICTIONS),
        prediction_names=study.prediction_names,
        version=FINDINGS_VERSION,
    )


def _answer(study: Study) -> Int:
    """Return [image] the class of the data set that the model names, or NOISE where it names another or none."""
    if study.predictions is None:
        return np.full(study.n_images, NOISE, np.int32)
    number = {plain(name): i for i, name in enumerate(study.class_names)}
    names = study.prediction_names
    answers = [number.get(plain(name), NOISE) for name in names]
    prediction = study.predictions.prediction
    if not names and not study.class_names:
        return prediction
    return np.array([*answers, NOISE], np.int32)[np.minimum(prediction, len(names))]


def _belief(study: Study, layers: Sequence[str]) -> Float | None:
    """Return [image, class] the logarithm of the network's share for each class of the data set, NaN for one it lacks.

    Read from the last of `layers` whose largest value is the network's answer; None where there is none, or where
    network and data set have no class in common.
    """
    if study.predictions is None:
        return None
    prediction, names = study.predictions.prediction, study.prediction_names
    for layer in reversed(layers):
        logits = np.asarray(study.activations(layer).values, np.float64)
        fits = logits.shape[1] == len(names) if names else logits.shape[1] > int(prediction.max(initial=0))
        if fits and (logits.argmax(axis=1) == prediction).mean() >= _SAME_ANSWER:
            break
    else:
        return None
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    place = {name: i for i, name in enumerate(plain_names(names, logits.shape[1] - 1))}
    classes = plain_names(study.class_names, int(study.target.max(initial=0)))
    column = np.array([place.get(name, NOISE) for name in classes])
    belief = np.where(column == NOISE, np.nan, logits[:, column]).astype(np.float32)
    return belief if (column != NOISE).any() else None


def evidence(study: Study, config: ClusterConfig | None = None, *, progress: Progress | None = None) -> Evidence:
    """Return everything that a search for findings looks at; pictures are measured when it is the first time."""
    layers = [name for name in study.layer_names if name not in study.problems]
    activations = [study.activations(name) for name in layers]
    return Evidence(
        patterns=tuple(study.patterns(name, config) for name in layers),
        values=tuple(found.values for found in activations),
        unit=tuple(found.unit for found in activations),
        target=study.target,
        class_names=study.class_names,
        answer=_answer(study),
        is_wrong=misclassified(study),
        properties=picture_properties(study, progress=progress) if study.has_pictures else None,
        belief=_belief(study, layers),
    )


def has_findings(study: Study, config: ClusterConfig | None = None) -> bool:
    """Whether the findings can be read at once."""
    return study.store.path(findings_key(study, config)).is_dir()


def findings(
    study: Study, config: ClusterConfig | None = None, *, progress: Progress | None = None
) -> tuple[Finding, ...]:
    """Return what is worth a look in a study, ranked; searched when it is asked for the first time."""
    key = findings_key(study, config)
    if (entry := study.store.get(key)) is not None:
        return _read(study, entry)
    found = find_findings(evidence(study, config, progress=_part(progress, 0)), progress=_part(progress, _PERCENT // 2))
    about = [_without_images(one) for one in found]
    arrays = {f"image_{i}": one.image for i, one in enumerate(found)}
    study.store.put(key, arrays, kind="findings", config=asdict(config or study.config), findings=about)
    return found


def _part(progress: Progress | None, before: int) -> Progress | None:
    """Return a progress whose steps are one half of `progress`, in per cent, after `before`."""
    if progress is None:
        return None

    def show(done: int, total: int) -> None:
        progress(before + done * _PERCENT // (2 * max(1, total)), _PERCENT)

    return show


def _without_images(one: Finding) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "sentence": one.sentence,
        "score": one.score,
        "layer": one.layer,
        "pattern": one.pattern,
        "figures": dict(one.figures),
        "note": list(one.note),
    }


def _read(study: Study, entry: Entry) -> tuple[Finding, ...]:
    """Return stored findings; left out are those that name what the study has not, as a bundle from anywhere may."""
    found = []
    for i, about in enumerate(entry.about["findings"]):
        one = Finding(image=entry.arrays[f"image_{i}"], **{**about, "note": tuple(about["note"])})
        is_here = one.kind in KINDS and one.layer in ("", *study.layer_names)
        if is_here and np.isin(one.image, np.arange(study.n_images)).all():
            found.append(one)
    return tuple(found)
