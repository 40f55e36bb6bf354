"""Zips that mean harm are refused before a byte is written."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from nap_core.errors import ArchiveError, StorageFullError
from nap_core.inputs import archives
from nap_core.inputs.archives import Limits, unpack


def make(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return path


def refused(tmp_path: Path, archive: Path, words: str, limits: Limits = archives.LIMITS) -> None:
    with pytest.raises(ArchiveError, match=words):
        unpack(archive, tmp_path / "deep" / "out", limits)
    left = tmp_path / "deep"
    assert not left.exists() or not list(left.iterdir())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unpacks(tmp_path: Path, method: int) -> None:
    content = {"a/b.txt": b"one", "c.txt": b"two" * 1000, "ümlaut/猫.txt": b"3", "win\\dows.txt": b"4", "empty/": b""}
    unpack(make(tmp_path / "a.zip", content, method), tmp_path / "out")
    found = {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.txt")}
    assert found == {name.replace("\\", "/"): data for name, data in content.items() if data}


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/etc/evil", "..\\evil.txt", "C:\\evil.txt", "C:/evil.txt", "a/.."]
)
def test_names_that_lead_outside(tmp_path: Path, name: str) -> None:
    refused(tmp_path, make(tmp_path / "a.zip", {"good.txt": b"x", name: b"x"}), "leads out")
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize(("kind", "words"), [(stat.S_IFLNK, "link"), (stat.S_IFIFO, "special file")])
def test_links_and_pipes(tmp_path: Path, kind: int, words: str) -> None:
    entry = zipfile.ZipInfo("link")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    refused(tmp_path, tmp_path / "a.zip", words)


def test_too_many_too_large_too_dense(tmp_path: Path) -> None:
    refused(tmp_path, make(tmp_path / "a.zip", {f"{i}": b"" for i in range(11)}), "11 entries", Limits(entries=10))
    refused(tmp_path, make(tmp_path / "b.zip", {"x": b"0" * 5000}), "would grow to", Limits(bytes=4000))
    bomb = make(tmp_path / "c.zip", {"x": bytes(100 * 2**20)})
    refused(tmp_path, bomb, "-fold")
    unpack(make(tmp_path / "d.zip", {"x": bytes(2**20)}), tmp_path / "small")  # a small white picture is no bomb


def test_a_table_that_lies_about_the_size(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.zip", {"x": bytes(100_000)})
    archive.write_bytes(archive.read_bytes().replace(struct.pack("<I", 100_000), struct.pack("<I", 10)))
    refused(tmp_path, archive, "damaged")


def test_encrypted_unknown_method_twice_and_too_long(tmp_path: Path) -> None:
    plain = make(tmp_path / "a.zip", {"x": b"abc"}).read_bytes()
    start = plain.index(b"PK\x01\x02")
    locked = bytearray(plain)
    locked[start + 8] |= 1
    (tmp_path / "b.zip").write_bytes(locked)
    refused(tmp_path, tmp_path / "b.zip", "encrypted")
    odd = bytearray(plain)
    odd[start + 10] = 97
    (tmp_path / "c.zip").write_bytes(odd)
    refused(tmp_path, tmp_path / "c.zip", "method 97")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("x", b"1")
        archive.writestr("x", b"2")
    refused(tmp_path, tmp_path / "d.zip", "twice")
    refused(tmp_path, make(tmp_path / "e.zip", {"n" * 300: b"1"}), "longer than")
    refused(tmp_path, make(tmp_path / "f.zip", {"a": b"1", "a/b": b"1"}), "also a file")


def test_damaged_and_other_files(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.zip", {"x": bytes(range(256)) * 50}, zipfile.ZIP_STORED).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:500])
    refused(tmp_path, tmp_path / "cut.zip", "damaged")
    (tmp_path / "flipped.zip").write_bytes(whole[:200] + b"\xff\xfe" + whole[202:])
    refused(tmp_path, tmp_path / "flipped.zip", "damaged")
    (tmp_path / "text.zip").write_text("text")
    refused(tmp_path, tmp_path / "text.zip", "no archive")
    (tmp_path / "r.rar").write_bytes(b"Rar!\x1a\x07\x01\x00")
    refused(tmp_path, tmp_path / "r.rar", "a rar archive")


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageFullError, match="NAP_CACHE"):
        unpack(make(tmp_path / "a.zip", {"x": b"0" * 100}), tmp_path / "out")


def test_somebody_else_was_faster(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.zip", {"x": b"1"})
    unpack(archive, tmp_path / "out")
    unpack(archive, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["x"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "out"]
