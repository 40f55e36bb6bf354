"""The records that travel between the parts: frozen dataclasses of read-only arrays, first axis ``[image, …]``.

`__post_init__` fixes the dtypes and checks that lengths agree, so that the shapes in the comments are checked facts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOISE = -1
"""Label of an image that is a member of no pattern; also the target or prediction of an image that has none."""

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)``; raising from it stops the work, and what is finished stays finished."""

Float = NDArray[np.float32]
Int = NDArray[np.int32]


def frozen_array(values: ArrayLike, dtype: Any, ndim: int = 1) -> NDArray[Any]:
    """Return `values` as a read-only array of `dtype` with `ndim` axes; a view where nothing has to change."""
    array = np.asarray(values, dtype=dtype)
    assert array.ndim == ndim, f"{array.ndim} axes, not {ndim}"
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def _freeze(record: Any, **dtypes: Any) -> None:
    for name, dtype in dtypes.items():
        object.__setattr__(record, name, frozen_array(getattr(record, name), dtype))


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One call of one module in a forward pass, in execution order."""

    name: str  # dotted torch name; "#2" is appended for the second call of the same module
    type: str  # class name of the module
    output_shape: tuple[int, ...]  # without the image axis; () where no tensor was found
    n_parameters: int
    kind: str  # "conv" [unit, h, w], "token" [token, unit], "vector" [unit] or "unreadable"
    reason: str = ""  # why an "unreadable" layer cannot be read

    @property
    def n_units(self) -> int:
        """Number of units: channels, embedding dimensions or neurons."""
        if not self.output_shape:
            return 0
        return self.output_shape[-1] if self.kind == "token" else self.output_shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """What one layer says about every image, one row each: the raw pooled values, not scaled."""

    layer: str
    pooling: str
    values: Float  # [image, feature]
    unit: Int  # [feature] the unit a feature belongs to

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen_array(self.values, np.float32, 2))
        _freeze(self, unit=np.int32)
        assert len(self.unit) == self.values.shape[1]

    @property
    def n_images(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def n_units(self) -> int:
        """Number of different units."""
        return int(self.unit.max(initial=-1)) + 1


@dataclass(frozen=True, slots=True, eq=False)
class CondensedTree:
    """HDBSCAN's condensed tree; images are ``0 … n-1``, clusters ``n …`` with the root ``n``."""

    parent: NDArray[np.int64]  # [edge]
    child: NDArray[np.int64]  # [edge]
    lambda_val: NDArray[np.float64]  # [edge] 1 / distance at which the child leaves its parent; finite
    child_size: NDArray[np.int64]  # [edge]

    def __post_init__(self) -> None:
        _freeze(self, parent=np.int64, child=np.int64, lambda_val=np.float64, child_size=np.int64)
        assert len(self.parent) == len(self.child) == len(self.lambda_val) == len(self.child_size)


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """The groups of images that one layer treats alike.

    Patterns are numbered ``0 … n_patterns-1`` along a line on which neighbours are alike (see `find_patterns`), so a
    number is also a place for a colour. An image in no pattern has label `NOISE`; `assigned` names the pattern it is
    closest to all the same, which is an assignment and never a membership.
    """

    layer: str
    label: Int  # [image] pattern number, or NOISE
    probability: Float  # [image] membership strength in [0, 1]; 0 for noise
    outlier_score: Float  # [image] GLOSH in [0, 1]
    assigned: Int  # [image] most probable pattern; equals `label` for members; NOISE only where no pattern exists
    assigned_probability: Float  # [image] in [0, 1]; `probability` for members
    persistence: Float  # [pattern] in [0, 1]
    medoid: Int  # [pattern] the member of least mean distance to the other members
    exemplar: Int  # [exemplar] images, pattern by pattern
    exemplar_pattern: Int  # [exemplar] the pattern each exemplar stands for
    tree: CondensedTree

    def __post_init__(self) -> None:
        _freeze(
            self,
            label=np.int32,
            probability=np.float32,
            outlier_score=np.float32,
            assigned=np.int32,
            assigned_probability=np.float32,
            persistence=np.float32,
            medoid=np.int32,
            exemplar=np.int32,
            exemplar_pattern=np.int32,
        )
        n = len(self.label)
        assert n == len(self.probability) == len(self.outlier_score)
        assert n == len(self.assigned) == len(self.assigned_probability)
        assert len(self.persistence) == len(self.medoid) == int(self.label.max(initial=NOISE)) + 1
        assert len(self.exemplar) == len(self.exemplar_pattern)

    @property
    def n_images(self) -> int:
        """Number of images, noise included."""
        return len(self.label)

    @property
    def n_patterns(self) -> int:
        """Number of patterns; noise is none."""
        return len(self.medoid)

    @property
    def coverage(self) -> float:
        """Share of images that are members of some pattern, in [0, 1]."""
        return float(np.mean(self.label != NOISE)) if self.n_images else 0.0

    @property
    def size(self) -> Int:
        """[pattern] number of members."""
        return np.bincount(self.label[self.label != NOISE], minlength=self.n_patterns).astype(np.int32)

    @property
    def clustered(self) -> NDArray[np.int64]:
        """Images that the tree was grown from, ascending: all, or the sample by which the others were assigned."""
        return np.unique(self.tree.child[self.tree.child < self.n_images])

    def members(self, pattern: int) -> Int:
        """Images of `pattern` (or of `NOISE`), the firmest member first, ties in image order."""
        image = np.flatnonzero(self.label == pattern)
        firmest: Int = image[np.argsort(-self.probability[image], kind="stable")].astype(np.int32)
        return firmest

    def exemplars(self, pattern: int) -> Int:
        """Images that HDBSCAN takes as the densest core of `pattern`."""
        found: Int = self.exemplar[self.exemplar_pattern == pattern]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The images that the patterns of two layers share."""

    source_layer: str
    target_layer: str
    source_label: Int  # [image]
    target_label: Int  # [image]
    n_sources: int
    n_targets: int

    def __post_init__(self) -> None:
        _freeze(self, source_label=np.int32, target_label=np.int32)
        assert len(self.source_label) == len(self.target_label)

    @property
    def count(self) -> NDArray[np.int64]:
        """[source + 1, target + 1] number of shared images; the last row and column are noise, so ``count[-1, -1]`` is
        noise to noise and ``count[NOISE, 3]`` reads as it should."""
        table = np.zeros((self.n_sources + 1, self.n_targets + 1), np.int64)
        np.add.at(table, (self.source_label, self.target_label), 1)
        return table

    def members(self, source: int, target: int) -> Int:
        """Images that are in `source` of the one layer and in `target` of the other; either may be `NOISE`."""
        return np.flatnonzero((self.source_label == source) & (self.target_label == target)).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """The model's own answer for every image."""

    prediction: Int  # [image] class of the largest logit
    confidence: Float  # [image] softmax probability of that class, in [0, 1]
    class_names: tuple[str, ...]  # may be empty: then classes are shown by number

    def __post_init__(self) -> None:
        _freeze(self, prediction=np.int32, confidence=np.float32)
        assert len(self.prediction) == len(self.confidence)
