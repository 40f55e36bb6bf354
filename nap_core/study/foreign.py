"""Foreign images of a study: known ones of it against its others, or all of it against new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig
from nap_core.errors import InputError, StudyError
from nap_core.geometry.neighbors import nearest_in_parts
from nap_core.geometry.scaling import fit_scaling
from nap_core.keys import digest
from nap_core.patterns.clustering import check_finite
from nap_core.patterns.foreign import (
    RARE,
    SHOWN,
    SOFTMAX,
    VOICES,
    Separation,
    fused,
    own_surprise,
    scored_by_folds,
    separation,
    surprise,
)
from nap_core.patterns.newcomer import scaled_parts
from nap_core.study.image import layers_with_patterns, study_scaler
from nap_core.study.new_images import NewImages
from nap_core.study.study import Study
from nap_core.types import NOISE, Activations, Float, Int, Progress, frozen_array

VERSION = 2  # raised when the meaning of a stored score changes
FEWEST = 20
MOST_KNOWN = 5_000
"""Known images that scores are fitted on; of more, as many are drawn at random, with the clustering's seed."""

FUSED = "fused"
_COMPARES = ("scaling", "center", "row_l2")


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """How foreign images are, by every score, beside the known images held out; larger the more foreign the image."""

    layers: tuple[str, ...]
    known: Int  # [known] images of the study that the scores are fitted on
    score: NDArray[np.float32]  # [layer, name, row] in the order of `SHOWN`; NaN where there are no classes
    own_score: NDArray[np.float32]  # [layer, name, known] the same of known images, each scored by the others
    uncertainty: Float  # [row] 1 - the largest softmax; NaN where the network gives no classes
    own_uncertainty: Float  # [known]
    fused: Float  # [row] mean -log of the chance that a known image scores as high
    own_fused: Float  # [known]

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", frozen_array(self.known, np.int32))
        for name in ("score", "own_score"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32, 3))
        for name in ("uncertainty", "own_uncertainty", "fused", "own_fused"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float32))
        assert self.score.shape == (len(self.layers), len(SHOWN), len(self.fused))
        assert self.own_score.shape == (len(self.layers), len(SHOWN), len(self.known))
        assert len(self.own_uncertainty) == len(self.own_fused) == len(self.known)

    @property
    def chance(self) -> Float:
        """[row] share of known images that are as strange by the fused score, the row itself counted among them."""
        found: Float = np.exp(-surprise(self.fused, self.own_fused)).astype(np.float32)
        return found

    @property
    def looks_foreign(self) -> NDArray[np.bool_]:
        """[row] whether at most `RARE` of the known images are as strange; of these it is true of about as many."""
        found: NDArray[np.bool_] = self.chance <= RARE
        return found

    @property
    def border(self) -> float:
        """The fused score above which an image looks foreign."""
        allowed = int(RARE * (len(self.own_fused) + 1)) - 1
        return float(np.sort(self.own_fused)[::-1][allowed])

    @property
    def by_layer(self) -> Float:
        """[layer, row] the mean surprise of what each layer says, without the network's own uncertainty."""
        voiced = [SHOWN.index(name) for name in VOICES]
        return np.array(
            [
                fused({str(j): (self.score[i, j], self.own_score[i, j]) for j in voiced if self._has(i, j)})[0]
                for i in range(len(self.layers))
            ],
            np.float32,
        ).reshape(len(self.layers), -1)

    @property
    def own_chance(self) -> Float:
        """[known] share of the known images that are as strange as each of them, itself counted among them."""
        found: Float = np.exp(-own_surprise(self.own_fused)).astype(np.float32)
        return found

    def _has(self, layer: int, name: int) -> bool:
        return bool(np.isfinite(self.score[layer, name]).all())

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
        found = self._named(self.score, self.uncertainty, self.fused)
        return {key: separation(row, is_foreign) for key, row in found.items() if np.isfinite(row).all()}

    def separations_from_known(self) -> dict[tuple[str, str], Separation]:
        """Return what `separations` does, if every row is foreign: told from the known images held out."""
        rows = self._named(self.score, self.uncertainty, self.fused)
        own = self._named(self.own_score, self.own_uncertainty, self.own_fused)
        is_foreign = np.arange(len(self.known) + len(self.fused)) >= len(self.known)
        both = {key: np.concatenate([own[key], row]) for key, row in rows.items()}
        return {key: separation(row, is_foreign) for key, row in both.items() if np.isfinite(row).all()}

    def _named(
        self, score: NDArray[np.float32], uncertainty: Float, together: Float
    ) -> dict[tuple[str, str], NDArray[np.float32]]:
        found = {("", FUSED): together, ("", SOFTMAX): uncertainty}
        return found | {
            (layer, name): score[i, j] for i, layer in enumerate(self.layers) for j, name in enumerate(SHOWN)
        }


_ARRAYS = [field.name for field in fields(Foreign) if field.name != "layers"]


def _groups(study: Study) -> NDArray[np.int32]:
    """Return [image] the classes: the data set's, else the model's answers, else none."""
    if (study.target != NOISE).any():
        return study.target
    none = np.full(study.n_images, NOISE, np.int32)
    return none if study.predictions is None else np.asarray(study.predictions.prediction)


