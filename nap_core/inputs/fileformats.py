"""What a file is, by its content: its ending says what somebody hoped.

Weights are opened only where opening cannot run code. Everything here reads bytes and names; nothing is unpickled,
imported or executed, so that a refusal can say what the file is and what to do instead.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections import deque
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from nap_core.errors import WeightsError

SAFETENSORS = "safetensors"
CHECKPOINT = "PyTorch checkpoint"
LEGACY = "PyTorch checkpoint of before 2020"
TORCHSCRIPT = "TorchScript program"
EXPORTED = "torch.export archive (.pt2)"
PICKLE = "Python pickle"
JOBLIB = "joblib or scikit-learn pickle"

_EXPORT = "save the weights alone as safetensors (in PyTorch: safetensors.torch.save_file(model.state_dict(), FILE))"
_ARRAYS = "if it holds activations made elsewhere, give it as activations instead of as weights"

REFUSALS: dict[str, str] = {
    "HDF5 file, such as Keras writes": "bring the activations instead (one array [image, feature] per layer in a .npz)",
    "Keras archive": "bring the activations instead (one array [image, feature] per layer in a .npz)",
    "ONNX graph": f"ONNX keeps no layers to hook; {_EXPORT}",
    "TensorFlow Lite model": "bring the activations instead (one array [image, feature] per layer in a .npz)",
    "GGUF file": f"GGUF holds language models; for a classifier {_EXPORT}",
    "NumPy array": _ARRAYS,
    "NumPy archive (.npz)": _ARRAYS,
    "tar archive": f"unpack it, or {_EXPORT}",
    "compressed file": "unpack it first, and give what is inside",
    "zip without weights": "unpack it and give the weights file inside; pictures belong under images",
    "picture": "it belongs under images; weights are .safetensors, .pth, .pt or .bin",
    "web page": "the download brought a page instead of the file; download it again, signed in where that is needed",
    "pointer of Git LFS": "the file itself was not downloaded; run `git lfs pull`, or use the site's download button",
    "empty file": "copy or download it again",
    "file of an unknown kind": "weights are .safetensors, or what torch.save(model.state_dict(), FILE) wrote",
}
"""Kinds that are never opened → what to do instead."""

_LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "HDF5 file, such as Keras writes"),
    (b"GGUF", "GGUF file"),
    (b"\x93NUMPY", "NumPy array"),
    (b"\x1f\x8b", "compressed file"),
    (b"BZh", "compressed file"),
    (b"\xfd7zXZ", "compressed file"),
    (b"7z\xbc\xaf", "compressed file"),
    (b"Rar!", "compressed file"),
    (b"\x28\xb5\x2f\xfd", "compressed file"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"version https://git-lfs", "pointer of Git LFS"),
)
_HARMLESS = re.compile(r"torch\._utils\._rebuild_\w+|torch\.\w*Storage|collections\.OrderedDict")
_MOST_HEADER = 100_000_000


def kind_of(path: Path) -> str:
    """Return what `path` is: one of the kinds named above, or a key of `REFUSALS`.

    Raises
    ------
    WeightsError
        If there is no such file, or it breaks off before its end.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise WeightsError(f"The weights file {path} cannot be opened: {reason}. Check the path.") from error
    if head[:4] == b"PK\x03\x04":
        return _kind_of_zip(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _MOST_HEADER:
        return SAFETENSORS
    return _kind_of_start(path, head)


def is_weights(path: Path) -> bool:
    """Return whether `path` holds a network's weights, whole, and not pictures."""
    try:
        return kind_of(path) in (SAFETENSORS, CHECKPOINT, LEGACY, TORCHSCRIPT, EXPORTED)
    except WeightsError:
        return False


def _kind_of_start(path: Path, head: bytes) -> str:
    if not head:
        return "empty file"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return "tar archive"
    if head[4:8] == b"TFL3":
        return "TensorFlow Lite model"
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return "web page"
    if head[2:15] == _LEGACY_MAGIC:
        return LEGACY
    if head[:1] == b"\x08" and head[1] < 32 and head[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x2a", b"\x3a", b"\x42"):
        return "ONNX graph"
    return _kind_of_pickle(path, head)


def _kind_of_pickle(path: Path, head: bytes) -> str:
    imports = pickle_imports(path)
    if any(name.startswith(("joblib.", "sklearn.")) for name in imports):
        return JOBLIB
    is_pickle = bool(imports) or (head[:1] == b"\x80" and head[1:2] <= b"\x05")
    # zlib has no magic of its own: 0x78 and a checksum over the first two bytes. joblib compresses this way.
    if not is_pickle and head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0:
        return "compressed file"
    return PICKLE if is_pickle else "file of an unknown kind"


def zip_names(path: Path) -> list[str]:
    """Return the names inside the zip `path`, without its outer folder.

    Raises
    ------
    WeightsError
        If the file breaks off before its end, or unpacks to far more than it holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise truncated(path) from error
    if sum(entry.file_size for entry in entries) > 4 * path.stat().st_size + 1_000_000:
        raise WeightsError(
            f"{path.name} unpacks to many times its own size, as no weights file does; it was not opened. "
            "Save the weights again with torch.save or as safetensors."
        )
    return [entry.filename.partition("/")[2] or entry.filename for entry in entries]


def _kind_of_zip(path: Path) -> str:
    names = zip_names(path)
    if "archive_format" in names or any(name.endswith("serialized_exported_program.json") for name in names):
        return EXPORTED
    if any(name in ("constants.pkl", "bytecode.pkl") or name.startswith("code/") for name in names):
        return TORCHSCRIPT
    if "data.pkl" in names:
        return CHECKPOINT
    if "model.weights.h5" in names:
        return "Keras archive"
    if names and all(name.endswith(".npy") for name in names):
        return "NumPy archive (.npz)"
    return "zip without weights"


def truncated(path: Path) -> WeightsError:
    """Return the error for a file that breaks off before its end."""
    size = path.stat().st_size / 1e6
    return WeightsError(
        f"{path.name} is damaged or incomplete ({size:.1f} MB are there): it breaks off before its end. "
        "Copy or download it again."
    )


def checkpoint_imports(path: Path) -> list[str]:
    """Return the names a PyTorch checkpoint or plain pickle wants to import and that are not known to be harmless."""
    import torch

    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # noqa: BLE001  # torch raises many kinds for what is no zip; reading the opcodes needs none of them
        return [name for name in pickle_imports(path) if not _HARMLESS.fullmatch(name)]


def pickle_imports(path: Path) -> list[str]:
    """Return ``module.name`` of everything the pickles at the start of `path` import, read without unpickling.

    Only opcodes are looked at; what a pickle would put together while running stays unseen, so the list tells and does
    not judge.
    """
    found: list[str] = []
    with path.open("rb") as file:
        for name in _imports(file):
            if name not in found:
                found.append(name)
    return sorted(found)


def _imports(file: BufferedReader) -> Iterator[str]:
    try:
        while file.peek(1):
            yield from _imports_of_one(file)
    except Exception:  # noqa: BLE001  # not a pickle, or one cut short: what was seen until here is the answer
        return


def _imports_of_one(file: BufferedReader) -> Iterator[str]:
    """Follow the two strings last pushed, which a STACK_GLOBAL joins; they may come from the pickle's memo."""
    pushed: deque[str] = deque(["", ""], maxlen=2)
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(pushed)
        elif opcode.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo[len(memo) if argument is None else int(str(argument))] = pushed[-1]
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            pushed.append(memo.get(int(str(argument)), ""))
        elif isinstance(argument, str):
            pushed.append(argument)
