"""How sure one may be of a study's patterns: computed when asked for, kept in the store, read at once afterwards.

Nothing here is needed to show a first picture, so nothing of it runs before somebody asks.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.configs import ClusterConfig, is_sampled, searched
from nap_core.keys import digest
from nap_core.patterns.communities import Ties
from nap_core.patterns.gaps import Gaps
from nap_core.patterns.quality import Measures, PatternQuality, measures, pattern_quality
from nap_core.patterns.sampling import alone
from nap_core.patterns.space import Index, Space, cluster_space, tree_of
from nap_core.patterns.stability import N_DRAWS, SHARE, Stability, stability
from nap_core.store import Entry
from nap_core.study.answers import misclassified
from nap_core.study.folder import CLUSTER_TREE
from nap_core.study.study import Study
from nap_core.types import Activations, Float, Patterns, Progress

VERSION = 3  # raised when the meaning of what is stored here changes
_TREE_FIELDS = (
    *("scaling", "center", "row_l2", "reduction", "hierarchy", "n_components", "n_neighbors"),
    *("min_samples", "metric", "seed"),
)
_GRAPH_FIELDS = ("data", "indices", "indptr")
_GAPS = [field.name for field in fields(Gaps)]
_MEASURES = ("persistence", "silhouette", "dbcv")


def judged_part(study: Study, layer: str, config: ClusterConfig) -> tuple[Activations, Patterns]:
    """Return the activations and patterns of the images that were clustered: all, or the sample."""
    activations, patterns = study.activations(layer), study.patterns(layer, config)
    if is_sampled(study.fitting(layer, config), study.n_images):
        activations = replace(activations, values=activations.values[patterns.clustered])
    return activations, alone(patterns)


def kept_tree(study: Study, layer: str, config: ClusterConfig | None = None) -> tuple[Space, Index, Float]:
    """Return where the images that are clustered lie, and the tree's edges and weights.

    Of a sample, images are numbered by their place in `Patterns.clustered`. One tree serves every minimum size and both
    ways of cutting; only reduced places and the neighbours' ties are stored, as the rest is scaled from the activations
    at once.
    """
    config = study.fitting(layer, config or study.config)
    activations, reduced = study.activations(layer), config.reduction != "none"
    content = {name: getattr(config, name) for name in _TREE_FIELDS} | searched(config)
    if is_sampled(config, study.n_images):
        content["sample"] = study.patterns(layer, config).clustered
        activations = replace(activations, values=activations.values[content["sample"]])

    def grown() -> dict[str, NDArray[Any]]:
        space = cluster_space(activations, config)
        edge, weight = tree_of(space, config)
        arrays: dict[str, NDArray[Any]] = {"edge": edge, "weight": weight}
        if space.ties is not None:
            arrays |= {f"graph_{name}": getattr(space.ties.graph, name) for name in _GRAPH_FIELDS}
            arrays["by_chance"] = space.ties.by_chance
        return arrays | ({"order": space.order, "place": space.place, "group": space.group} if reduced else {})

    key = digest("cluster tree", activations=study.activations_key(layer), version=VERSION, **content)
    kept = study.store.compute(key, grown, kind=CLUSTER_TREE, layer=layer).arrays
    placed = replace(config, hierarchy="density")  # the ties are there already
    space = Space(kept["order"], kept["place"], kept["group"]) if reduced else cluster_space(activations, placed)
    if config.hierarchy == "communities":
        from scipy.sparse import csr_matrix

        n = len(space.place)
        graph = csr_matrix(tuple(kept[f"graph_{name}"] for name in _GRAPH_FIELDS), shape=(n, n))
        space = replace(space, ties=Ties(graph, kept["by_chance"]))
    return space, kept["edge"], kept["weight"]


def _measures_key(study: Study, layer: str, config: ClusterConfig) -> str:
    return digest("measures", patterns=study.patterns_key(layer, config), version=VERSION)


def _stability_key(study: Study, layer: str, config: ClusterConfig, layout: str) -> str:
    drawn = {"n_draws": N_DRAWS, "share": SHARE, "layout": layout, "seed": config.seed}
    return digest("stability", patterns=study.patterns_key(layer, config), version=VERSION, **drawn)


def _measured(entry: Entry) -> Measures:
    arrays = entry.arrays
    gaps = Gaps(**{name: arrays[f"gap_{name}"] for name in _GAPS})
    return Measures(**{name: arrays[name] for name in _MEASURES}, gaps=gaps)


def _measure(study: Study, layer: str, config: ClusterConfig) -> dict[str, NDArray[Any]]:
    found = measures(*judged_part(study, layer, config), study.fitting(layer, config))
    arrays = {name: getattr(found, name) for name in _MEASURES}
    return arrays | {f"gap_{name}": getattr(found.gaps, name) for name in _GAPS}


def layer_measures(study: Study, layer: str, config: ClusterConfig | None = None) -> Measures:
    """Return what a layer says of its own patterns; see `measures`."""
    config = config or study.config
    key = _measures_key(study, layer, config)
    return _measured(
        study.store.compute(key, lambda: _measure(study, layer, config), kind="pattern measures", layer=layer)
    )


def _steady(entry: Entry) -> Stability:
    return Stability(
        entry.arrays["jaccard"], entry.arrays["n_found"], str(entry.about["layout"]), int(entry.about["seed"])
    )


def layer_stability(
    study: Study,
    layer: str,
    config: ClusterConfig | None = None,
    layout: str = "kept",
    progress: Progress | None = None,
) -> Stability:
    """Return how well a layer's patterns come back when images are left out; see `stability`."""
    config = config or study.config

    def drawn() -> dict[str, NDArray[Any]]:
        activations, patterns = study.activations(layer), study.patterns(layer, config)
        if layout == "kept":
            activations, patterns = judged_part(study, layer, config)
        found = stability(
            activations,
            patterns.label,
            study.fitting(layer, config),
            layout=layout,
            seed=config.seed,
            space=kept_tree(study, layer, config)[0] if layout == "kept" else None,
            progress=progress,
        )
        return {"jaccard": found.jaccard, "n_found": found.n_found}

    key = _stability_key(study, layer, config, layout)
    about = {"kind": "pattern stability", "layer": layer, "layout": layout, "seed": config.seed}
    return _steady(study.store.compute(key, drawn, **about))


