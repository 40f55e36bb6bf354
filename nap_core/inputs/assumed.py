"""How pictures become the input of a network of which nobody said it: a guess, and always said to be one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nap_core.errors import ConfigError
from nap_core.inputs.image_set import ImageSet
from nap_core.inputs.models import Network
from nap_core.inputs.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

_LARGEST = 128  # pixels; pictures above it are photos, which networks see resized
_LOOKED_AT = 16


def adjusted(
    preprocessing: Preprocessing, size: int | None, mean: Sequence[float], std: Sequence[float]
) -> Preprocessing:
    """Return `preprocessing` with what is given in its place.

    Parameters
    ----------
    size
        Side in pixels of the square that the network takes; the short side of a picture is resized to it.
    mean, std
        One value per channel, for values in [0, 1], or one for all channels; empty keeps those that are there.

    Raises
    ------
    ConfigError
        If the values cannot be used.
    """
    n = preprocessing.channels
    changes = {name: tuple(v) * (n if len(v) == 1 else 1) for name, v in (("mean", mean), ("std", std)) if v}
    sizes = {} if size is None else {"resize": size, "crop": size}
    return replace(preprocessing, **changes, **sizes)  # type: ignore[arg-type]


def fitted(network: Network, images: ImageSet) -> tuple[Network, str]:
    """Return the network with a guess that suits the pictures, where it had one at all, and a sentence that says so.

    Small squares of one size, as CIFAR's or MNIST's, are what a network was trained on: they keep their size.
    """
    if not network.is_assumed:
        return network, ""
    some = range(0, len(images), max(1, len(images) // _LOOKED_AT))
    sizes = {images.picture(image).size for image in some}
    found: Preprocessing = network.preprocessing
    if len(sizes) == 1 and len(set(next(iter(sizes)))) == 1 and max(next(iter(sizes))) <= _LARGEST:
        found = adjusted(found, max(next(iter(sizes))), (), ())
    known = network.seeing(found)
    return known, assumption(known)


def assumption(network: Network) -> str:
    """Return the sentence that tells what is assumed."""
    return (
        f"Nothing says how pictures become the input of {network.name}; assumed is {in_words(network.preprocessing)}. "
        "If it was trained otherwise, its answers and patterns are not its own: give input size, mean and standard "
        "deviation."
    )


def in_words(preprocessing: Preprocessing) -> str:
    """Return what is done to a picture, as a phrase."""
    first = "the size they have" if preprocessing.crop is None else f"{preprocessing.crop}×{preprocessing.crop} pixels"
    if preprocessing.resize and preprocessing.resize != preprocessing.crop:
        first += f" from the middle of {preprocessing.resize}"
    grey = " in grey" if preprocessing.channels == 1 else ""
    if (preprocessing.mean, preprocessing.std) == (IMAGENET_MEAN, IMAGENET_STD):
        return f"{first}{grey}, normalised as for ImageNet"
    if set(preprocessing.mean) == {0.0} and set(preprocessing.std) == {1.0}:
        return f"{first}{grey}, values 0 to 1"
    means, stds = ("/".join(f"{v:g}" for v in values) for values in (preprocessing.mean, preprocessing.std))
    return f"{first}{grey}, mean {means}, standard deviation {stds}"


def told(text: str) -> tuple[float, ...]:
    """Return numbers written with commas or spaces.

    Raises
    ------
    ConfigError
        If a part is no number.
    """
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise ConfigError(f"'{text}' are no numbers; write one per channel, such as 0.485, 0.456, 0.406.") from error
