"""The architectures known here: every classifier of torchvision, its published weights, and how to tell them apart.

A state dict is a list of names and shapes. Together they give an architecture away, as a footprint does, even when the
last layer was exchanged for one with another number of classes. ``fingerprints.json`` keeps for every architecture

- the digest of its names and shapes without the head (and without auxiliary heads and position embeddings, whose
  shapes follow the number of classes and the picture size),
- a sketch, the few smallest hashes of its names and shapes, from which the overlap of two architectures is estimated
  (bottom-k sketches, Cohen & Kaplan 2007),
- what people and the preprocessing need to know, so that a list of models is shown without importing torch.

``python -m nap_core.inputs.zoo`` makes the file again from the installed torchvision, without any download.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nap_core.errors import OfflineError, UnknownNameError, WeightsError, listed
from nap_core.inputs.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]
FINGERPRINTS = Path(__file__).with_name("fingerprints.json")
POSITIONS = "encoder.pos_embedding"
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
N_SKETCH = 64


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that torchvision publishes; torchvision downloads them when they are first used."""

    name: str  # such as "IMAGENET1K_V1"
    preprocessing: Preprocessing
    n_classes: int
    file: str  # its name where torchvision keeps downloads
    size: int  # bytes, to about a thousand
    operations: float  # 10⁹ multiplications with an addition, per image


@dataclass(frozen=True, slots=True)
class Architecture:
    """One classifier of torchvision."""

    name: str  # the builder: "resnet50"
    title: str  # for people: "ResNet-50"
    n_parameters: int
    head: str  # dotted name of the layer that gives the logits
    head_root: str  # the outermost module that holds no other parameters than the head's
    head_kind: str  # "linear" or "conv"
    fingerprint: str
    sketch: tuple[int, ...]
    weights: tuple[Published, ...]
    default: str  # name of the weights torchvision recommends

    def published(self, name: str | None = None) -> Published:
        """Return the weights `name`, or the recommended ones.

        Raises
        ------
        UnknownNameError
            If torchvision publishes no such weights for this architecture.
        """
        name = self.default if name in (None, "DEFAULT") else name
        for weights in self.weights:
            if weights.name == name:
                return weights
        names = listed(weights.name for weights in self.weights)
        raise UnknownNameError(f"No published weights '{name}' for {self.name}; there are {names}.")

    def preprocessing(self, input_size: int | None = None) -> Preprocessing:
        """Return the transform of the first published weights, of those for `input_size` where there are any."""
        fitting = [w for w in self.weights if w.preprocessing.crop == input_size]
        return (fitting or list(self.weights))[0].preprocessing


def _architecture(name: str, entry: dict[str, Any]) -> Architecture:
    weights = tuple(
        Published(**{**weights, "preprocessing": Preprocessing(**weights["preprocessing"], reduced=True)})
        for weights in entry.pop("weights")
    )
    return Architecture(name=name, weights=weights, sketch=tuple(entry.pop("sketch")), **entry)


def _read() -> dict[str, Architecture]:
    if not FINGERPRINTS.exists():
        return {}
    entries = json.loads(FINGERPRINTS.read_text(encoding="utf-8"))
    return {name: _architecture(name, entry) for name, entry in entries.items()}


MODELS: dict[str, Architecture] = _read()
"""Builder name → architecture, in alphabetical order."""


def fingerprint(shapes: Shapes, head_root: str) -> str:
    """Return the digest of names and shapes without what follows the number of classes or the picture size."""
    return hashlib.sha256("\n".join(_lines(shapes, head_root)).encode()).hexdigest()


def _lines(shapes: Shapes, head_root: str) -> list[str]:
    return sorted(
        f"{key} {tuple(shape)}"
        for key, shape in shapes.items()
        if not key.startswith((f"{head_root}.", *AUXILIARY)) and key != POSITIONS and not is_counter(key)
    )


def is_counter(key: str) -> bool:
    """Whether `key` is a batch norm's count of batches, which old checkpoints lack and no forward pass reads."""
    return key.endswith(".num_batches_tracked")


def sketch(shapes: Shapes) -> tuple[int, ...]:
    """Return the `N_SKETCH` smallest hashes of the names, and of the names with shapes, in ascending order."""
    keys = [key for key in shapes if not is_counter(key)]
    words = {*keys, *(f"{key} {tuple(shapes[key])}" for key in keys)}
    hashes = (int.from_bytes(hashlib.sha256(word.encode()).digest()[:5], "big") for word in words)
    return tuple(sorted(hashes)[:N_SKETCH])


