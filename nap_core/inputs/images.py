"""Images from a folder, a zip, a list of files, or an array.

Every file is read once on the way in: its bytes are hashed, and it is decoded (a JPEG at an eighth of its size, which
is fast), so that a damaged file is told at the start, by name, and not after an hour of work.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from nap_core.errors import InputError, NapError, counted, listed
from nap_core.inputs.archives import kind_of_archive, unpack
from nap_core.inputs.arrays import as_pictures, kind_of_array, read_table
from nap_core.inputs.classes import by_folder, by_table, by_value
from nap_core.inputs.fileformats import is_weights
from nap_core.inputs.files import files_below, innermost, natural_key, printable
from nap_core.inputs.image_set import ArrayPictures, FilePictures, HeldPictures, ImageSet, Skipped
from nap_core.inputs.pictures import NotAPictureError, endings, read_picture, thumbnail
from nap_core.store import cache_folder
from nap_core.types import NOISE, Progress

__all__ = [
    "ImageSet",
    "Skipped",
    "images_from_arrays",
    "images_from_bytes",
    "images_from_files",
    "load_images",
    "thumbnail",
]

_POSSIBLE = "a folder of pictures, a zip of one, picture files, an .npz or .npy array, or an IDX file"


def load_images(
    path: Path | str | Sequence[Path | str],
    *,
    classes: Path | None = None,
    unpacked: Path | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """Load a folder, a zip, a list of files, an ``.npz`` or ``.npy`` array, or an IDX file with its labels beside it.

    What a file is, is told by its content. Hidden files and ``__MACOSX`` are passed over. The class of a picture is the
    folder below the first level on which paths differ, if most pictures are in such a folder; classes are numbered as
    torchvision's ``ImageFolder`` does it, so that they agree with a model that was trained with it.

    Parameters
    ----------
    path
        What to load.
    classes
        A CSV with the columns ``id`` and ``target``, in place of the folders.
    unpacked
        The folder below which a zip is unpacked, and the same zip found again; one in `cache_folder()` when absent.
    progress
        Called as ``progress(done, total)`` for every file.

    Raises
    ------
    InputError
        If nothing is there, or none of it can be read; the reasons are in the text.
    ArchiveError
        If a zip is damaged or dangerous.
    UnsafeFileError
        If an array is a pickle.
    """
    try:
        images = _load_any(path, unpacked or cache_folder() / "uploads", progress)
    except NapError:
        raise
    except OSError as error:
        raise InputError(
            f"'{error.filename or path}' cannot be read: {error.strerror or error}. Check the file and its permissions."
        ) from error
    if classes is not None:
        target, names = by_table(Path(classes), images.ids)
        images = replace(images, target=target, class_names=names)
    return images


def images_from_arrays(
    array: ArrayLike,
    target: ArrayLike | None = None,
    class_names: Sequence[str] = (),
    ids: Sequence[str] | None = None,
    source: str = "",
) -> ImageSet:
    """Make a set of an array.

    Parameters
    ----------
    array
        See `nap_core.inputs.arrays.as_pictures`: [image, h, w] or [image, h, w, 1 or 3], uint8 0 … 255 or float 0 … 1.
    target
        [image] class numbers, or class names.
    class_names, ids, source
        As in `ImageSet`; ids are ``00000``, ``00001`` … where none are given.

    Raises
    ------
    InputError
        If lengths disagree, ids repeat, or the array is no array of pictures.
    """
    picture = as_pictures(np.asarray(array))
    n = len(picture)
    width = max(5, len(str(n - 1)))
    names = tuple(f"{i:0{width}d}" for i in range(n)) if ids is None else tuple(str(name) for name in ids)
    if len(names) != n or len(set(names)) != n:
        raise InputError(
            f"{n} pictures have {len(names)} ids, {len(set(names))} different; give every picture its own."
        )
    number, found = by_value(target, n)
    content = tuple(hashlib.sha256(str(row.shape).encode() + row.tobytes()).hexdigest() for row in picture)
    return ImageSet(
        ids=names,
        target=number,
        class_names=tuple(class_names) or found,
        source=source or f"an array of {n:,} pictures",
        pictures=ArrayPictures(picture),
        content=content,
        row=np.arange(n, dtype=np.int32),
    )


def images_from_files(
    files: Sequence[Path],
    ids: Sequence[str],
    target: ArrayLike | None = None,
    class_names: Sequence[str] = (),
    source: str = "",
    progress: Progress | None = None,
    tell_all: bool = False,
) -> ImageSet:
    """Make a set of files; those that cannot be read end up in `ImageSet.skipped`.

    Parameters
    ----------
    files, ids, target
        [file] in the order of the set; a target of `NOISE` is unknown.
    class_names, source
        As in `ImageSet`.
    progress
        Called as ``progress(done, total)`` for every file.
    tell_all
        Put files among the skipped ones that are no pictures by content nor by their ending, which else are left out
        without a word.

    Raises
    ------
    InputError
        If no file can be read.
    """
    results = _in_threads(_examine, files, progress)
    skipped = tuple(
        Skipped(name, result.reason)
        for name, result, file in zip(ids, results, files, strict=True)
        if result.reason and (tell_all or result.is_picture or file.suffix.lower() in endings())
    )
    kept = [row for row, result in enumerate(results) if not result.reason]
    if not kept:
        raise InputError(_nothing_readable(source, files, skipped))
    number = np.full(len(files), NOISE) if target is None else np.asarray(target)
    return ImageSet(
        ids=tuple(ids[row] for row in kept),
        target=number[kept].astype(np.int32),
        class_names=tuple(class_names),
        source=source,
        pictures=FilePictures(tuple(files[row] for row in kept)),
        content=tuple(results[row].content for row in kept),
        row=np.arange(len(kept), dtype=np.int32),
        skipped=skipped,
    )


def images_from_bytes(contents: Sequence[bytes], ids: Sequence[str]) -> ImageSet:
    """Make a set of uploaded picture files that stays in memory; what cannot be read ends up in `ImageSet.skipped`.

    Parameters
    ----------
    contents
        [file] the bytes of picture files, not of archives.
    ids
        [file] their names.

    Raises
    ------
    InputError
        If no file can be read; the reasons are in the text.
    """
    reasons = [_unreadable(content) for content in contents]
    kept = [row for row, reason in enumerate(reasons) if not reason]
    names = [printable(name) for name in ids]
    skipped = tuple(Skipped(names[row], reason) for row, reason in enumerate(reasons) if reason)
    if not kept:
        told = listed((f"'{one.name}': {one.reason}" for one in skipped), most=5)
        raise InputError(
            f"No picture can be read ({told or 'no file was given'}). Give picture files, such as JPEG or PNG."
        )
    return ImageSet(
        ids=tuple(names[row] for row in kept),
        target=np.full(len(kept), NOISE, np.int32),
        class_names=(),
        source="uploaded pictures",
        pictures=HeldPictures(tuple(contents[row] for row in kept)),
        content=tuple(hashlib.sha256(contents[row]).hexdigest() for row in kept),
        row=np.arange(len(kept), dtype=np.int32),
        skipped=skipped,
    )


def _unreadable(content: bytes) -> str:
    """Return why a file is no picture that can be read, or nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_picture(BytesIO(content), at_least=1)
    except InputError as error:
        return str(error)
    return ""


