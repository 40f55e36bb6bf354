"""Two groupings of images compared, each from any study, layer and clustering; images are matched by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nap_core.patterns.alignment import Alignment, align, common_images
from nap_core.study.study import Study
from nap_core.types import NOISE, Int, Patterns, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The patterns of two sides, and how they correspond over the images that both sides have."""

    left: Patterns
    right: Patterns
    left_image: Int  # [image] place of an image of the alignment in the left study
    right_image: Int  # [image] place in the right study
    alignment: Alignment

    def __post_init__(self) -> None:
        for name in ("left_image", "right_image"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32))
        assert len(self.left_image) == len(self.right_image) == self.alignment.n_images

    @property
    def is_same(self) -> bool:
        """Whether both sides group the images in the same way, number by number."""
        return bool(np.array_equal(self.alignment.left_label, self.alignment.right_label))

    @property
    def rows(self) -> list[tuple[int, int]]:
        """(left, right) pattern of every pair and every pattern alone, `NOISE` for a missing partner; those with the
        most images that moved first."""
        alignment = self.alignment
        rows = [(int(p), int(q)) for p, q in alignment.pair]
        rows += [(int(p), NOISE) for p in alignment.left_alone] + [(NOISE, int(q)) for q in alignment.right_alone]

        def moved(row: tuple[int, int]) -> tuple[int, int]:
            stayed, gone, came = alignment.members(*row)
            return -len(gone) - len(came), -len(stayed)

        return sorted(rows, key=moved)


def compare(left: Study, left_patterns: Patterns, right: Study, right_patterns: Patterns) -> Comparison:
    """Compare the patterns of a layer of one study with those of a layer of another, or of the same, study.

    Raises
    ------
    InputError
        If the studies have no image in common.
    """
    left_image, right_image = common_images(left.ids, right.ids)
    alignment = align(
        left_patterns.label[left_image],
        right_patterns.label[right_image],
        left_patterns.n_patterns,
        right_patterns.n_patterns,
    )
    return Comparison(left_patterns, right_patterns, left_image, right_image, alignment)
