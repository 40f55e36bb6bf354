"""Sets of images in a fixed order, opened one at a time, when they are asked for.

An image is known by its id, the path inside the set; a set is known by its fingerprint, the digest of all ids, bytes
and targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from nap_core.errors import InputError
from nap_core.inputs.pictures import read_picture
from nap_core.keys import digest
from nap_core.types import Int, frozen_array


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that looked like a picture and could not be read."""

    name: str
    reason: str


class Pictures(Protocol):
    """Where the pictures of a set are."""

    def read(self, row: int, at_least: int | None) -> Image.Image:
        """Return the picture in `row`, 8 bit."""

    def file(self, row: int) -> Path | None:
        """Return the file it is in, if it has one of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class FilePictures:
    """One file per picture."""

    path: tuple[Path, ...]

    def read(self, row: int, at_least: int | None) -> Image.Image:
        """Decode the file."""
        try:
            return read_picture(self.path[row], at_least)
        except InputError as error:
            raise InputError(
                f"'{self.path[row]}' could be read before and cannot any more: {error}. Load the images again."
            ) from error

    def file(self, row: int) -> Path | None:
        """Return the file."""
        return self.path[row]


@dataclass(frozen=True, slots=True, eq=False)
class HeldPictures:
    """Files held in memory, as they came; nothing of them is on any disk."""

    content: tuple[bytes, ...]

    def read(self, row: int, at_least: int | None) -> Image.Image:
        """Decode the bytes."""
        return read_picture(BytesIO(self.content[row]), at_least)

    def file(self, row: int) -> Path | None:
        """Return None: they have no file."""
        return None


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPictures:
    """All pictures in one array."""

    picture: NDArray[np.uint8]  # [image, h, w] or [image, h, w, 3]

    def read(self, row: int, at_least: int | None) -> Image.Image:
        """Return a copy of the row as a picture."""
        return Image.fromarray(np.array(self.picture[row]))

    def file(self, row: int) -> Path | None:
        """Return None: rows have no file of their own."""
        return None


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Images in a fixed order, with what is known of them."""

    ids: tuple[str, ...]  # [image] different from each other
    target: Int  # [image] class number, or NOISE where it is not known
    class_names: tuple[str, ...]  # may be empty: then classes are shown by number
    source: str  # a phrase for people: where they came from
    pictures: Pictures
    content: tuple[str, ...]  # [image] SHA-256 of the file's bytes, or of the row of the array
    row: Int  # [image] its row in `pictures`
    skipped: tuple[Skipped, ...] = ()
    fingerprint: str = field(init=False)  # changes with every id, byte and target, and with their order

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", frozen_array(self.target, np.int32))
        object.__setattr__(self, "row", frozen_array(self.row, np.int32))
        assert len(self.ids) == len(self.target) == len(self.content) == len(self.row)
        key = digest("images", ids=self.ids, content=self.content, target=self.target)
        object.__setattr__(self, "fingerprint", key)

    def __len__(self) -> int:
        return len(self.ids)

    def picture(self, image: int, at_least: int | None = None) -> Image.Image:
        """Decode one image: mode RGB or L, 8 bit, upright, first frame, transparency over white.

        Parameters
        ----------
        image
            Its number, 0 … len-1.
        at_least
            Pixels that both sides must keep: a large JPEG is then decoded at a fraction of its size, which is faster.

        Raises
        ------
        InputError
            If its file was changed or removed since it was loaded.
        """
        return self.pictures.read(int(self.row[image]), at_least)

    def file(self, image: int) -> Path | None:
        """Return the file that holds the image and nothing else, if there is one."""
        return self.pictures.file(int(self.row[image]))

    def subset(self, images: ArrayLike) -> ImageSet:
        """Return the images of these numbers, in this order; class names and skipped files are kept."""
        chosen = np.asarray(images, dtype=np.int64).reshape(-1)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in chosen),
            target=self.target[chosen],
            content=tuple(self.content[i] for i in chosen),
            row=self.row[chosen],
        )

    def limited(self, n: int, seed: int = 0) -> ImageSet:
        """Return at most `n` images drawn at random, every class by its share, in their old order."""
        if n >= len(self):
            return self
        draw = np.random.default_rng(seed)
        place = np.empty(len(self))
        for target in np.unique(self.target):
            image = np.flatnonzero(self.target == target)
            place[image] = (draw.permutation(len(image)) + 0.5) / len(image)
        order = np.lexsort((draw.random(len(self)), place))
        return self.subset(np.sort(order[: max(n, 0)]))
