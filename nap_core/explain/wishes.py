"""What can be asked: a pattern, a unit or a class; in which mode; over which parametrisation; how long.

A `Wish` is plain values, so that it can stand in an address, on a command line and in a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nap_core.errors import ConfigError, UnknownNameError, listed
from nap_core.explain.maximize import Plan
from nap_core.explain.pattern_objectives import MODES
from nap_core.explain.transforms import suggested

PATTERN_MODES: dict[str, tuple[str, str]] = {
    **{name: (mode.title, mode.says) for name, mode in MODES.items()},
    "distribution": ("Distribution", "a typical member, its texture included"),
    "edit": ("Edit a picture", "what would bring a real picture into this pattern"),
}
"""Mode of a pattern → title, and what it says."""

UNIT_MODES: dict[str, tuple[str, str]] = {
    "channel": ("Everywhere", "what drives the unit's mean over all places"),
    "neuron": ("In the middle", "what drives the unit at one place"),
    "feature": ("In all patches", "what drives the unit in all patch tokens, the class token left out"),
    "token": ("In one token", "what drives the unit in one token of the row; 0 is the class token where there is one"),
}
"""Mode of a unit → title, and what it says."""

WAYS: dict[str, tuple[str, str]] = {
    "generator": ("Generator", "an auto-encoder trained on the study's own images; cannot leave what they look like"),
    "linear": ("Linear prior", "mixtures of the directions in which the study's images vary most"),
    "fourier": ("Fourier", "free waves, coarse ones first; shows what is enough for the network"),
    "maco": ("Fixed spectrum", "waves with the strengths they have in the study's images; only their phases move"),
    "pixel": ("Pixels", "every value on its own; finds the shortest way, which is mostly noise"),
}
"""Parametrisation → title, and what it is."""

LARGEST_DIVERSITY = 100.0
LARGEST_GENERATED = 64
"""Longest side in pixels up to which an auto-encoder is trained; above it stands the linear prior."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made; every field belongs to the key of the result."""

    layer: str  # of a logit, the layer whose patterns and distances the check uses
    pattern: int | None = None
    unit: int | None = None
    logit: int | None = None
    mode: str = ""  # of `PATTERN_MODES` or `UNIT_MODES`; "" is the first of them
    other: int | None = None  # the pattern that `contrast` compares with
    image: int | None = None  # the picture that `edit` starts from
    token: int | None = None  # of a unit, the place in the row that the mode `token` asks
    diversity: float = 0.0  # weight of how little the images' textures are alike, beside what is asked
    parametrisation: str = "fourier"  # of `WAYS`
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        named = [self.pattern, self.unit, self.logit]
        if sum(number is not None for number in named) != 1:
            raise ConfigError("Name one thing to look for: a pattern, a unit or a logit, and only one of them.")
        modes = PATTERN_MODES if self.pattern is not None else UNIT_MODES if self.unit is not None else {"": ("", "")}
        if not self.mode:
            object.__setattr__(self, "mode", next(iter(modes)) if self.token is None else "token")
        if self.mode not in modes:
            raise UnknownNameError(
                f"No mode '{self.mode}' for this; there are {listed(modes) or 'none'}. The dot product with a "
                "pattern's centroid is none of them on purpose: the mean that all images share wins it."
            )
        self._check_way()
        self._check_more()

    def _check_way(self) -> None:
        if self.parametrisation not in WAYS:
            raise UnknownNameError(f"No parametrisation '{self.parametrisation}'; there are {listed(WAYS)}.")
        if self.mode == "edit" and self.parametrisation not in ("fourier", "pixel"):
            raise ConfigError("An edit starts from a real picture; only fourier and pixel can. Choose one of them.")
        if self.mode == "contrast" and self.other in (None, self.pattern):
            raise ConfigError("The mode 'contrast' compares two patterns; name another one as well.")

    def _check_more(self) -> None:
        if (self.mode == "token") != (self.token is not None):
            raise ConfigError("A token is asked of a unit in the mode 'token', which needs its number; give both.")
        if not 0 <= self.diversity <= LARGEST_DIVERSITY:
            raise ConfigError(f"A diversity of {self.diversity:g} is outside 0 … {LARGEST_DIVERSITY:g}; choose one.")
        if self.diversity and len(self.plan.seeds) < 2:
            raise ConfigError("Diversity keeps images apart from each other; give two seeds or more, or leave it out.")


def usual_way(size: Sequence[int], n_images: int) -> str:
    """Return the parametrisation that suits pictures of this size: a generator where one can be trained."""
    from nap_core.explain.autoencoder import FEWEST_IMAGES

    is_picture = len(size) == 2 and max(size) <= LARGEST_GENERATED
    return "generator" if is_picture and n_images >= FEWEST_IMAGES else "fourier"


def usual_plan(size: Sequence[int], n_steps: int, seeds: Sequence[int], n_octaves: int = 1) -> Plan:
    """Return a plan with the movements that suit pictures of this size."""
    return Plan(n_steps=n_steps, seeds=tuple(seeds), n_octaves=n_octaves, transforms=suggested(size))