def _fitted_on(known: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Return the images that scores are fitted on, ascending."""
    image = np.flatnonzero(known)
    if len(image) < FEWEST:
        raise StudyError(f"{len(image)} known images say too little of what is foreign; {FEWEST} are needed.")
    if len(image) > MOST_KNOWN:
        image = np.sort(np.random.default_rng(seed).choice(image, MOST_KNOWN, replace=False))
    return image


def _stacked(scores: dict[str, NDArray[Any]], n: int) -> NDArray[np.float32]:
    return np.array([scores.get(name, np.full(n, np.nan)) for name in SHOWN], np.float32)


def _layer(
    study: Study, layer: str, image: NDArray[np.int64], rows: NDArray[Any], config: ClusterConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return [name, row] and [name, known] the scores in one layer; those of the known images are kept."""
    found = study.activations(layer)
    check_finite(Activations(layer, found.pooling, rows, found.unit))
    raw, new, group = np.asarray(found.values[image], np.float64), np.asarray(rows, np.float64), _groups(study)[image]
    compares = {name: getattr(config, name) for name in _COMPARES}
    scaler = fit_scaling(raw, found.unit, found.pooling, **compares)
    compared = np.asarray(scaler.apply(raw), np.float64)
    asked = np.asarray(scaler.apply(new), np.float64)
    scores, own = scored_by_folds(compared, raw, group, asked, new, config.seed)
    return _stacked(scores, len(new)), _stacked(own, len(image))


def _scored(
    study: Study,
    known: NDArray[np.bool_],
    rows_of: Callable[[str], NDArray[Any]],
    confidence: NDArray[Any] | None,
    config: ClusterConfig,
    progress: Progress | None,
) -> Foreign:
    image, scores, layers = _fitted_on(known, config.seed), [], layers_with_patterns(study)
    for number, layer in enumerate(layers):
        if progress:
            progress(number, len(layers))
        scores.append(_layer(study, layer, image, rows_of(layer), config))
    score, own = (np.array(part) for part in zip(*scores, strict=True))
    voiced = [SHOWN.index(name) for name in VOICES]
    voices = {
        f"{i} {j}": (score[i, j], own[i, j]) for i in range(len(score)) for j in voiced if np.isfinite(own[i, j]).all()
    }
    unsure, own_unsure = np.full(score.shape[2], np.nan), np.full(len(image), np.nan)
    if confidence is not None and study.predictions is not None:
        unsure = 1.0 - np.asarray(confidence, np.float64)
        own_unsure = 1.0 - np.asarray(study.predictions.confidence[image], np.float64)
        voices[SOFTMAX] = (unsure, own_unsure)
    together, own_together = fused(voices)
    if progress:
        progress(len(layers), len(layers))
    told = [np.asarray(part, np.float32) for part in (unsure, own_unsure, together, own_together)]
    return Foreign(tuple(layers), image.astype(np.int32), score, own, *told)


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
    config, layers = config or study.config, tuple(layers_with_patterns(study))
    known = np.asarray(known, bool)
    if known.all():
        raise StudyError("All images are called known; leave some to be scored.")

    def found() -> dict[str, NDArray[Any]]:
        confidence = None if study.predictions is None else study.predictions.confidence[~known]
        made = _scored(
            study, known, lambda layer: study.activations(layer).values[~known], confidence, config, progress
        )
        return {name: np.asarray(getattr(made, name)) for name in _ARRAYS}

    key = digest(
        "foreign",
        activations=[study.activations_key(layer) for layer in layers],
        known=known,
        group=_groups(study),
        compares=[getattr(config, name) for name in (*_COMPARES, "seed")],
        version=VERSION,
    )
    return Foreign(layers, **study.store.compute(key, found, kind="foreign images").arrays)


def foreign_newcomers(
    study: Study,
    new: NewImages,
    known: NDArray[np.bool_] | None = None,
    config: ClusterConfig | None = None,
    progress: Progress | None = None,
) -> Foreign:
    """Return how foreign new images are to a study; of them nothing is kept.

    Parameters
    ----------
    known
        [image] the study's images that the scores are fitted on; all when absent.

    Raises
    ------
    StudyError
        If fewer than `FEWEST` images are known.
    NotFiniteError
        If an activation of a new image is NaN or infinite.
    """
    confidence = None if new.predictions is None else new.predictions.confidence
    known = np.ones(study.n_images, bool) if known is None else np.asarray(known, bool)
    return _scored(study, known, lambda layer: new.rows[layer], confidence, config or study.config, progress)


def own_strangeness(study: Study, config: ClusterConfig | None = None, progress: Progress | None = None) -> Foreign:
    """Return how strange the study's images are to each other, each scored by others; kept. There are no new rows.

    Of more than `MOST_KNOWN` images so many are drawn; `Foreign.known` says which.

    Raises
    ------
    StudyError
        If there are fewer than `FEWEST` images.
    """
    config, layers = config or study.config, tuple(layers_with_patterns(study))

    def found() -> dict[str, NDArray[Any]]:
        every, none = np.ones(study.n_images, bool), np.empty(0, np.float32)
        made = _scored(study, every, lambda layer: study.activations(layer).values[:0], none, config, progress)
        return {name: np.asarray(getattr(made, name)) for name in _ARRAYS}

    key = digest(
        "strangeness",
        activations=[study.activations_key(layer) for layer in layers],
        group=_groups(study),
        compares=[getattr(config, name) for name in (*_COMPARES, "seed")],
        version=VERSION,
    )
    return Foreign(layers, **study.store.compute(key, found, kind="strangeness").arrays)


def nearest_known(
    study: Study, layer: str, rows: NDArray[Any], known: Int, k: int, config: ClusterConfig | None = None
) -> tuple[Int, Float]:
    """Return the `k` known images of the study that lie nearest to new rows, and how far, each [row, neighbour].

    Parameters
    ----------
    rows
        [row, feature] raw pooled activations in `layer`.
    known
        The images that are looked among; see `Foreign.known`.
    """
    config, values = config or study.config, study.activations(layer).values
    scaler = study_scaler(study, layer, config)
    parts = scaled_parts(values, scaler, len(rows), known)
    near, distance = nearest_in_parts(scaler.apply(np.asarray(rows)), parts, k, config.metric)
    return known[near], distance
