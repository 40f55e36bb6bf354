"""Parameters: frozen, compared by value, checked once; `help` is what the widget and ``--help`` show.

Everything here can change a result and is therefore part of the cache key. Device, batch size and number of workers
cannot, and have no place here.
"""

from __future__ import annotations

from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any

from nap_core.errors import ConfigError, UnknownNameError, listed

POOLINGS: dict[str, tuple[str, ...]] = {
    "mean": ("mean",),
    "mean_std": ("mean", "std"),
    "max": ("max",),
    "min_max": ("min", "max"),
    "none": ("value",),
    "cls": ("cls",),
    "patch_mean": ("mean",),
}
"""Pooling → the numbers it keeps per unit, in the order in which they stand in a row (all means, then all stds)."""

POOLING_WORDS = {
    "mean": "mean",
    "mean_std": "mean and standard deviation",
    "max": "largest",
    "min_max": "smallest and largest",
    "none": "none: every value",
    "cls": "the class token of a transformer",
    "patch_mean": "mean of a transformer's patches",
}
"""Pooling → how it is called where a person chooses."""

PRECISIONS = ("float32", "bfloat16")
"""Number formats in which a network can compute."""
PRECISION_HELP = (
    "number format the network computes in: bfloat16 takes about half the time where the device has it, with three "
    "digits per number, so that some images change their pattern"
)

SCALINGS = {
    "unit_max": "by largest value",
    "reference": "as the authors did",
    "p99": "by 99th percentile",
    "zscore": "to mean 0, spread 1",
    "none": "none",
}
REDUCTIONS = {"none": "none", "pca": "PCA", "umap": "UMAP"}
METRICS = {"euclidean": "Euclidean", "manhattan": "Manhattan", "chebyshev": "Chebyshev"}
HIERARCHIES = {"density": "dense places", "communities": "communities"}
SELECTIONS = {"leaf": "the finest (leaf)", "eom": "the most lasting (eom)"}
SEARCHES = {"exact": "exact", "approximate": "approximate"}
"""What a parameter may be → how it is called where a person chooses."""

COMPARING, GROUPING, CUTTING, SAVING = (
    "How images are compared",
    "How groups are found",
    "Which groups become patterns",
    "For very many images",
)
"""What parameters are for."""


def _option(default: Any, section: str, label: str, text: str, **limits: Any) -> Any:
    return field(default=default, metadata={"section": section, "label": label, "help": text, **limits})


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """How a layer's activations become patterns. The defaults are the published method (arXiv 2206.10611)."""

    scaling: str = _option(
        "unit_max",
        COMPARING,
        "Scaling",
        "how units are made comparable before distances are taken",
        choices=SCALINGS,
    )
    center: bool = _option(False, COMPARING, "Centred", "subtract each unit's mean over all images")
    row_l2: bool = _option(
        False, COMPARING, "By angle", "scale each image's row to length 1, so that distances follow the angle (cosine)"
    )
    reduction: str = _option(
        "none",
        COMPARING,
        "Reduction",
        "follow the manifold in fewer dimensions before clustering",
        choices=REDUCTIONS,
    )
    hierarchy: str = _option(
        "density",
        GROUPING,
        "Groups are",
        "density: HDBSCAN, places denser than what lies around; communities: groups that are each other's neighbours",
        choices=HIERARCHIES,
    )
    n_components: int = _option(
        5, COMPARING, "Dimensions", "dimensions after the reduction; without one it changes nothing", low=1, high=100
    )
    n_neighbors: int = _option(
        15,
        GROUPING,
        "Neighbours",
        "neighbours UMAP or the communities look at: fewer is finer; density alone asks for none",
        low=2,
        high=200,
    )
    min_cluster_size: int = _option(
        5, CUTTING, "Smallest pattern", "fewest images that count as a pattern", low=2, high=100_000
    )
    min_samples: int = _option(
        5,
        GROUPING,
        "Strictness",
        "neighbours that make a place dense: more is stricter, with more noise; communities ask for none",
        low=1,
        high=1000,
    )
    cluster_selection_method: str = _option(
        "leaf", CUTTING, "Which groups", "leaf: the finest patterns; eom: the most lasting ones", choices=SELECTIONS
    )
    cluster_selection_epsilon: float = _option(
        0.0,
        CUTTING,
        "Least distance",
        "patterns of density that are closer than this distance stay one; 0 parts all",
        low=0.0,
        high=1e9,
    )
    metric: str = _option("euclidean", COMPARING, "Distance", "distance between two images' rows", choices=METRICS)
    seed: int = _option(0, GROUPING, "Seed", "seed of whatever draws at random", low=0, high=2**32 - 1)
    search: str = _option(
        "exact",
        SAVING,
        "Search of neighbours",
        "approximate: neighbours by NN-descent, which misses some; for more images than can all be compared",
        choices=SEARCHES,
        is_later=True,
    )
    cluster_sample: int = _option(
        0,
        SAVING,
        "Images clustered",
        "cluster so many images, evenly from all over the layer, and assign the rest; 0 clusters all",
        low=0,
        high=10_000_000,
        is_later=True,
    )

    def __post_init__(self) -> None:
        for parameter in fields(self):
            value, limits = getattr(self, parameter.name), parameter.metadata
            if "choices" in limits and value not in limits["choices"]:
                raise ConfigError(
                    f"{parameter.name}={value!r} is not one of {listed(limits['choices'])}; choose one of these."
                )
            if "low" in limits and not limits["low"] <= value <= limits["high"]:
                raise ConfigError(
                    f"{parameter.name}={value} is outside {limits['low']} … {limits['high']}; choose a value inside."
                )


