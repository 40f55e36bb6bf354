"""A study as one file: a zip that opens again exactly, on any machine, with nothing of this one in it.

In it are ``study.json``, ``images.json`` without the places of the original files, the thumbnails, the notes, the
reader's table, and every finished result. Nothing is compressed: activations hardly shrink, thumbnails not at all, and
so the size is known before a byte is written.

A bundle may come from anybody, so opening one trusts nothing: names and sizes are checked before a byte is unpacked,
and everything that pages read is read once, so that a bad bundle ends in a sentence and leaves nothing behind.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from nap_core.errors import ArchiveError, NapError, StudyError
from nap_core.inputs.archives import Limits, unpack
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.store import ABOUT
from nap_core.study.findings import findings, has_findings
from nap_core.study.folder import FORMAT, THUMBNAIL
from nap_core.study.looks import looks
from nap_core.study.properties import METADATA, kept_metadata
from nap_core.study.study import Study

BUNDLE_LIMITS = Limits(entries=20_000, bytes=4 * 2**30)
LARGEST_JSON = 64 * 2**20
_KEY = re.compile(r"[0-9a-f]{64}")
_THUMBNAILS = ("thumbnails.npy", "thumbnail_ends.npy", "thumbnails.json")
_TOP = ("study.json", "images.json", "notes.json", METADATA, *_THUMBNAILS)
_NAMES = re.compile(
    "|".join(map(re.escape, _TOP))
    + r"|results/[0-9a-f]{2}/[0-9a-f]{64}/(about\.json|[A-Za-z0-9_-][A-Za-z0-9_.-]{0,59}\.npy)"
)
_IMAGE_FACTS = ("source", "fingerprint", "ids", "target", "class_names", "skipped")
_MISFITS = (AssertionError, AttributeError, KeyError, IndexError, TypeError, ValueError, OSError, RecursionError)


def pack_study(study: Study, to: Path | BinaryIO) -> None:
    """Write `study` as one file, piece by piece; memory does not grow with its size.

    Raises
    ------
    StudyError
        If some layer of the study has not been run yet, or the file cannot be written.
    """
    if not study.is_finished:
        raise StudyError(f"The study '{study.title}' is not finished; run it to the end, then take it away.")
    try:
        with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            archive.writestr("images.json", _images_json(study))
            for name, file in _files(study):
                archive.write(file, name)
    except OSError as error:
        raise StudyError(f"The study '{study.title}' could not be written ({error}). Name another place.") from error


def bundle_size(study: Study) -> int:
    """Return about how many bytes `pack_study` will write."""
    return len(_images_json(study)) + sum(file.stat().st_size + 2 * len(name) + 150 for name, file in _files(study))


def _images_json(study: Study) -> bytes:
    facts = {name: study.images[name] for name in _IMAGE_FACTS}
    return json.dumps(facts, indent=1, ensure_ascii=False).encode()


def _files(study: Study) -> Iterator[tuple[str, Path]]:
    """Yield name in the bundle → file, but for ``images.json``."""
    for name in _TOP:
        if name != "images.json" and (study.folder / name).exists():
            yield name, study.folder / name
    for about in sorted(study.store.folder.glob(f"??/*/{ABOUT}")):
        arrays = json.loads(about.read_text(encoding="utf-8"))["arrays"]
        for file in (about, *(about.with_name(f"{array}.npy") for array in arrays)):
            yield f"results/{file.relative_to(study.store.folder).as_posix()}", file


def unpack_study(file: Path, folder: Path) -> Study:
    """Open the study in a file that `pack_study` wrote; it lives in `folder`, which must not exist yet.

    Raises
    ------
    ArchiveError
        If it is no zip, is damaged, too large, or holds anything that is not part of a study.
    StudyError
        If what it holds is no whole study of this version, or `folder` is there already.
    """
    if not file.is_file():
        raise StudyError(f"There is no file '{file}'. Give the one that a study was packed into.")
    if folder.exists():
        raise StudyError(f"{folder} exists already; name a folder that does not.")
    scratch = folder.with_name(f".opening-{secrets.token_hex(8)}")
    try:
        unpack(file, scratch, BUNDLE_LIMITS, _NAMES)
        _check(scratch)
        scratch.replace(folder)
    except (ArchiveError, StudyError) as error:
        raise type(error)(f"{error} Nothing of '{file.name}' was kept.") from error
    except (NapError, *_MISFITS) as error:
        reason = _reason(error)
        raise StudyError(
            f"'{file.name}' holds no whole study ({reason[:200]}). Download the study again from where it was made."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Study.open(folder)


def _reason(error: Exception) -> str:
    """Return a phrase that names no folder of this machine."""
    if isinstance(error, OSError) and error.filename:
        return f"{Path(error.filename).name}: {error.strerror}"
    return str(error).strip() or "its parts do not fit together"


def _check(folder: Path) -> None:
    """Read everything that pages read; whatever does not fit raises one of `_MISFITS`."""
    for file in folder.rglob("*.json"):
        _require(file.stat().st_size <= LARGEST_JSON, f"{file.name} is larger than any study's")
    about = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise StudyError(f"The study in it is of another version than this one, which reads format {FORMAT}.")
    study = Study.open(folder)
    _check_about(study)
    _check_images(study)
    _check_thumbnails(study)
    _check_results(study)
    _check_notes(folder / "notes.json")
    kept_metadata(study)
    for layer in filter(study.has_patterns, study.layer_names):
        looks(study, layer)
    if has_findings(study):
        findings(study)


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _check_about(study: Study) -> None:
    about = study.about
    texts = [about[name] for name in ("title", "made", "pooling", "precision")]
    texts += [*study.problems, *study.problems.values()]
    model = about["model"]
    if model is not None:
        texts += [model["name"], model["source"], model["fingerprint"]]
        Preprocessing(**model.get("preprocessing") or {"resize": None, "crop": None})  # raises where it is none
    _require(_are_texts(texts), "a name in study.json is no text")
    _require(_are_texts(about["class_names"]), "class_names are no texts")
    keys = about["keys"]
    # A key is where a result lies on the disk: any other text could lead out of the study.
    _require(all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys.values()), "a key is none")
    for layer in study.layers:
        _require(_are_texts([layer.name, layer.type, layer.kind, layer.reason]), "a layer's name is no text")
        _require(all(isinstance(n, int) for n in (*layer.output_shape, layer.n_parameters)), "a shape is no number")
        _require(layer.name in keys, f"layer '{layer.name}' has no key")
    _require(len(set(study.layer_names)) == len(study.layers) > 0, "its layers are not told apart")
    _require(study.config is not None, "it has no clustering")


def _check_images(study: Study) -> None:
    facts, n = study.images, study.n_images
    # `files` would let a bundle name any file of the machine that opens it.
    _require(set(facts) == set(_IMAGE_FACTS), f"images.json holds {', '.join(sorted(set(facts) ^ set(_IMAGE_FACTS)))}")
    _require(isinstance(facts["source"], str) and _are_texts(facts["ids"]), "an id is no text")
    _require(_are_texts(facts["class_names"]), "class_names are no texts")
    _require(all(_are_texts(pair) and len(pair) == 2 for pair in facts["skipped"]), "a skipped file has no reason")
    _require(len(set(study.ids)) == n == len(study.target), "its number of images is not clear")
    _require(int(study.target.min(initial=0)) >= -1, "a class has an impossible number")


def _check_thumbnails(study: Study) -> None:
    present = [(study.folder / name).exists() for name in _THUMBNAILS[:2]]
    _require(all(present) or not any(present), "half of the thumbnails is missing")
    if not study.has_pictures:
        return
    blob, ends = (np.load(study.folder / name, mmap_mode="r", allow_pickle=False) for name in _THUMBNAILS[:2])
    _require((blob.dtype, blob.ndim, ends.ndim) == (np.uint8, 1, 1), "the thumbnails are no bytes")
    _require(len(ends) == study.n_images and ends.dtype.kind in "iu", "there is not one thumbnail per image")
    _require(bool((np.diff(ends, prepend=0) >= 0).all()) and int(ends[-1]) == len(blob), "the thumbnails are cut")
    for image in range(study.n_images):
        with Image.open(io.BytesIO(study.thumbnail(image)), formats=("JPEG",)) as picture:
            _require(max(picture.size) <= THUMBNAIL, "a thumbnail is too large")


def _check_results(study: Study) -> None:
    for folder in study.store.folder.glob("??/*"):
        _check_entry(folder, json.loads((folder / ABOUT).read_text(encoding="utf-8")))
    _require(study.is_finished, "the activations of a layer are missing")
    lengths = {len(study.activations(layer).values) for layer in study.layer_names}
    if study.predictions is not None:
        lengths.add(len(study.predictions.prediction))
    for layer in filter(study.has_patterns, study.layer_names):
        patterns = study.patterns(layer)
        lengths.add(patterns.n_images)
        places = np.concatenate([patterns.medoid, patterns.exemplar, patterns.label, patterns.assigned])
        _require(bool(((places >= -1) & (places < study.n_images)).all()), f"a pattern of '{layer}' has no such image")
    _require(lengths == {study.n_images}, "results are of another number of images")


def _check_entry(folder: Path, about: Mapping[str, Any]) -> None:
    arrays = about["arrays"]
    _require(_are_texts(arrays), "a result's arrays are not named")
    present = {file.name for file in folder.iterdir()} - {ABOUT}
    _require(present == {f"{name}.npy" for name in arrays}, f"the result {folder.name[:12]}… is not whole")
    _require(folder.parent.name == folder.name[:2], f"the result {folder.name[:12]}… lies in the wrong place")
    for name in arrays:
        array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        _require(array.dtype.kind in "biufU", f"the array {name} holds no numbers")


def _check_notes(file: Path) -> None:
    if not file.exists():
        return
    for key, notes in json.loads(file.read_text(encoding="utf-8")).items():
        _require(bool(_KEY.fullmatch(key)), "a note belongs to nothing")
        for pattern, note in notes.items():
            _require(str(int(pattern)) == pattern, "a note belongs to no pattern")
            _require(set(note) == {"name", "note"} and _are_texts(list(note.values())), "a note is no text")
