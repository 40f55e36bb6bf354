"""Zip files, unpacked only after every entry was looked at.

A zip can name a file ``../../.bashrc``, hold a link to somewhere else, or blow 40 kB up to petabytes. All of this
stands in its table of contents, so the table is read first and a bad archive is refused before a byte is written.
While unpacking, the bytes are counted again, because a table can lie.
"""

from __future__ import annotations

import errno
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nap_core.errors import ArchiveError, StorageFullError

_SIGNATURES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\xfd7zXZ\x00": "xz",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
# What unpacking raises; OSError is not among it, as where files are written it is the disk that fails.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold at most."""

    entries: int = 200_000
    bytes: int = 8 * 2**30  # unpacked, all entries together
    ratio: float = 100.0  # unpacked / packed; pictures stay near 1
    free_bytes: int = 64 * 2**20  # unpacked size below which the ratio is of no interest


LIMITS = Limits()


def kind_of_archive(path: Path) -> str | None:
    """Return "zip", "tar", "7z" … by the file's first bytes, and None for anything that is no archive."""
    with path.open("rb") as file:
        head = file.read(512)
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    return "tar" if head[257:262] == b"ustar" else None


def unpack(archive: Path, to: Path, limits: Limits = LIMITS, names: re.Pattern[str] | None = None) -> None:
    """Unpack a zip into the folder `to`, which must not exist yet and appears only when everything is in it.

    Parameters
    ----------
    names
        What every file's name must be; anything when absent.

    Raises
    ------
    ArchiveError
        If it is no zip, is damaged or encrypted, holds a link or a name that leads out of the folder or is not in
        `names`, or is larger than `limits` allow. Nothing is left on the disk then.
    StorageFullError
        If the unpacked files would not fit on the disk.
    """
    kind = kind_of_archive(archive)
    if kind != "zip":
        came = f"a {kind} archive" if kind else "no archive"
        raise ArchiveError(f"'{archive.name}' is {came}; only zip files are unpacked. Pack the files as a zip.")
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened, archive, limits)
            _check_names(entries, archive, names)
            _write(opened, entries, archive, to)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(archive, to) from error
    except _BROKEN as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(
            f"The zip '{archive.name}' is damaged or not complete ({error}). Pack or upload it again."
        ) from error


def _full(archive: Path, to: Path) -> StorageFullError:
    return StorageFullError(
        f"The disk that holds {to.parent} has no room for the files in '{archive.name}'. "
        "Free some space, or set NAP_CACHE to a folder on another disk."
    )


def _checked(opened: zipfile.ZipFile, archive: Path, limits: Limits) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    entries = opened.infolist()
    _check_size(entries, archive, limits)
    placed = [(entry, _place(entry, archive)) for entry in entries]
    seen: set[PurePosixPath] = set()
    files = [(entry, place) for entry, place in placed if not entry.is_dir()]
    for _, place in files:
        if place in seen:
            raise ArchiveError(f"The zip '{archive.name}' holds '{place}' twice. Pack every file once.")
        seen.add(place)
    for _, place in files:
        if not seen.isdisjoint(place.parents):
            raise ArchiveError(f"In the zip '{archive.name}', a folder of '{place}' is also a file. Pack it again.")
    return files


def _check_names(
    entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], archive: Path, names: re.Pattern[str] | None
) -> None:
    for _, place in entries:
        if names is not None and not names.fullmatch(str(place)):
            raise ArchiveError(f"The zip '{archive.name}' holds '{str(place)[:100]}', which has no place in it.")


def _check_size(entries: list[zipfile.ZipInfo], archive: Path, limits: Limits) -> None:
    if len(entries) > limits.entries:
        raise ArchiveError(
            f"The zip '{archive.name}' has {len(entries):,} entries, more than {limits.entries:,}. "
            "Split it, or unpack it and give the folder."
        )
    total = sum(entry.file_size for entry in entries)
    if total > limits.bytes:
        raise ArchiveError(
            f"The zip '{archive.name}' would grow to {total / 2**30:,.1f} GB; at most {limits.bytes / 2**30:,.1f} GB "
            "are unpacked. Split it, or unpack it and give the folder."
        )
    packed = max(archive.stat().st_size, 1)
    if total > limits.free_bytes and total / packed > limits.ratio:
        raise ArchiveError(
            f"The zip '{archive.name}' would grow {total / packed:,.0f}-fold, which pictures never do; "
            f"{limits.ratio:,.0f}-fold is the most. Unpack it yourself and give the folder if you trust it."
        )


def _place(entry: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    name = entry.filename.replace("\\", "/")
    place = PurePosixPath(name)
    shown = f"'{entry.filename[:100]}' in the zip '{archive.name}'"
    outside = name.startswith("/") or ".." in place.parts or ":" in place.parts[0] if place.parts else True
    if outside or "\0" in name:
        raise ArchiveError(f"The name {shown} leads out of the folder it is unpacked to; nothing was unpacked.")
    if any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in place.parts):
        raise ArchiveError(f"The name {shown} is longer than a file name can be. Give it a shorter one.")
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "link" if stat.S_ISLNK(mode) else "special file"
        raise ArchiveError(f"{shown} is a {kind}; only files and folders are unpacked. Pack the files themselves.")
    if entry.flag_bits & 1:
        raise ArchiveError(f"{shown} is encrypted. Pack it without a password.")
    if entry.compress_type not in _READABLE:
        raise ArchiveError(f"{shown} is packed by method {entry.compress_type}, unknown here. Pack with deflate.")
    return place


def _write(
    opened: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], archive: Path, to: Path
) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if sum(entry.file_size for entry, _ in entries) > shutil.disk_usage(to.parent).free:
        raise _full(archive, to)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=to.parent))
    try:
        for entry, place in entries:
            target = scratch.joinpath(*place.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(opened, entry, target)
        _appear(scratch, to)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    room = entry.file_size
    with opened.open(entry) as packed, target.open("xb") as file:
        while chunk := packed.read(1 << 20):
            room -= len(chunk)
            if room < 0:
                raise zipfile.BadZipFile(f"'{entry.filename}' is larger than the zip says")
            file.write(chunk)


def _appear(scratch: Path, to: Path) -> None:
    try:
        scratch.replace(to)
    except OSError as error:
        # Somebody else unpacked the same archive first.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
