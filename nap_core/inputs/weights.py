"""Weights from a file, without running anything that is in it.

A weights file of PyTorch is a pickle, and a pickle is a program. So `read_weights` opens safetensors, which cannot hold
code, and checkpoints through ``torch.load(weights_only=True)``, which builds tensors and plain containers and nothing
else. Whatever else is inside is refused by name, with the lines that turn it into safetensors; nothing is ever tried a
second time with fewer precautions.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nap_core.errors import NapError, UnsafeFileError, WeightsError, counted, listed
from nap_core.inputs import fileformats, zoo
from nap_core.inputs.fileformats import CHECKPOINT, EXPORTED, JOBLIB, LEGACY, PICKLE, SAFETENSORS, TORCHSCRIPT

if TYPE_CHECKING:
    import torch

State = dict[str, "torch.Tensor"]

CONTAINERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "params_ema",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
)
"""Names under which checkpoints keep the weights, the likeliest first."""

PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "ema_model.", "online_model.")
"""Put before every name by wrappers: data parallel, compile, Lightning, averaging."""

LEAST_SHARE = 0.05
"""Share of names and shapes in common from which on an architecture is worth naming as the nearest."""

_NOT_THE_MODEL = re.compile(r"(criterion|loss_fn|loss|loss_function)\.|n_averaged$|(initted|step)$")
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\..*)$")

TRUST = "If you trust the file and it lies on this machine, set NAP_TRUST_LOCAL_FILES=1 and give its path."

_CONVERT = """On a machine where you trust the file, these three lines turn it into weights that are read here:
    import torch, safetensors.torch; found = torch.load({path!r}, map_location="cpu", weights_only=False)
    state = found.state_dict() if hasattr(found, "state_dict") else found.get("state_dict", found)
    safetensors.torch.save_file({{k: v.clone().contiguous() for k, v in state.items()}}, {target!r})"""

_PROGRAM = """Save the weights alone instead:
    import torch, safetensors.torch
    state = {load}
    safetensors.torch.save_file({{k: v.clone().contiguous() for k, v in state.items()}}, {target!r})"""

_LOADERS = {
    TORCHSCRIPT: 'torch.jit.load({path!r}, map_location="cpu").state_dict()',
    EXPORTED: "torch.export.load({path!r}).state_dict",
}


def read_weights(path: Path | str) -> State:
    """Return the state dict in a weights file: unwrapped, names without wrappers' prefixes, on the CPU.

    Parameters
    ----------
    path
        ``.safetensors``, or what ``torch.save`` wrote; the content decides, not the ending.

    Raises
    ------
    UnsafeFileError
        If opening the file could run code; the text names what it wants to import.
    WeightsError
        If the file is missing, damaged, of another kind, or holds no weights.
    """
    path = Path(path)
    kind = fileformats.kind_of(path)
    if kind == SAFETENSORS:
        state = _read_safetensors(path)
    elif kind in (CHECKPOINT, LEGACY):
        state = state_in(_read_checkpoint(path, kind), path.name)
    else:
        raise refusal(path, kind)
    _check_size(state, path)
    return renamed(state)


def refusal(path: Path, kind: str) -> NapError:
    """Return the error for a file that is not opened: what it is, why, and the way out."""
    target = path.with_suffix(".safetensors").name
    if kind in _LOADERS:
        lines = _PROGRAM.format(load=_LOADERS[kind].format(path=path.name), target=target)
        return UnsafeFileError(f"{path.name} is a {kind}: loading it runs code, so it was not opened. {lines}\n{TRUST}")
    if kind == JOBLIB:
        return UnsafeFileError(
            f"{path.name} is a {kind} ({_wanted(path)}): opening it runs code, so it was not opened. "
            "Networks are read from safetensors or PyTorch checkpoints; from another library, bring the activations "
            "(one array [image, feature] per layer in a .npz)."
        )
    if kind == PICKLE:
        return UnsafeFileError(
            f"{path.name} is a plain {kind} that wants to import {_wanted(path)}: opening it runs code, so it was not "
            f"opened. Save the weights alone, with torch.save(model.state_dict(), FILE) or as safetensors."
        )
    return WeightsError(f"{path.name} is no weights file but a {kind}; {fileformats.REFUSALS[kind]}.")


def _convert(path: Path) -> str:
    return _CONVERT.format(path=path.name, target=path.with_suffix(".safetensors").name)


def _wanted(path: Path) -> str:
    return listed(fileformats.checkpoint_imports(path)) or "nothing that could be named"


def _read_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise fileformats.truncated(path) from error
    except (OSError, KeyError, ValueError) as error:
        raise WeightsError(f"{path.name} cannot be read as safetensors ({error}). Save the weights again.") from error


def _read_checkpoint(path: Path, kind: str) -> Any:
    import torch

    if torch.__version__ < torch.torch_version.TorchVersion("2.10"):
        raise WeightsError(
            f"PyTorch {torch.__version__} has known holes in reading checkpoints; install torch ≥ 2.10, or save "
            f"{path.name} as safetensors."
        )
    try:
        if kind == CHECKPOINT and path.suffix != ".safetensors":
            return torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        with path.open("rb") as file:  # given as a file, for torch goes by the ending of a path
            return torch.load(file, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        imports = fileformats.checkpoint_imports(path)
        if not imports and kind == LEGACY:
            raise fileformats.truncated(path) from error
        raise UnsafeFileError(
            f"{path.name} holds more than weights: it wants to import {listed(imports) or 'what cannot be named'}, "
            f"which could run code, so it was not opened. {_convert(path)}\n{TRUST}"
        ) from error
    except Exception as error:  # a damaged file ends in whatever its bytes happen to mean
        raise fileformats.truncated(path) from error


def state_in(found: Any, name: str) -> State:
    """Return the weights in what a checkpoint holds, looking into the containers that training code makes.

    Raises
    ------
    WeightsError
        If there are no weights, or some of a kind that cannot be loaded.
    """
    import torch

    for _ in range(4):
        if not isinstance(found, Mapping) or any(isinstance(value, torch.Tensor) for value in found.values()):
            break
        inner = {str(key): value for key, value in found.items() if isinstance(value, Mapping) and value}
        named = next((key for key in CONTAINERS if key in inner), next(iter(inner), None))
        if named is None:
            break
        found = inner[named]
    items = found.items() if isinstance(found, Mapping) else ()
    state = {str(key): value for key, value in items if isinstance(value, torch.Tensor)}
    if not state:
        keys = f" (it has {listed(map(str, found))})" if isinstance(found, Mapping) and found else ""
        raise WeightsError(
            f"{name} holds no weights: its content is a {type(found).__name__}{keys}, and no table of named tensors "
            "was found in it. Save model.state_dict()."
        )
    return state


def _check_size(state: State, path: Path) -> None:
    import torch

    for key, value in state.items():
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            raise WeightsError(
                f"{path.name}: '{key}' is quantised, sparse or without values; save the model's float weights."
            )
    n_bytes = sum(value.numel() * value.element_size() for value in state.values())
    if n_bytes > 8 * path.stat().st_size + 1_000_000:
        raise WeightsError(
            f"{path.name} would unpack to {n_bytes / 1e6:.0f} MB, many times its own size; it was not used. "
            "Save the weights again with torch.save(model.state_dict(), FILE) or as safetensors."
        )


def renamed(state: Mapping[str, torch.Tensor]) -> State:
    """Return `state` with the names torchvision uses: without wrappers' prefixes, losses and averaging counters."""
    kept = {key: value for key, value in state.items() if not _NOT_THE_MODEL.match(key)}
    while kept:
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in kept)), None)
        if prefix is None:
            break
        kept = {key.removeprefix(prefix): value for key, value in kept.items()}
    return {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in kept.items()}