RECIPES: dict[str, ClusterConfig] = {
    "covering": ClusterConfig(
        scaling="none",
        center=True,
        row_l2=True,
        hierarchy="communities",
        n_neighbors=15,
        min_cluster_size=4,
        min_samples=1,
        cluster_selection_method="eom",
    ),
    "published": ClusterConfig(),
}
"""Named settings. `published` is the paper's; in `covering`, neighbours form patterns, so that most images find one."""


def searched(config: ClusterConfig) -> dict[str, str]:
    """Return what the key of a result that rests on neighbours holds of how they were searched."""
    return {} if config.search == "exact" else {"search": config.search}  # nothing, as before there was a choice


def of_sample(config: ClusterConfig) -> dict[str, int]:
    """Return what the key of a result that rests on a sample holds of how the others are assigned."""
    return {"sampling": 4} if config.cluster_sample else {}  # raised when the meaning changes


def is_sampled(config: ClusterConfig, n_images: int) -> bool:
    """Whether only some of so many images are clustered, and the others assigned."""
    return 0 < config.cluster_sample < n_images


_SAMPLE_AGREES = {
    "density": "in clear groups and by 0.32 in overlapping ones, where leaving out every twentieth image changes the "
    "patterns, too (0.77)",
    "communities": "in clear groups, by 0.94 in overlapping ones, and by 0.2 to 0.4 where no group is clear",
}


def reservations(config: ClusterConfig, n_images: int) -> str:
    """Return in words what about a clustering is not exact; empty where everything is."""
    said = []
    if is_sampled(config, n_images):
        said.append(
            f"Patterns were found among {config.cluster_sample:,} of {n_images:,} images, taken evenly from all over "
            "the layer, and are judged by these; the others were assigned by their nearest ones. Where both were "
            "measured, such patterns agreed with those of all images by 0.98 to 0.99 (adjusted Rand index) "
            f"{_SAMPLE_AGREES[config.hierarchy]}."
        )
    if config.search == "approximate":
        said.append("Neighbours were searched approximately (NN-descent): a few are missed.")
    return " ".join(said)


def recipe(name: str, **changes: Any) -> ClusterConfig:
    """Return the recipe `name` with single fields changed.

    Raises
    ------
    UnknownNameError
        If there is no such recipe.
    ConfigError
        If a changed value is outside its range.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"No recipe '{name}'; there are {listed(RECIPES)}.")
    return replace(RECIPES[name], **changes)


def told(config: ClusterConfig) -> str:
    """Return a clustering in one line that `understood` reads back: "covering", "published,min_cluster_size=8"."""

    def changes(base: ClusterConfig) -> list[str]:
        pairs = ((parameter.name, getattr(config, parameter.name)) for parameter in fields(config))
        return [f"{name}={value}" for name, value in pairs if value != getattr(base, name)]

    name = min(RECIPES, key=lambda known: len(changes(RECIPES[known])))
    return ",".join([name, *changes(RECIPES[name])])


def understood(line: str) -> ClusterConfig:
    """Return the clustering that `told` wrote.

    Raises
    ------
    UnknownNameError
        If it begins with no recipe's name, or changes a field that does not exist.
    ConfigError
        If a value cannot be read or is outside its range.
    """
    name, *changes = line.split(",")
    kinds: dict[str, type] = {name: type(value) for name, value in asdict(RECIPES["published"]).items()}
    values: dict[str, Any] = {}
    for change in changes:
        field_name, _, value = change.partition("=")
        if field_name not in kinds:
            raise UnknownNameError(f"No parameter '{field_name}' of the clustering; there are {listed(kinds)}.")
        kind = kinds[field_name]
        try:
            values[field_name] = value == "True" if kind is bool else kind(value)
        except ValueError:
            raise ConfigError(f"{field_name}={value} is not a number; give one.") from None
    return recipe(name, **values)


def by_section() -> dict[str, list[Field[Any]]]:
    """Return the clustering's parameters by what they are for, as a form or ``--help`` shows them."""
    found: dict[str, list[Field[Any]]] = {section: [] for section in (CUTTING, GROUPING, COMPARING, SAVING)}
    for parameter in fields(ClusterConfig):
        found[parameter.metadata["section"]].append(parameter)
    return found