def _nothing_readable(source: str, files: Sequence[Path], skipped: Sequence[Skipped]) -> str:
    if not skipped:
        sets = [file.name for file in files[:100] if file.is_file() and not is_weights(file) and _kind_of_set(file)]
        if sets:
            return f"No picture to read: {source} holds {listed(sets, 5)}, each a set of its own. Give one of these."
        held = f"holds {counted(len(files), 'file')} and no picture" if files else "is empty"
        return f"No picture to read: {source} {held}. Give {_POSSIBLE}."
    reasons = listed((f"'{one.name}': {one.reason}" for one in skipped), most=5)
    return f"No picture can be read in {source} ({reasons}). Give {_POSSIBLE}."


@dataclass(frozen=True, slots=True)
class _Examined:
    content: str = ""
    reason: str = ""
    is_picture: bool = True


def _examine(file: Path) -> _Examined:
    try:
        with file.open("rb") as stream:
            read_picture(stream, at_least=1)
            stream.seek(0)
            return _Examined(content=hashlib.file_digest(stream, "sha256").hexdigest())
    except InputError as error:
        return _Examined(reason=str(error), is_picture=not isinstance(error, NotAPictureError))
    except OSError as error:
        return _Examined(reason=error.strerror or str(error))


def _in_threads(
    function: Callable[[Path], _Examined], files: Sequence[Path], progress: Progress | None
) -> list[_Examined]:
    results: list[_Examined] = []
    pool = ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 2))
    try:
        with (
            warnings.catch_warnings()
        ):  # Pillow warns of large pictures and odd metadata; what matters is a reason here
            warnings.simplefilter("ignore")
            for result in pool.map(function, files):
                results.append(result)
                if progress is not None:
                    progress(len(results), len(files))
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _load_any(path: Path | str | Sequence[Path | str], unpacked: Path, progress: Progress | None) -> ImageSet:
    if isinstance(path, str) and not path.strip():
        raise InputError(f"No file or folder was named. Give {_POSSIBLE}.")
    if isinstance(path, (str, Path)):
        return _load_one(Path(path).expanduser(), unpacked, progress)
    return _load_many([Path(item).expanduser() for item in path], unpacked, progress)


