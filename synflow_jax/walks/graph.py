"""The units of a network and the weights between them, as a graph."""

from typing import NamedTuple

import numpy as np

Flags = np.ndarray
"""Booleans, one for each edge or node."""


class Edges(NamedTuple):
    """Connections between units, all of one product or sum; each a number in each array.

    Attributes:
        sources: the nodes that they lead from, int32.
        targets: the nodes that they lead to, int32; larger than their sources.
        weights: which weight each is, counted over all params, int32; -1 where it's none.
        sizes: how large each is in absolute value, float64; 1 where it's no weight.
    """

    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    sizes: np.ndarray


class Graph(NamedTuple):
    """A network.

    Attributes:
        edges: all of them, products in the order in which they're taken.
        starts: where each product's begin, and where the last's end, ints.
        inputs: nodes, int32.
        outputs: nodes, int32.
        nodes: how many there are.
    """

    edges: Edges
    starts: list[int]
    inputs: np.ndarray
    outputs: np.ndarray
    nodes: int

    def products(self) -> list[slice]:
        """The edges of each product."""
        pairs = zip(self.starts[:-1], self.starts[1:], strict=True)
        return [slice(*pair) for pair in pairs]

    def only(self, kept: Flags) -> "Graph":
        """The graph with these edges alone."""
        before = np.concatenate([[0], np.cumsum(kept)])
        starts = [int(before[start]) for start in self.starts]
        return self._replace(edges=Edges(*(own[kept] for own in self.edges)), starts=starts)


def on_paths(graph: Graph, usable: Flags) -> tuple[Flags, Flags]:
    """Which nodes inputs reach over usable edges, and from which outputs are reached."""
    sources, targets = graph.edges.sources, graph.edges.targets
    reached, leading = np.zeros(graph.nodes, bool), np.zeros(graph.nodes, bool)
    reached[graph.inputs] = True
    leading[graph.outputs] = True
    for part in graph.products():
        own = usable[part] & reached[sources[part]]
        reached[targets[part][own]] = True
    for part in reversed(graph.products()):
        own = usable[part] & leading[targets[part]]
        leading[sources[part][own]] = True
    return reached, leading


def live(graph: Graph) -> Graph:
    """The graph without edges of size 0 and those on no path from inputs to outputs."""
    usable = graph.edges.sizes > 0
    reached, leading = on_paths(graph, usable)
    kept = usable & reached[graph.edges.sources] & leading[graph.edges.targets]
    inputs = graph.inputs[leading[graph.inputs]]
    outputs = graph.outputs[reached[graph.outputs]]
    return graph.only(kept)._replace(inputs=inputs, outputs=outputs)
