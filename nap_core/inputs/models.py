"""A network with all that must be known of it: how pictures become its input, what its outputs are called.

A network comes by name (torchvision's classifiers with published weights, the demos), from a weights file, whose
architecture is recognised, or from Python, where any ``nn.Module`` will do.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nap_core.errors import ConfigError, UnknownNameError, WeightsError, listed
from nap_core.inputs import trusted, zoo
from nap_core.inputs.class_names import ClassNames, class_names_from
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.inputs.weights import WAYS_OUT, State, read_weights, recognise
from nap_core.inputs.zoo import MODELS, Architecture
from nap_core.keys import digest

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

_PLAIN = (int, float, str, tuple, list, type(None))
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, eq=False)
class Network:
    """A module and what must be known to read it."""

    module: nn.Module
    name: str
    preprocessing: Any  # Preprocessing, or any callable picture → tensor [channel, h, w] that has a text `key`
    class_names: tuple[str, ...] = ()  # [output]; empty: outputs are shown by number
    source: str = ""  # where the weights came from, a phrase for people
    files: tuple[str, str] = ("", "")  # model and weights as `load_model` took them from this machine; "" for neither
    is_assumed: bool = False  # nobody said how pictures become its input: the preprocessing is a guess

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the architecture and of every parameter and buffer; taken once, when first asked for."""
        return digest("network", architecture=_architecture_text(self.module), values=_values_digest(self.module))

    def seeing(self, preprocessing: Any) -> Network:
        """Return the same network behind another preprocessing, which is no guess any more."""
        found = replace(self, preprocessing=preprocessing, is_assumed=False)
        found.__dict__["fingerprint"] = self.fingerprint  # of the module alone; taken once for both
        return found


def network(module: nn.Module, preprocessing: Any, *, name: str | None = None, class_names: ClassNames = ()) -> Network:
    """Return any module as a network.

    Parameters
    ----------
    module
        Takes a float32 tensor [image, channel, h, w].
    preprocessing
        A `Preprocessing`, a transform of torchvision, or any callable from a picture to a tensor [channel, h, w]. What
        it does belongs to the key of the results, so it needs an attribute `key` or a ``repr`` that tells all.
    name
        For people; the module's class when absent.
    class_names
        One per output, or a file of them.

    Raises
    ------
    ConfigError
        If nothing tells what the preprocessing does.
    """
    return Network(
        module=module,
        name=name or type(module).__name__,
        preprocessing=_with_key(preprocessing),
        class_names=class_names_from(class_names),
        source="a module given from Python",
    )


def load_model(
    name: str | None = None,
    weights: Path | str | None = None,
    *,
    class_names: ClassNames = (),
    preprocessing: Preprocessing | None = None,
    uploaded: bool = False,
) -> Network:
    """Return a network by name, from a weights file, or from both.

    Parameters
    ----------
    name
        A builder of torchvision, a demo, or 'file.py:function'; recognised from the weights when absent.
    weights
        A file, or the name of published weights such as ``IMAGENET1K_V2``; the recommended ones when absent.
    class_names
        One per output, or a file of them; for published weights they are known.
    preprocessing
        When absent, that of the published weights of the same architecture.
    uploaded
        The file came from somebody else: nothing in it may run, whatever the environment says.

    Raises
    ------
    UnknownNameError
        If there is no such model or published weights.
    UnsafeFileError
        If opening the file could run code and it is not trusted.
    WeightsError
        If the weights are damaged, or do not fit the model.
    OfflineError
        If published weights are not there and cannot be downloaded.
    """
    found = _loaded(name, weights, class_names, preprocessing, uploaded)
    code, file = name is not None and ".py:" in name, weights is not None and Path(weights).is_file()
    if uploaded or not (code or file):
        return found
    model = str(Path(name).absolute()) if code and name else name or ""
    return replace(found, files=(model, str(Path(weights).absolute()) if file and weights else ""))


def _loaded(
    name: str | None,
    weights: Path | str | None,
    class_names: ClassNames,
    preprocessing: Preprocessing | None,
    uploaded: bool,
) -> Network:
    if name is not None and ".py:" in name:
        return _from_function(name, weights, class_names, preprocessing, uploaded)
    if name is not None and name not in MODELS:
        return _demo(name, weights)
    if weights is None or (name is not None and _is_published(name, weights)):
        return _published(name, weights, class_names, preprocessing)
    path = Path(weights)
    found = trusted.read_anything(path) if trusted.is_trusting(uploaded) else read_weights(path)
    if not isinstance(found, dict):
        return _whole_module(found, path, class_names, preprocessing)
    return _from_state(name or recognise(found), found, f"weights from {path.name}", class_names, preprocessing)