def _load_one(path: Path, unpacked: Path, progress: Progress | None) -> ImageSet:
    if path.is_dir():
        return _from_folder(path, f"the folder '{path.resolve().name}'", progress)
    if not path.is_file():
        raise InputError(f"There is no file or folder '{path}'. Give {_POSSIBLE}.")
    kind = kind_of_array(path)
    if kind == "idx labels":
        raise InputError(
            f"'{path.name}' holds the labels of an IDX file. Give the file of its images, with this beside it."
        )
    if kind is not None:
        table = read_table(path)
        return images_from_arrays(
            table.picture, table.target, table.class_names, table.ids, f"the array file '{path.name}'"
        )
    if is_weights(path):
        raise InputError(f"'{path.name}' holds a network's weights; it belongs under the model. Give {_POSSIBLE} here.")
    if kind_of_archive(path) is not None:
        return _from_archive(path, unpacked, progress)
    return _from_files_below([path], path.parent, f"the file '{path.name}'", progress, tell_all=True)


def _load_many(paths: list[Path], unpacked: Path, progress: Progress | None) -> ImageSet:
    missing = [str(path) for path in paths if not path.exists()]
    if missing or not paths:
        came = f"There is no file {listed(missing, 5)}." if missing else "No file was given."
        raise InputError(f"{came} Give {_POSSIBLE}.")
    kinds = {path: _kind_of_set(path) for path in paths}
    whole = [path for path, kind in kinds.items() if kind not in (None, "idx labels")]
    if whole:
        if len(whole) > 1 or None in kinds.values():
            raise InputError(
                f"'{whole[0].name}' is a set of its own and cannot be mixed with {len(paths) - 1} other files. "
                "Give it alone (labels of an IDX file may come with it)."
            )
        return _load_one(whole[0], unpacked, progress)
    return _from_list(paths, progress)


def _kind_of_set(path: Path) -> str | None:
    return None if path.is_dir() else kind_of_array(path) or kind_of_archive(path)


def _from_list(paths: list[Path], progress: Progress | None) -> ImageSet:
    found = [file for path in paths for file in (files_below(path) if path.is_dir() else [path])]
    files = sorted({file.absolute() for file in found}, key=lambda file: natural_key(file.as_posix()))
    root = Path(os.path.commonpath([file.parent for file in files])) if files else Path()
    return _from_files_below(files, root, f"{len(files):,} given files", progress, tell_all=True)


def _from_folder(root: Path, source: str, progress: Progress | None) -> ImageSet:
    return _from_files_below(files_below(root), root, source, progress)


def _from_files_below(
    files: Sequence[Path], root: Path, source: str, progress: Progress | None, tell_all: bool = False
) -> ImageSet:
    ids = [printable(file.relative_to(root).as_posix()) for file in files]
    images = images_from_files(files, ids, source=source, progress=progress, tell_all=tell_all)
    promised = [name for name, file in zip(ids, files, strict=True) if file.suffix.lower() in endings()]
    target, names = by_folder(images.ids, promised)
    return replace(images, target=target, class_names=names)


def _from_archive(path: Path, unpacked: Path, progress: Progress | None) -> ImageSet:
    with path.open("rb") as stream:
        name = hashlib.file_digest(stream, "sha256").hexdigest()
    folder = unpacked / name
    if not folder.is_dir():
        unpack(path, folder)
    return _from_folder(innermost(folder), f"the zip '{path.name}'", progress)