def _assembled(
    study: Study, layer: str, config: ClusterConfig, found: Measures, steady: Stability | None
) -> PatternQuality:
    # A single unit answers no class, yet its patterns hold images that the whole network gets right or wrong.
    wrong = None if study.predictions is None else misclassified(study)
    return pattern_quality(study.patterns(layer, config), found, steady, np.asarray(study.target), wrong)


def quick_layout(config: ClusterConfig) -> str:
    """Return which stability is asked for first: all of it, unless that takes minutes."""
    return "kept" if config.reduction == "umap" else "fresh"


def quality(
    study: Study, layer: str, config: ClusterConfig | None = None, progress: Progress | None = None
) -> PatternQuality:
    """Return how sure one may be of each pattern of a layer, computed when it is asked for the first time.

    The stability repeats everything, but for a recipe with UMAP: then it repeats the cut in the layout as it lies, as
    thirty layouts take minutes. Where `layer_stability` was asked to lay the images out anew, that one is given.
    """
    config = config or study.config
    found = layer_measures(study, layer, config)
    if (known := known_quality(study, layer, config)) is not None and known.layout:
        return known
    return _assembled(
        study, layer, config, found, layer_stability(study, layer, config, quick_layout(config), progress)
    )


def known_quality(study: Study, layer: str, config: ClusterConfig | None = None) -> PatternQuality | None:
    """Return what is stored already, with the strictest stability that is there, or None; computes nothing."""
    config = config or study.config
    if not study.has_patterns(layer, config):
        return None
    entry = study.store.get(_measures_key(study, layer, config))
    if entry is None:
        return None
    kept = (study.store.get(_stability_key(study, layer, config, layout)) for layout in ("fresh", "kept"))
    steady = next((_steady(stored) for stored in kept if stored is not None), None)
    return _assembled(study, layer, config, _measured(entry), steady)
