"""Who is whose neighbour, and the tree in which neighbours join: groups without distances, layouts or chance.

Distances between rows of many columns say little; who is nearest to whom says more. Three steps:

1. *Even*: rows are turned to their principal components, and each component is divided by the cube root of its standard
   deviation, so that a few loud directions do not choose all neighbours. Rows keep length 1 where angles are compared.
2. *Graph*: every row is tied to its nearest ones. A tie counts as much as it is short for that row (exponential beyond
   the nearest), and as much as the two rows' neighbours are the same.
3. *Tree*: again and again the two groups with most ties between them join; most compared with what chance would give
   two groups with so many ties in all. That ratio is the tree's *resolution*: at resolution r the groups are those of
   modularity with that resolution. All resolutions at once, greedily.

References
----------
Bonald, Charpentier, Galland, Hollocou: Hierarchical graph clustering using node pair sampling. arXiv 1806.01664 (2018).
Reichardt, Bornholdt: Statistical mechanics of community detection. Physical Review E 74 (2006), for the resolution.
Jarvis, Patrick: Clustering using a similarity measure based on shared near neighbors. IEEE Transactions on Computers
C-22 (1973).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nap_core.geometry.neighbors import Index, Table, nearest
from nap_core.geometry.reduction import principal_components
from nap_core.types import Float

EVEN = 1 / 3
"""Power of a component's standard deviation that it is divided by: 0 leaves distances as they are, 1 whitens. Between
1/4 and 1/2 agreement with the classes of ten data sets was within a hundredth of the best."""

MOST_COMPONENTS = 200
FALL = 2.0
"""A tie of mean length (beyond the nearest) counts exp(-2) of the nearest one."""


def evened(values: NDArray[Any], *, angle: bool) -> Float:
    """Return the principal components [row, component] of `values` with less uneven spread; rows of length 1 where
    `angle` says so.
    """
    parts = principal_components(values, MOST_COMPONENTS).astype(np.float64)
    spread = parts.std(axis=0)
    parts /= np.maximum(spread, max(1e-6 * spread.max(initial=0.0), 1e-30)) ** EVEN
    length = np.linalg.norm(parts, axis=1, keepdims=True)
    if angle:
        np.divide(parts, length, out=parts, where=length > 0)
    return parts.astype(np.float32)


def _ties(near: Index, distance: Float) -> Any:
    """Return [row, row] how much each row's nearest count for either of the two."""
    from scipy.sparse import csr_matrix

    n, k = near.shape
    beyond = distance.astype(np.float64) - distance[:, :1]
    usual = beyond.mean(axis=1, keepdims=True)
    weight = np.exp(-FALL * np.divide(beyond, usual, out=np.zeros_like(beyond), where=usual > 0))
    one_way = csr_matrix((weight.ravel(), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n))
    other_way = one_way.T.tocsr()
    return (one_way + other_way - one_way.multiply(other_way)).tocsr()


def tied(near: Index, distance: Float) -> Any:
    """Return the ties between rows, a symmetric sparse matrix [row, row] with numbers in (0, 1] and nothing on the
    diagonal.

    Parameters
    ----------
    near, distance
        [row, neighbour] the nearest of each row, nearest first.
    """
    from scipy.sparse import eye_array

    ties = _ties(near, distance)
    around = (ties + eye_array(len(near))).tocsr()
    common = (around @ around.T).tocsr()
    length = np.sqrt(common.diagonal())
    shared = common.multiply(ties > 0).tocoo()
    shared.data = shared.data / (length[shared.row] * length[shared.col])
    graph = shared.tocsr()
    graph.sort_indices()
    return graph


def neighbor_graph(values: NDArray[Any], n_neighbors: int, metric: str = "euclidean", *, angle: bool = True) -> Any:
    """Return the ties between rows and their nearest, once evened; see `tied`.

    Parameters
    ----------
    values
        [row, feature] all rows different, at least two.
    n_neighbors
        The row itself is the first of them. Cut to the number of rows.
    """
    return tied(*nearest(evened(values, angle=angle), max(1, n_neighbors - 1), metric))


class _Joining:
    """Groups with their ties, while they join."""

    def __init__(self, graph: Any) -> None:
        begin, target, weight = graph.indptr.tolist(), graph.indices.tolist(), graph.data.tolist()
        n = graph.shape[0]
        self.ties = {
            row: dict(zip(target[begin[row] : begin[row + 1]], weight[begin[row] : begin[row + 1]], strict=True))
            for row in range(n)
        }
        self.total: dict[int, float] = dict(enumerate(np.asarray(graph.sum(axis=1)).ravel().tolist()))
        self.all = float(graph.sum())
        self.next = n
        self.joins: list[tuple[int, int, float]] = []

    def closest(self, group: int, before: int) -> tuple[int, float]:
        """Return the group with most ties to `group` compared with chance, and how many times chance that is; of
        equal ones `before`, else the oldest. -1 where there is none.
        """
        best, least = -1, float("inf")
        total = self.total
        for other, weight in self.ties[group].items():
            distance = total[other] / weight
            if distance < least or (distance == least and (other == before or (best != before and other < best))):
                best, least = other, distance
        return best, self.all / (least * total[group]) if best >= 0 else 0.0

    def join(self, first: int, second: int, resolution: float) -> int:
        """Make one group of two; return its number."""
        self.joins.append((first, second, resolution))
        if len(self.ties[first]) < len(self.ties[second]):
            first, second = second, first
        kept, moved = self.ties.pop(first), self.ties.pop(second)
        new: int = self.next
        kept.pop(second, None)
        moved.pop(first, None)
        for other, weight in moved.items():
            kept[other] = kept.get(other, 0.0) + weight
        for other, weight in kept.items():
            theirs = self.ties[other]
            theirs.pop(first, None)
            theirs.pop(second, None)
            theirs[new] = weight
        self.ties[new] = kept
        self.total[new] = self.total.pop(first) + self.total.pop(second)
        self.next += 1
        return new


def _joins(graph: Any) -> list[tuple[int, int, float]]:
    """Follow closest groups until two are each other's closest, and join them; return (group, group, resolution)."""
    joining = _Joining(graph)
    waiting, separate = list(range(graph.shape[0]))[::-1], []
    while waiting:
        chain = [waiting.pop()]
        if chain[0] not in joining.ties:
            continue
        while chain:
            before = chain[-2] if len(chain) > 1 else -1
            other, resolution = joining.closest(chain[-1], before)
            if other == -1:
                separate.append(chain.pop())
            elif other == before:
                waiting.append(joining.join(chain.pop(), chain.pop(), resolution))
            else:
                chain.append(other)
    whole = separate[0]
    for part in separate[1:]:  # nothing ties these
        joining.joins.append((whole, part, 0.0))
        whole, joining.next = joining.next, joining.next + 1
    return joining.joins


def community_tree(graph: Any) -> tuple[Index, Table]:
    """Return the tree in which groups of rows join: edges [row - 1, 2] between rows, one of either group, and the
    resolution [row - 1] at which they join, highest first; 0 where nothing ties them.
    """
    n = graph.shape[0]
    one_of, edges = list(range(n)), np.empty((n - 1, 2), np.int64)
    resolution = np.empty(n - 1)
    for step, (first, second, at) in enumerate(_joins(graph)):
        edges[step], resolution[step] = (one_of[first], one_of[second]), at
        one_of.append(one_of[first])
    order = np.argsort(-resolution, kind="stable")
    return edges[order], resolution[order]