def _is_published(name: str, weights: Path | str) -> bool:
    names = {"DEFAULT", *(published.name for published in MODELS[name].weights)}
    return str(weights) in names and not Path(weights).exists()


def _demo(name: str, weights: Path | str | None) -> Network:
    from nap_core.inputs import demos

    if name in demos.NETWORKS:
        if weights is not None:
            raise ConfigError(f"The demo '{name}' brings its own weights; leave out either the model or the weights.")
        return demos.demo_network(name)
    known = [*demos.NETWORKS, *MODELS]
    near = get_close_matches(name.lower(), known, n=3)
    hint = f"did you mean {' or '.join(near)}? There are" if near else "there are"
    raise UnknownNameError(f"No model '{name}'; {hint} {listed(known)}.")


def _published(
    name: str | None, weights: Path | str | None, class_names: ClassNames, preprocessing: Preprocessing | None
) -> Network:
    if name is None:
        raise UnknownNameError(f"No model was named: give a weights file, or one of {listed(MODELS)}.")
    published = MODELS[name].published(None if weights is None else str(weights))
    state = read_weights(zoo.download(name, published.name))
    source = f"torchvision's published weights {published.name}"
    return _from_state(name, state, source, class_names, preprocessing or published.preprocessing)


def _from_state(
    name: str, state: State, source: str, class_names: ClassNames, preprocessing: Preprocessing | None
) -> Network:
    architecture = MODELS[name]
    state = _with_head({k: v for k, v in state.items() if not k.startswith(zoo.AUXILIARY)}, architecture)
    head = state.get(f"{architecture.head}.weight")
    n_classes = len(head) if head is not None and head.ndim else 1000
    size = zoo.image_size({key: tuple(value.shape) for key, value in state.items()})
    module = zoo.build(name, n_classes=n_classes, input_size=size)
    fill(module, state, name)
    names = class_names_from(class_names, n_classes)
    if not names and n_classes == 1000:
        names = zoo.imagenet_classes()
    return Network(module, name, preprocessing or architecture.preprocessing(size), names, source)


def _with_head(state: State, architecture: Architecture) -> State:
    """Return `state` with the head's own names where it was wrapped, as ``fc = Sequential(Dropout, Linear)`` is."""
    root, head = f"{architecture.head_root}.", f"{architecture.head}."
    own = {key: value for key, value in state.items() if key.startswith(root)}
    ends = [key.rpartition(".")[2] for key in own]
    if own.keys() <= {f"{head}weight", f"{head}bias"} or sorted(ends) not in (["bias", "weight"], ["weight"]):
        return state
    warnings.warn(
        f"The last layer is called {listed(own)} instead of {head}weight; it is taken as one linear layer.",
        stacklevel=2,
    )
    return {(head + key.rpartition(".")[2] if key in own else key): value for key, value in state.items()}


def fill(module: nn.Module, state: State, name: str) -> None:
    """Load `state` into `module` strictly, as float32, and set it to evaluation.

    Raises
    ------
    WeightsError
        If names or shapes differ; the first differences are named, and the architecture that would fit.
    """
    try:
        given = zoo.state_for(module, state)
    except WeightsError as error:
        fitting = zoo.find({key: tuple(value.shape) for key, value in state.items()})
        other = fitting is not None and fitting.name != name
        hint = f"They fit {fitting.name}: choose that, or name no model." if fitting and other else WAYS_OUT
        raise WeightsError(f"These weights do not fit {name}: {error}. {hint}") from error
    expected = module.state_dict()
    # A copy, so that the network does not depend on a file that is mapped into memory and may be removed.
    values = {key: value.to(expected[key].dtype, copy=True).contiguous() for key, value in given.items()}
    for key, value in values.items():
        expected[key] = value  # keeps the version numbers that some modules' loading asks for
    module.load_state_dict(expected, strict=True, assign=True)
    module.eval()


