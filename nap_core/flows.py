"""How images move between the patterns of one layer and the next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nap_core.types import NOISE, Flow, Int, Patterns, frozen_array

OTHER = -2
"""Label of the node that stands for a layer's small patterns together."""


def flow(source: Patterns, target: Patterns) -> Flow:
    """Return what the patterns of two layers share; both must speak of the same images in the same order."""
    return Flow(source.layer, target.layer, source.label, target.label, source.n_patterns, target.n_patterns)


@dataclass(frozen=True, slots=True)
class Node:
    """One pattern of one layer, its noise, or its small patterns together."""

    layer: int  # position of the layer in the chain
    label: int  # pattern number, NOISE or OTHER
    size: int  # images
    place: int  # from the top of its layer, 0 first


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The images that go from one node to a node of the next layer."""

    source: int  # position in `FlowChart.nodes`
    target: int
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class FlowChart:
    """A chain of layers, drawn: nodes layer by layer from the top, ribbons between neighbours in the chain."""

    layers: tuple[str, ...]
    n_patterns: tuple[int, ...]  # [layer]
    n_folded: tuple[int, ...]  # [layer] patterns of followed images that `OTHER` stands for
    nodes: tuple[Node, ...]
    ribbons: tuple[Ribbon, ...]
    node_of: Int  # [layer, image] node of every image; -1 for images left out
    drawn_in: Int  # [layer, image] node of every image whose pattern is drawn, left out or not; -1 for the others
    ribbon_of: Int  # [layer - 1, image] ribbon of every image; -1 for images left out

    def __post_init__(self) -> None:
        for name in ("node_of", "drawn_in", "ribbon_of"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.int32, 2))

    @property
    def n_followed(self) -> int:
        """Number of images that the chart follows."""
        return int((self.node_of[0] >= 0).sum())

    def node_members(self, node: int) -> Int:
        """Images of a node, in image order."""
        return np.flatnonzero(self.node_of[self.nodes[node].layer] == node).astype(np.int32)

    def ribbon_members(self, ribbon: int) -> Int:
        """Images of a ribbon, in image order."""
        layer = self.nodes[self.ribbons[ribbon].source].layer
        return np.flatnonzero(self.ribbon_of[layer] == ribbon).astype(np.int32)


def _drawn(label: Int, most: int, fold_below: int) -> tuple[NDArray[np.bool_], int]:
    """Return [image] whether its pattern gets a node of its own, and how many patterns do not.

    Those are all but the `most` largest, and those of fewer than `fold_below` images.
    """
    numbers, sizes = np.unique(label[label != NOISE], return_counts=True)
    large = numbers[np.lexsort((numbers, -sizes))][:most]
    large = np.intersect1d(large, numbers[sizes >= fold_below])
    if len(numbers) - len(large) == 1 and fold_below == 0:
        large = numbers  # a node for one pattern is no longer than one for "1 more"
    return (label == NOISE) | np.isin(label, large), len(numbers) - len(large)


def _shared(source: NDArray[Any], target: NDArray[Any], n_sources: int, n_targets: int) -> NDArray[np.int64]:
    """Return [source, target] how many images have each pair of numbers, both from 0."""
    pairs = source.astype(np.int64) * n_targets + target
    return np.bincount(pairs, minlength=n_sources * n_targets).reshape(n_sources, n_targets)


def orders(labels: Sequence[Int], sweeps: int = 6) -> list[list[int]]:
    """Return each layer's labels from top to bottom with few crossings, `OTHER` and then `NOISE` last.

    References
    ----------
    Sugiyama, Tagawa, Toda: Methods for visual understanding of hierarchical system structures (1981): sweeps back and
    forth, each label at the mean place of its images in the layer beside it.
    """
    found = [np.unique(label, return_inverse=True) for label in labels]
    numbers = [each[0] for each in found]
    last = [(number == NOISE, number == OTHER) for number in numbers]
    steps = range(len(labels) - 1)
    tables = [_shared(found[i][1], found[i + 1][1], len(numbers[i]), len(numbers[i + 1])) for i in steps]
    order = [
        np.lexsort((number, is_other, is_noise)) for number, (is_noise, is_other) in zip(numbers, last, strict=True)
    ]
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        for layer in steps if forward else reversed(steps):
            moved, beside = (layer + 1, layer) if forward else (layer, layer + 1)
            shared = tables[layer].T if forward else tables[layer]
            place = np.empty(len(numbers[beside]))
            place[order[beside]] = np.arange(len(place))
            centre = shared @ place / shared.sum(axis=1)
            is_noise, is_other = last[moved]
            order[moved] = np.lexsort((numbers[moved], centre, is_other, is_noise))
    return [number[at].tolist() for number, at in zip(numbers, order, strict=True)]


def flow_chart(
    chain: Sequence[Patterns],
    *,
    most: int = 16,
    fold_below: int = 0,
    unfolded: Collection[str] = (),
    images: ArrayLike | None = None,
    assigned: bool = False,
) -> FlowChart:
    """Lay out the flow of images through the patterns of a chain of layers; all speak of the same images.

    A pattern's place among the others of its layer comes from all images and all patterns, so that it stays where it
    is whatever is folded or followed.

    Parameters
    ----------
    most
        Patterns drawn per layer, the largest ones; the rest is one node `OTHER`.
    fold_below
        Patterns of fewer images are folded, too.
    unfolded
        Layers of which every pattern is drawn all the same.
    images
        Indices of the images to follow; all by default.
    assigned
        Put noise where it is assigned instead of into a node of its own.
    """
    raw = [patterns.assigned if assigned else patterns.label for patterns in chain]
    names, n_patterns = [patterns.layer for patterns in chain], [patterns.n_patterns for patterns in chain]
    return label_chart(names, raw, n_patterns, most=most, fold_below=fold_below, unfolded=unfolded, images=images)


def label_chart(
    names: Sequence[str],
    labels: Sequence[Int],
    n_patterns: Sequence[int],
    *,
    most: int = 16,
    fold_below: int = 0,
    unfolded: Collection[str] = (),
    images: ArrayLike | None = None,
) -> FlowChart:
    """Lay out the flow of images through groupings that need not be layers of one study.

    Parameters
    ----------
    names
        What stands above each column.
    labels
        Per column [image] pattern number or `NOISE`, the same image at the same place.
    n_patterns
        Number of patterns per column; colours follow from it.
    most, fold_below, unfolded, images
        As in `flow_chart`.
    """
    n_images = len(labels[0])
    kept = np.arange(n_images) if images is None else np.unique(np.asarray(images, np.int64))
    nodes: list[Node] = []
    node_of, drawn_in = (np.full((len(labels), n_images), -1, np.int32) for _ in range(2))
    n_folded = []
    for layer, order in enumerate(orders(labels)):
        fold = (len(order), 0) if names[layer] in unfolded else (most, fold_below)
        is_drawn, n = _drawn(labels[layer][kept], *fold)
        n_folded.append(n)
        label = np.where(is_drawn, labels[layer][kept], OTHER)
        new = _nodes(layer, label, [*(number for number in order if number != NOISE), OTHER, NOISE])
        position = np.full(n_patterns[layer] + 2, -1, np.int32)  # OTHER and NOISE count from the end
        position[[node.label for node in new]] = np.arange(len(new)) + len(nodes)
        node_of[layer, kept], drawn_in[layer] = position[label], position[labels[layer]]
        nodes += new
    ribbons, ribbon_of = _ribbons(node_of, kept)
    shape = (tuple(names), tuple(n_patterns), tuple(n_folded), tuple(nodes), tuple(ribbons))
    return FlowChart(*shape, node_of, drawn_in, ribbon_of)


def _nodes(layer: int, label: Int, order: Sequence[int]) -> list[Node]:
    size = dict(zip(*(each.tolist() for each in np.unique(label, return_counts=True)), strict=True))
    here = [number for number in order if number in size]
    return [Node(layer, number, size[number], place) for place, number in enumerate(here)]


def _ribbons(node_of: Int, kept: NDArray[np.int64]) -> tuple[list[Ribbon], Int]:
    """Return the ribbons between neighbouring layers, and [layer - 1, image] which one each image takes."""
    ribbons: list[Ribbon] = []
    ribbon_of = np.full((len(node_of) - 1, node_of.shape[1]), -1, np.int32)
    for step, (source, target) in enumerate(zip(node_of[:-1, kept], node_of[1:, kept], strict=True)):
        width = int(node_of.max(initial=0)) + 1
        pairs, inverse, count = np.unique(
            source.astype(np.int64) * width + target, return_inverse=True, return_counts=True
        )
        ribbon_of[step, kept] = len(ribbons) + inverse
        rows = zip(pairs // width, pairs % width, count, strict=True)
        ribbons += [Ribbon(int(a), int(b), int(c)) for a, b, c in rows]
    return ribbons, ribbon_of
