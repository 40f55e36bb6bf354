"""Evidence with something planted in it, and evidence in which nothing is: for the tests and the benchmark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import RECIPES
from nap_core.findings.records import Evidence
from nap_core.inputs.properties import image_properties
from nap_core.patterns.clustering import find_patterns
from nap_core.types import NOISE, Activations, CondensedTree, Int, Patterns


def flipped(given: Evidence, share: float, seed: int) -> tuple[Evidence, Int]:
    """Return evidence in which `share` of the images got another class at random, and these images."""
    rng = np.random.default_rng(seed)
    target, n_classes = np.array(given.target), len(np.unique(given.target))
    chosen = rng.choice(given.n_images, round(share * given.n_images), replace=False)
    target[chosen] = (target[chosen] + rng.integers(1, n_classes, len(chosen))) % n_classes
    return replace(given, target=target), chosen.astype(np.int32)


def flipped_alike(given: Evidence, share: float, seed: int) -> tuple[Evidence, Int]:
    """Return evidence in which `share` of the images got the class that is likest to their own, and these images.

    Likest is the class whose mean in the last layer lies nearest, by angle.
    """
    rng = np.random.default_rng(seed)
    target, values = np.array(given.target), np.asarray(given.values[-1], np.float64)
    classes, number = np.unique(target, return_inverse=True)
    means = np.array([values[number == k].mean(axis=0) for k in range(len(classes))]) - values.mean(axis=0)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    likest = (means @ means.T - 3 * np.eye(len(classes))).argmax(axis=1)
    chosen = rng.choice(given.n_images, round(share * given.n_images), replace=False)
    target[chosen] = classes[likest[number[chosen]]]
    return replace(given, target=target), chosen.astype(np.int32)


def score(found: Int, planted: Int) -> tuple[float, float]:
    """Return recall and precision; precision is 1 where nothing was found."""
    hits = len(np.intersect1d(found, planted))
    return hits / max(1, len(planted)), hits / len(found) if len(found) else 1.0


def patterns_of(label: NDArray[np.int64], layer: str) -> Patterns:
    """Return patterns with exactly these members."""
    n, k = len(label), int(label.max(initial=-1)) + 1
    medoid = [int(np.flatnonzero(label == pattern)[0]) for pattern in range(k)]
    none: list[float] = []
    member = (label != NOISE).astype(np.float32)
    return Patterns(
        layer=layer,
        label=label,
        probability=member,
        outlier_score=np.zeros(n, np.float32),
        assigned=label,
        assigned_probability=member,
        persistence=np.ones(k, np.float32),
        medoid=medoid,
        exemplar=medoid,
        exemplar_pattern=np.arange(k),
        tree=CondensedTree(none, none, none, none),
    )


def evidence_of(
    pictures: NDArray[np.uint8] | None,
    labels: dict[str, NDArray[np.int64]],
    target: NDArray[np.int64],
    *,
    answer: NDArray[np.int64] | None = None,
    values: tuple[NDArray[np.float32], ...] = (),
    names: bool = False,
) -> Evidence:
    """Return evidence made by hand: pictures [image, h, w] or [image, h, w, 3], one labelling per layer, classes."""
    answer = target if answer is None else answer
    n = len(target)
    values = values or tuple(np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32) for _ in labels)
    return Evidence(
        patterns=tuple(patterns_of(label, layer) for layer, label in labels.items()),
        values=values,
        unit=tuple(np.arange(table.shape[1], dtype=np.int32) for table in values),
        target=target,
        class_names=tuple(f"class {i}" for i in range(int(target.max()) + 1)) if names else (),
        answer=answer,
        is_wrong=(target != NOISE) & (answer != target),
        properties=image_properties(pictures.__getitem__, n) if pictures is not None else None,
    )


def noise_evidence(n: int, widths: tuple[int, ...], *, n_classes: int, seed: int) -> Evidence:
    """Return layers of Gaussian noise, classes and answers drawn at random, and pictures of grain."""
    rng = np.random.default_rng(seed)
    layers = [
        Activations(f"layer{i}", "mean", rng.normal(size=(n, width)).astype(np.float32), np.arange(width))
        for i, width in enumerate(widths)
    ]
    target = rng.integers(0, n_classes, n)
    answer = np.where(rng.random(n) < 0.8, target, rng.integers(0, n_classes, n))
    pictures = rng.integers(0, 256, (n, 32, 32, 3)).astype(np.uint8)
    return Evidence(
        patterns=tuple(find_patterns(layer, RECIPES["covering"]) for layer in layers),
        values=tuple(layer.values for layer in layers),
        unit=tuple(layer.unit for layer in layers),
        target=target,
        class_names=tuple(f"class {i}" for i in range(n_classes)),
        answer=answer,
        is_wrong=answer != target,
        properties=image_properties(pictures.__getitem__, n),
    )