def _from_function(
    name: str,
    weights: Path | str | None,
    class_names: ClassNames,
    preprocessing: Preprocessing | None,
    uploaded: bool,
) -> Network:
    made = trusted.call(name, uploaded)
    label = name.rpartition(":")[2]
    if isinstance(made, Network):
        found = replace(made, preprocessing=preprocessing or made.preprocessing)
    else:
        found = _unknown(_checked_module(made, name), label, preprocessing, (), f"the function {name}")
    if weights is not None:
        state = trusted.read_anything(Path(weights))
        if not isinstance(state, dict):
            raise WeightsError(f"{Path(weights).name} holds a whole module; leave out the model, or give its weights.")
        fill(found.module, state, label)
        found = replace(found, source=f"weights from {Path(weights).name}")
    found.module.eval()
    return replace(found, class_names=class_names_from(class_names) or found.class_names)


def _whole_module(made: Any, path: Path, class_names: ClassNames, preprocessing: Preprocessing | None) -> Network:
    """Return a module that was saved whole; what is known of its architecture is taken over."""
    module = _checked_module(made, path.name).float().eval()
    shapes = zoo.shapes_of(module)
    known, names = zoo.find(shapes), class_names_from(class_names)
    if known is None:
        return _unknown(module, type(module).__name__, preprocessing, names, f"the module in {path.name}")
    if not names and shapes[f"{known.head}.weight"][0] == 1000:
        names = zoo.imagenet_classes()
    found = preprocessing or known.preprocessing(zoo.image_size(shapes))
    return Network(module, known.name, found, names, f"the module in {path.name}")


def _checked_module(made: Any, name: str) -> nn.Module:
    from torch import nn

    if not isinstance(made, nn.Module):
        raise WeightsError(
            f"{name} gave a {type(made).__name__}; an nn.Module is needed, or what nap.network(module, …) returns."
        )
    return made


def _unknown(
    module: nn.Module, name: str, preprocessing: Preprocessing | None, class_names: tuple[str, ...], source: str
) -> Network:
    """Return a module of which nothing is published; without a preprocessing, with the usual one as a guess."""
    found = preprocessing or _usual_preprocessing(module)
    return Network(module, name, found, class_names, source, is_assumed=preprocessing is None)


def _usual_preprocessing(module: nn.Module) -> Preprocessing:
    """Return ImageNet's preprocessing; for a first convolution with one channel, the plain values at 28 pixels."""
    from torch import nn

    first = next((layer for layer in module.modules() if isinstance(layer, nn.Conv2d)), None)
    grey = first is not None and first.in_channels == 1
    return Preprocessing(28, 28, (0.0,), (1.0,), channels=1) if grey else Preprocessing(256, 224)


class _Keyed:
    """A callable with a text that tells what it does."""

    def __init__(self, function: Callable[[Image.Image], torch.Tensor], key: str) -> None:
        self.function, self.key = function, key

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        return self.function(picture)


def _with_key(preprocessing: Any) -> Any:
    if isinstance(getattr(preprocessing, "key", None), str):
        return preprocessing
    if not callable(preprocessing):
        raise ConfigError(f"preprocessing is a {type(preprocessing).__name__}; give a Preprocessing or a callable.")
    if type(preprocessing).__name__ == "ImageClassification":
        return zoo.preprocessing_of(preprocessing)
    key = repr(preprocessing)
    if " at 0x" in key or "Lambda(" in key:
        raise ConfigError(
            "Nothing tells what this preprocessing does, so results could not be told apart; set its attribute `key` "
            "to a text that you change whenever it changes, or use nap_core's Preprocessing."
        )
    return _Keyed(preprocessing, key)


def _architecture_text(module: nn.Module) -> str:
    """Return the structure, every layer's settings, and the code of classes that do not come with torch."""
    settings = [
        f"{name}: {type(layer).__qualname__} {dict(_settings(layer))}" for name, layer in module.named_modules()
    ]
    own = {
        type(layer) for layer in module.modules() if not type(layer).__module__.startswith(("torch.", "torchvision."))
    }
    # Addresses of functions differ from run to run and say nothing.
    return _ADDRESS.sub("", "\n".join([repr(module), *settings, *sorted(map(_source, own))]))


def _settings(layer: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(vars(layer).items()):
        if not name.startswith("_") and name != "training" and isinstance(value, _PLAIN):
            yield name, value


def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return f"{kind.__module__}.{kind.__qualname__}"


def _values_digest(module: nn.Module) -> str:
    import torch

    found = hashlib.sha256()
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