def overlap(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Return the estimated share, in [0, 1], of names and shapes that the owners of two sketches have in common."""
    union = sorted({*a, *b})[:N_SKETCH]
    return len({*union} & {*a} & {*b}) / len(union) if union else 0.0


def find(shapes: Shapes) -> Architecture | None:
    """Return the architecture with these names and shapes, whatever its head; None where there is none."""
    digests = {root: fingerprint(shapes, root) for root in {model.head_root for model in MODELS.values()}}
    return next((model for model in MODELS.values() if digests[model.head_root] == model.fingerprint), None)


def nearest(shapes: Shapes) -> tuple[Architecture, float]:
    """Return the architecture that shares most names and shapes, and the estimated share in [0, 1]."""
    own = sketch(shapes)
    best = max(MODELS.values(), key=lambda model: overlap(own, model.sketch))
    return best, overlap(own, best.sketch)


def image_size(shapes: Shapes) -> int | None:
    """Return the picture size a vision transformer's position embedding was made for; None for other networks."""
    positions, patches = shapes.get(POSITIONS), shapes.get("conv_proj.weight")
    if not positions or not patches or len(positions) != 3:
        return None
    return math.isqrt(max(positions[1] - 1, 0)) * patches[-1]


def build(name: str, *, n_classes: int = 1000, input_size: int | None = None) -> nn.Module:
    """Return the architecture `name` without memory for its weights (on the meta device), for `load_state_dict`.

    Inception and GoogLeNet get the input transform of their published weights, from which nearly all others descend,
    and no auxiliary heads, which only training runs.

    Raises
    ------
    UnknownNameError
        If there is no such architecture.
    """
    if name not in MODELS:
        raise UnknownNameError(f"No architecture '{name}'; there are {listed(MODELS)}.")
    return _hollow(name, n_classes=n_classes, input_size=input_size)


def _hollow(name: str, *, n_classes: int, input_size: int | None) -> nn.Module:
    import torch
    from torch.overrides import TorchFunctionMode
    from torchvision import models

    class Hollow(TorchFunctionMode):
        """Parameters are made on the meta device; the small tables some constructors compute with stay real."""

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            hollow = {"device": "meta"} if function in (torch.empty, torch.zeros, torch.ones) else {}
            return function(*args, **{**(kwargs or {}), **hollow})

    options: dict[str, Any] = {"num_classes": n_classes}
    if name in ("googlenet", "inception_v3"):
        options.update(init_weights=False, aux_logits=False, transform_input=True)
    if input_size is not None:
        options["image_size"] = input_size
    with Hollow():
        module: nn.Module = models.get_model(name, weights=None, **options)
    return module.eval()


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every entry of the module's state dict."""
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the 1,000 class names of ImageNet in the order of torchvision's logits."""
    from torchvision import models

    return tuple(models.ResNet18_Weights.DEFAULT.meta["categories"])


def weights_file(published: Published) -> Path:
    """Return where torchvision keeps these weights once they are downloaded."""
    from torch import hub

    return Path(hub.get_dir()) / "checkpoints" / published.file


def download(name: str, weights: str | None = None) -> Path:
    """Return the file of published weights, downloaded by torchvision unless a whole copy is there.

    Raises
    ------
    UnknownNameError
        If torchvision publishes no such weights.
    OfflineError
        If they are not there, or only in part, and cannot be downloaded.
    """
    from torch import hub
    from torchvision import models

    published = MODELS[name].published(weights)
    url: str = models.get_model_weights(name)[published.name].url
    target = weights_file(published)
    digest = _digest_in(target.name)
    if target.exists() and _is_whole(target, digest):
        return target
    part = f" The copy in {target} is incomplete." if target.exists() else ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hub.download_url_to_file(url, str(target), digest or None, progress=False)
    except (OSError, RuntimeError) as error:
        raise OfflineError(
            f"The weights {published.name} of {name} are not on this machine and {url} could not be downloaded "
            f"({str(error) or type(error).__name__}).{part} Connect to the network, or download that file elsewhere "
            "and give it as weights."
        ) from error
    return target


def _digest_in(name: str) -> str:
    found = re.search(r"-([0-9a-f]{8,})\.", name)
    return found.group(1) if found else ""


def _is_whole(path: Path, digest: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(digest)


_FAMILIES: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "alexnet": ("AlexNet", "", str),
    "convnext_": ("ConvNeXt ", " ", str.title),
    "densenet": ("DenseNet-", " ", str),
    "efficientnet_v2_": ("EfficientNetV2-", " ", str.upper),
    "efficientnet_": ("EfficientNet-", " ", str.upper),
    "googlenet": ("GoogLeNet", "", str),
    "inception_v3": ("Inception v3", "", str),
    "maxvit_": ("MaxViT-", " ", str.upper),
    "mnasnet": ("MNASNet ", ".", str),
    "mobilenet_v2": ("MobileNetV2", "", str),
    "mobilenet_v3_": ("MobileNetV3 ", " ", str.title),
    "regnet_x_": ("RegNetX-", ".", str.upper),
    "regnet_y_": ("RegNetY-", ".", str.upper),
    "resnext": ("ResNeXt-", " ", str),
    "shufflenet_v2_x": ("ShuffleNetV2 ×", ".", str),
    "squeezenet": ("SqueezeNet ", ".", str),
    "swin_v2_": ("Swin V2-", " ", str.upper),
    "swin_": ("Swin-", " ", str.upper),
    "vgg": ("VGG-", " ", str.upper),
    "vit_": ("ViT-", "/", str.upper),
    "wide_resnet": ("Wide ResNet-", "-", str),
    "resnet": ("ResNet-", " ", str),
}
"""Start of a builder's name → what papers write for it, the separator of the rest, and its case."""


def _title(name: str) -> str:
    """Return the builder's name as papers write it: ``"ResNet-50"``, ``"ViT-B/16"``; `name` for an unknown family."""
    for family, (title, separator, case) in _FAMILIES.items():
        if name.startswith(family):
            return title + case(name.removeprefix(family)).replace("_", separator)
    return name


def _head(module: nn.Module) -> tuple[str, str, str]:
    from torch import nn

    heads = [n for n, m in module.named_modules() if getattr(m, "out_features", getattr(m, "out_channels", 0)) == 1000]
    head = next(n for n in reversed(heads) if not n.startswith(AUXILIARY))
    keys, root = list(module.state_dict()), head
    while "." in root:
        outer = root.rpartition(".")[0]
        if any(key.startswith(f"{outer}.") and not key.startswith(f"{head}.") for key in keys):
            break
        root = outer
    return head, root, "linear" if isinstance(module.get_submodule(head), nn.Linear) else "conv"


def preprocessing_of(transform: Any) -> Preprocessing:
    """Translate torchvision's ``ImageClassification`` transform."""
    return Preprocessing(
        resize=transform.resize_size[0],
        crop=transform.crop_size[0],
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
    )


def _published(weights: Any) -> dict[str, Any] | None:
    """Describe published weights; None for those without a classifier."""
    transform, classes = weights.transforms(), weights.meta.get("categories")
    if not classes:
        return None
    preprocessing = asdict(preprocessing_of(transform))
    del preprocessing["reduced"]  # ours, not torchvision's
    return {
        "name": weights.name,
        "n_classes": len(classes),
        "preprocessing": preprocessing,
        "file": weights.url.rpartition("/")[2],
        "size": round(weights.meta["_file_size"] * 2**20),
        "operations": weights.meta["_ops"],
    }


def describe(name: str) -> dict[str, Any]:
    """Return the entry of ``fingerprints.json`` for the builder `name`, from the installed torchvision."""
    from torchvision import models

    module = _hollow(name, n_classes=1000, input_size=None)
    shapes, published = shapes_of(module), models.get_model_weights(name)
    head, root, kind = _head(module)
    return {
        "title": _title(name),
        "n_parameters": sum(parameter.numel() for parameter in module.parameters()),
        "head": head,
        "head_root": root,
        "head_kind": kind,
        "fingerprint": fingerprint(shapes, root),
        "default": published.DEFAULT.name,
        "weights": [entry for entry in map(_published, published) if entry],
        "sketch": sketch(shapes),
    }


def main() -> None:
    """Write ``fingerprints.json``, a line per architecture."""
    from torchvision import models

    names = models.list_models(module=models)
    lines = [f"{json.dumps(name)}: {json.dumps(describe(name), ensure_ascii=False)}" for name in names]
    FINGERPRINTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def state_for(module: nn.Module, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return `state` in the module's order, with the counters that old checkpoints lack set to zero.

    Raises
    ------
    WeightsError
        If a name is missing, unknown, or has another shape; the first differences are named.
    """
    import torch

    expected, given = shapes_of(module), {key: tuple(value.shape) for key, value in state.items()}
    problems = differences({k: s for k, s in expected.items() if k in given or not is_counter(k)}, given)
    if problems:
        raise WeightsError(problems)
    return {key: state[key] if key in state else torch.tensor(0) for key in expected}


def differences(expected: Shapes, given: Shapes, most: int = 3) -> str:
    """Return a phrase with the first missing and unknown names and the first other shapes; empty if all agree."""
    missing = [key for key in expected if key not in given]
    unknown = [key for key in given if key not in expected]
    other = [key for key in expected if key in given and tuple(expected[key]) != tuple(given[key])]
    shaped = [f"{key}: {list(given[key])} instead of {list(expected[key])}" for key in other]
    phrases = [
        f"{len(keys)} {what} ({', '.join(keys[:most])}{', …' if len(keys) > most else ''})"
        for keys, what in ((missing, "missing"), (unknown, "not known to it"), (shaped, "of another shape"))
        if keys
    ]
    return "; ".join(phrases)


if __name__ == "__main__":
    main()
