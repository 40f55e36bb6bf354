"""How images move between the patterns of one layer and the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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
    nodes: tuple[Node, ...]
    ribbons: tuple[Ribbon, ...]
    node_of: Int  # [layer, image] node of every image; -1 for images left out

    def __post_init__(self) -> None:
        object.__setattr__(self, "node_of", frozen_array(self.node_of, np.int32, 2))

    def node_members(self, node: int) -> Int:
        """Images of a node, in image order."""
        return np.flatnonzero(self.node_of[self.nodes[node].layer] == node).astype(np.int32)

    def ribbon_members(self, ribbon: int) -> Int:
        """Images of a ribbon, in image order."""
        chosen = self.ribbons[ribbon]
        layer = self.nodes[chosen.source].layer
        both = (self.node_of[layer] == chosen.source) & (self.node_of[layer + 1] == chosen.target)
        return np.flatnonzero(both).astype(np.int32)


def _folded(label: Int, kept: Int, most: int, fold_below: int) -> Int:
    """Return the labels with all but the `most` largest patterns, and those under `fold_below`, as `OTHER`."""
    numbers, sizes = np.unique(label[kept & (label != NOISE)], return_counts=True)
    large = numbers[np.lexsort((numbers, -sizes))][:most]
    large = np.intersect1d(large, numbers[sizes >= fold_below])
    if len(numbers) - len(large) == 1 and fold_below == 0:
        large = numbers  # a node for one pattern is no longer than one for "1 more"
    folded = np.where((label == NOISE) | np.isin(label, large), label, OTHER)
    return folded.astype(np.int32)


def _order(labels: list[Int], kept: Int, sweeps: int = 6) -> list[list[int]]:
    """Return each layer's labels from top to bottom with few crossings (barycentre sweeps, Sugiyama et al. 1981)."""
    orders = [sorted(set(label[kept].tolist()), key=lambda n: (n < 0, -n if n < 0 else n)) for label in labels]
    orders = [sorted(order, key=lambda n: (n == NOISE, n == OTHER)) for order in orders]
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        steps = range(1, len(labels)) if forward else range(len(labels) - 2, -1, -1)
        for layer in steps:
            beside = layer - 1 if forward else layer + 1
            place = {number: i for i, number in enumerate(orders[beside])}
            centre = {
                number: float(np.mean([place[n] for n in labels[beside][kept & (labels[layer] == number)].tolist()]))
                for number in orders[layer]
            }
            orders[layer].sort(key=lambda n: (n == NOISE, n == OTHER, centre[n], n))
    return orders


def flow_chart(
    chain: Sequence[Patterns],
    *,
    most: int = 16,
    fold_below: int = 0,
    images: ArrayLike | None = None,
    assigned: bool = False,
) -> FlowChart:
    """Lay out the flow of images through the patterns of a chain of layers.

    Parameters
    ----------
    most
        Patterns drawn per layer, the largest ones; the rest is one node `OTHER`.
    fold_below
        Patterns of fewer images are folded, too.
    images
        Indices of the images to follow; all by default.
    assigned
        Put noise where it is assigned instead of into a node of its own.
    """
    n = chain[0].n_images
    kept = np.ones(n, bool)
    if images is not None:
        kept[:] = False
        kept[np.asarray(images, int)] = True
    raw = [patterns.assigned if assigned else patterns.label for patterns in chain]
    labels = [_folded(label, kept, most, fold_below) for label in raw]
    nodes: list[Node] = []
    node_of = np.full((len(chain), n), -1, np.int32)
    for layer, order in enumerate(_order(labels, kept)):
        for place, number in enumerate(order):
            inside = kept & (labels[layer] == number)
            node_of[layer, inside] = len(nodes)
            nodes.append(Node(layer, number, int(inside.sum()), place))
    ribbons: list[Ribbon] = []
    for source, target in zip(node_of[:, kept], node_of[1:, kept], strict=False):
        pairs, counts = np.unique(np.stack([source, target], 1), axis=0, return_counts=True)
        ribbons += [Ribbon(int(a), int(b), int(c)) for (a, b), c in zip(pairs, counts, strict=True)]
    names = tuple(patterns.layer for patterns in chain)
    return FlowChart(names, tuple(p.n_patterns for p in chain), tuple(nodes), tuple(ribbons), node_of)