def recognise(state: Mapping[str, torch.Tensor]) -> str:
    """Return the name of the architecture that `state` belongs to, found by names and shapes, whatever its head.

    Raises
    ------
    WeightsError
        If it belongs to none of `zoo.MODELS`; the text says what was seen and what to do.
    """
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    architecture = zoo.find(shapes)
    if architecture is not None:
        return architecture.name
    shapes = {key: shape for key, shape in shapes.items() if not zoo.is_counter(key)}
    first = listed(f"{key} {list(shape)}" for key, shape in list(shapes.items())[:3])
    raise WeightsError(
        f"These weights belong to no architecture known here. They have "
        f"{counted(len(shapes), 'tensor')}, first {first}. {_nearest(shapes)} {WAYS_OUT}"
    )


def _nearest(shapes: zoo.Shapes) -> str:
    """Return a sentence on the architecture that comes closest to `shapes`."""
    near, share = zoo.nearest(shapes)
    if share < LEAST_SHARE:
        return "None of the known ones comes near."
    known = zoo.shapes_of(zoo.build(near.name, input_size=zoo.image_size(shapes)))
    expected = {key: shape for key, shape in known.items() if not zoo.is_counter(key)}
    return (
        f"Nearest is {near.name}, with about {share:.0%} of names and shapes in common; the differences begin with "
        f"{zoo.differences(expected, shapes)}."
    )


WAYS_OUT = (
    "What to do: in Python, nap.network(module, preprocessing) takes any nn.Module; on your own machine, with "
    "NAP_TRUST_LOCAL_FILES=1, give the model as 'file.py:function', where the function returns the module; or bring "
    "the activations made elsewhere, one array [image, feature] per layer in a .npz."
)
"""What a person can do whose architecture is not known here."""
