"""What findings are made of, and what a finding is: a sentence with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import numpy as np

from nap_core.inputs.properties import ImageProperties
from nap_core.types import NOISE, Float, Int, Patterns, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything a search for findings looks at; what is unknown is None or all `NOISE`."""

    patterns: tuple[Patterns, ...]  # [layer] in execution order
    values: tuple[Float, ...]  # [layer] raw pooled activations [image, feature]
    unit: tuple[Int, ...]  # [layer] the unit of every feature
    target: Int  # [image] class of the data set, or NOISE
    class_names: tuple[str, ...]
    answer: Int  # [image] class of the data set that the model names, or NOISE where it names another or none
    is_wrong: np.ndarray  # [image] True where the model knows the image's class and names another
    properties: ImageProperties | None
    belief: Float | None = None  # [image, class] logarithm of the network's share for each class, NaN for one it lacks

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", frozen_array(self.target, np.int32))
        object.__setattr__(self, "answer", frozen_array(self.answer, np.int32))
        object.__setattr__(self, "is_wrong", frozen_array(self.is_wrong, np.bool_))
        n = len(self.target)
        assert n == len(self.answer) == len(self.is_wrong)
        assert self.belief is None or len(self.belief) == n
        assert len(self.patterns) == len(self.values) == len(self.unit)
        assert all(n == p.n_images == len(v) for p, v in zip(self.patterns, self.values, strict=True))

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self.target)

    @property
    def has_classes(self) -> bool:
        """Whether images of at least two classes are there."""
        return len(np.unique(self.target[self.target != NOISE])) > 1

    def class_name(self, number: int) -> str:
        """Return the name of a class, its number where it has none."""
        return self.class_names[number] if 0 <= number < len(self.class_names) else str(number)


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One thing worth a look."""

    kind: str  # one of `KINDS` of `nap_core.findings.search`
    sentence: str
    score: float  # how much it deserves attention, in [0, 1]; findings are ranked by it
    image: Int  # [image] evidence, the most telling first; empty where it concerns layers
    layer: str = ""  # "" where it concerns no single layer
    pattern: int = NOISE
    figures: Mapping[str, float] = field(default_factory=dict)
    note: tuple[str, ...] = ()  # [image] what is said of every image; may be empty

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", frozen_array(self.image, np.int32))
        assert 0 <= self.score <= 1
        assert not self.note or len(self.note) == len(self.image)

    @property
    def page(self) -> str:
        """The page that shows the evidence; images of no single layer become the selection."""
        return "patterns" if self.layer else "selection"

    @property
    def address(self) -> dict[str, str]:
        """What the address of that page says."""
        if not self.layer:
            return {}
        where = {"layer": self.layer}
        return where | {"pattern": str(self.pattern)} if self.pattern != NOISE else where

    @property
    def link(self) -> str:
        """Page and address in one: ``patterns?layer=features&pattern=11``."""
        return f"{self.page}?{urlencode(self.address)}" if self.address else self.page


def majority(label: Int, target: Int, n_patterns: int) -> Int:
    """Return [pattern] the commonest class of each pattern, the first of equals; NOISE where none is known.

    Parameters
    ----------
    label
        [image] pattern or `NOISE`; members or assigned images.
    target
        [image] class or `NOISE`.
    """
    known = (label != NOISE) & (target != NOISE)
    table = np.zeros((n_patterns, int(target.max(initial=0)) + 1), np.int64)
    np.add.at(table, (label[known], target[known]), 1)
    return np.where(table.sum(axis=1) > 0, table.argmax(axis=1), NOISE).astype(np.int32)
