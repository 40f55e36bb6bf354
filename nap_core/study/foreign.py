"""Foreign images of a study: known ones of it against its others, or all of it against new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import InputError, StudyError
from nap_core.geometry.scaling import fit_scaling
from nap_core.keys import digest
from nap_core.patterns.foreign import (
    SHOWN,
    SOFTMAX,
    VOICES,
    Separation,
    fused,
    held_out,
    layer_scores,
    separation,
)
from nap_core.study.new_images import NewImages
from nap_core.study.study import Study
from nap_core.types import NOISE, Float, Progress, frozen_array

VERSION = 1  # raised when the meaning of a stored score changes
FEWEST = 20
_COMPARES = ("scaling", "center", "row_l2")


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """How foreign images are, by every score; each is larger the more foreign the image."""

    layers: tuple[str, ...]
    score: NDArray[np.float32]  # [layer, name, row] in the order of `SHOWN`; NaN where there are no classes
    uncertainty: Float  # [row] 1 - the largest softmax; NaN where the network gives no classes
    fused: Float  # [row] mean -log of the chance that a known image scores as high

    def __post_init__(self) -> None:
        object.__setattr__(self, "score", frozen_array(self.score, np.float32, 3))
        for name in ("uncertainty", "fused"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        assert self.score.shape == (len(self.layers), len(SHOWN), len(self.fused))

    def separations(self, is_foreign: NDArray[np.bool_]) -> dict[tuple[str, str], Separation]:
        """Return (layer, score) → how well it tells foreign from known rows; the layer of what has none is "".

        Parameters
        ----------
        is_foreign
            [row] True for the foreign ones.

        Raises
        ------
        InputError
            If all rows are foreign, or none is.
        """
        if is_foreign.all() or not is_foreign.any():
            raise InputError("Scores are told apart on known and foreign images; give some of both.")
        found = {("", "fused"): self.fused, ("", SOFTMAX): self.uncertainty} | {
            (layer, name): self.score[i, j] for i, layer in enumerate(self.layers) for j, name in enumerate(SHOWN)
        }
        return {key: separation(row, is_foreign) for key, row in found.items() if np.isfinite(row).all()}


def _groups(study: Study) -> NDArray[np.int32]:
    """Return [image] the classes: the data set's, else the model's answers, else none."""
    if (study.target != NOISE).any():
        return study.target
    none = np.full(study.n_images, NOISE, np.int32)
    return none if study.predictions is None else np.asarray(study.predictions.prediction)


def _scored(
    study: Study,
    known: NDArray[np.bool_],
    rows_of: Callable[[str], NDArray[Any]],
    confidence: NDArray[Any] | None,
    config: ClusterConfig,
    progress: Progress | None,
) -> Foreign:
    if int(known.sum()) < FEWEST:
        raise StudyError(f"{int(known.sum())} known images say too little of what is foreign; {FEWEST} are needed.")
    group, score = _groups(study)[known], []
    voices: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    compares = {name: getattr(config, name) for name in _COMPARES}
    for number, layer in enumerate(study.layer_names):
        found, rows = study.activations(layer), np.asarray(rows_of(layer), np.float64)
        raw = np.asarray(found.values[known], np.float64)
        scaler = fit_scaling(raw, found.unit, found.pooling, **compares)
        compared = np.asarray(scaler.apply(raw), np.float64)
        scores = layer_scores(compared, raw, group, np.asarray(scaler.apply(rows), np.float64), rows)
        out = held_out(compared, raw, group, config.seed)
        voices |= {f"{layer} {name}": (scores[name], out[name]) for name in VOICES if name in scores}
        score.append([scores.get(name, np.full(len(rows), np.nan)) for name in SHOWN])
        if progress:
            progress(number + 1, len(study.layer_names))
    unsure = np.full(len(score[0][0]), np.nan)
    if confidence is not None and study.predictions is not None:
        unsure = 1.0 - np.asarray(confidence, np.float64)
        voices[SOFTMAX] = (unsure, 1.0 - np.asarray(study.predictions.confidence[known], np.float64))
    together = fused(voices).astype(np.float32)
    return Foreign(study.layer_names, np.array(score, np.float32), unsure.astype(np.float32), together)


def foreign_images(
    study: Study, known: NDArray[np.bool_], config: ClusterConfig | None = None, progress: Progress | None = None
) -> Foreign:
    """Return how foreign the study's other images are to its `known` ones; kept.

    Parameters
    ----------
    known
        [image] True for those that the scores are fitted on; rows of the result are the others, in their order.

    Raises
    ------
    StudyError
        If fewer than `FEWEST` images are known, or none is left.
    """
    config = config or study.config
    known = np.asarray(known, bool)
    if known.all():
        raise StudyError("All images are called known; leave some to be scored.")

    def found() -> dict[str, NDArray[Any]]:
        confidence = None if study.predictions is None else study.predictions.confidence[~known]
        made = _scored(
            study, known, lambda layer: study.activations(layer).values[~known], confidence, config, progress
        )
        return {name: np.asarray(getattr(made, name)) for name in ("score", "uncertainty", "fused")}

    key = digest(
        "foreign",
        activations=[study.activations_key(layer) for layer in study.layer_names],
        known=known,
        group=_groups(study),
        compares=[getattr(config, name) for name in (*_COMPARES, "seed")],
        version=VERSION,
    )
    return Foreign(study.layer_names, **study.store.compute(key, found, kind="foreign images").arrays)


def foreign_newcomers(
    study: Study,
    new: NewImages,
    known: NDArray[np.bool_] | None = None,
    config: ClusterConfig | None = None,
    progress: Progress | None = None,
) -> Foreign:
    """Return how foreign new images are to a study; nothing is kept.

    Parameters
    ----------
    known
        [image] the study's images that the scores are fitted on; all when absent.

    Raises
    ------
    StudyError
        If fewer than `FEWEST` images are known.
    """
    confidence = None if new.predictions is None else new.predictions.confidence
    known = np.ones(study.n_images, bool) if known is None else np.asarray(known, bool)
    return _scored(study, known, lambda layer: new.rows[layer], confidence, config or study.config, progress)
