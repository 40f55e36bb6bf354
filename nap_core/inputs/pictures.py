"""One picture: any file Pillow reads, as 8-bit grey or RGB, upright, over white.

What a network sees should not depend on how a picture happens to be stored. So 16 bits are scaled to 8 instead of
being cut off, a camera's "turned by 90 degrees" note is obeyed, transparency lies over white, and of an animation the
first frame counts. Reading is told apart by content, never by the ending of the name.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nap_core.errors import InputError

MAX_PIXELS = 100_000_000
"""Larger pictures are refused from their header, before anything is decoded: 100 megapixels are 300 MB in RGB."""

UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow's readers raise on damaged files."""

# EPS starts Ghostscript; the others are only recognised, and then need a program or a library that is not here.
_REFUSED_FORMATS = {"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5", "FPX", "MIC"}

# Pictures by their ending that Pillow does not read; and endings it knows that promise no picture.
_FOREIGN_ENDINGS = {".heic", ".heif", ".jxl", ".svg", ".cr2", ".cr3", ".nef", ".arw", ".dng"}
_OTHER_ENDINGS = {".pdf", ".mpg", ".mpeg", ".h5", ".hdf", ".grib", ".bufr", ".ps"}

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class NotAPictureError(InputError):
    """Nothing in the file's beginning, or nothing that makes sense, says that it is a picture."""


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.OPEN if name not in _REFUSED_FORMATS)


@cache
def endings() -> frozenset[str]:
    """File endings, lower case with their dot, that promise a picture."""
    Image.init()
    return frozenset(Image.registered_extensions()) - _OTHER_ENDINGS | _FOREIGN_ENDINGS


def read_picture(source: Path | BinaryIO, at_least: int | None = None) -> Image.Image:
    """Return a picture as 8-bit grey (mode L) or RGB.

    Parameters
    ----------
    source
        A file, or a binary stream at its beginning.
    at_least
        Pixels that both sides must keep; a JPEG that is at least twice as large is then decoded at 1/2, 1/4 or 1/8 of
        its size, which is faster and is no upscaling. None: full size.

    Raises
    ------
    NotAPictureError
        If it is no picture of a known kind.
    InputError
        If it is damaged or cut off, or has more than `MAX_PIXELS`; the text is the reason alone, without
        the file's name.
    """
    try:
        with _opened(source) as picture:
            _refuse_huge(picture)
            if at_least is not None:
                picture.draft(None, (at_least, at_least))
            picture.load()
            result = eight_bit(_upright(picture))
            result.info = {}  # or the camera's note would turn it a second time
            return result
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(_reason(error)) from error


def _opened(source: Path | BinaryIO) -> Image.Image:
    try:
        return Image.open(source, formats=_formats())
    except UnidentifiedImageError as error:
        raise NotAPictureError("not a picture of a known kind") from error
    except (SyntaxError, ValueError, TypeError, LookupError, struct.error) as error:
        raise NotAPictureError(_reason(error)) from error


def _refuse_huge(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{width} × {height} are {width * height / 1e6:.0f} megapixels; "
            f"at most {MAX_PIXELS / 1e6:.0f} are read: make it smaller"
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"more than {MAX_PIXELS / 1e6:.0f} megapixels: make it smaller"
    if isinstance(error, FileNotFoundError):
        return "there is no such file any more"
    if isinstance(error, PermissionError):
        return "may not be read: permission denied"
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return f"cut off before its end ({error})"
    return f"damaged ({error or type(error).__name__})"


def _upright(picture: Image.Image) -> Image.Image:
    try:
        turn = _UPRIGHT.get(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except UNREADABLE:  # a broken note on how the camera was held is no reason to lose the picture
        turn = None
    return picture if turn is None else picture.transpose(turn)


def eight_bit(picture: Image.Image) -> Image.Image:
    """Return any decoded picture in mode L where it is grey and in mode RGB elsewhere, with transparency over white.

    16-bit values are divided by 257, so that 65,535 becomes 255. 32-bit integers are taken as 16-bit ones and floats as
    0 … 1 or 0 … 255 where they fit in, and else stretched from their least to their greatest value.
    """
    if picture.mode.startswith("I") or picture.mode == "F":
        return Image.fromarray(_scaled(np.asarray(picture)))
    if picture.has_transparency_data:
        grey = picture.mode in ("1", "L", "LA", "La")
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("L" if grey else "RGB")
    if picture.mode in ("L", "RGB"):
        return picture.copy()
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _scaled(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    wide = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(wide.min()), float(wide.max())
    tops = (1.0, 255.0) if values.dtype.kind == "f" else (65535.0,)
    fitting = [top for top in tops if low >= 0 and high <= top]
    bottom, top = (0.0, fitting[0]) if fitting else (low, high)
    scaled: NDArray[np.uint8] = np.rint((wide - bottom) * (255 / ((top - bottom) or 1))).astype(np.uint8)
    return scaled


def thumbnail(picture: Image.Image, size: int) -> bytes:
    """Return a JPEG of at most `size` × `size` pixels that keeps the proportions.

    A picture smaller than half of `size` is enlarged by a whole factor without smoothing, so that the pixels of a digit
    stay visible as pixels.
    """
    width, height = picture.size
    longest = max(width, height)
    if longest > size:
        shape = (max(1, round(width * size / longest)), max(1, round(height * size / longest)))
        picture = picture.resize(shape, Image.Resampling.LANCZOS, reducing_gap=2.0)
    elif longest < size / 2:
        factor = size // longest
        picture = picture.resize((width * factor, height * factor), Image.Resampling.NEAREST)
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=85)
    return jpeg.getvalue()
