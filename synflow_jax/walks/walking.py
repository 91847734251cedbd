"""Walks on a graph, in proportion to the sizes of its edges."""

from typing import NamedTuple

import numpy as np

from synflow_jax.walks.graph import Graph


class Way(NamedTuple):
    """A direction to walk in.

    Attributes:
        seeds: the nodes where walks start, one after the other.
        order: the edges by the node where they begin.
        bounds: where the edges of each node begin and end in ``order``.
        sums: of the sizes of the edges in ``order``, from 0 on.
        ends: where each edge leads.
    """

    seeds: np.ndarray
    order: np.ndarray
    bounds: np.ndarray
    sums: np.ndarray
    ends: np.ndarray


def ways(graph: Graph, rng: np.random.Generator) -> tuple[Way, Way]:
    """From inputs to outputs, and from outputs to inputs; their seeds are shuffled."""
    sources, targets, _, _ = graph.edges
    forward = _way(graph, rng.permutation(graph.inputs), sources, targets)
    return forward, _way(graph, rng.permutation(graph.outputs), targets, sources)


def _way(graph: Graph, seeds: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> Way:
    order = np.argsort(begins, kind="stable")
    bounds = np.searchsorted(begins[order], np.arange(graph.nodes + 1))
    sums = np.concatenate([[0.0], np.cumsum(graph.edges.sizes[order])])
    return Way(seeds, order, bounds, sums, ends)


def walked(way: Way, nodes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The edges of a walk from each node, int of shape ``(nodes, steps)``; -1 beyond its end.

    Each step takes one of the edges that leave a node with a chance in proportion to its size.
    """
    steps = []
    while True:
        first, behind = way.bounds[nodes], way.bounds[nodes + 1]
        going = behind > first
        if not going.any():
            return np.stack(steps, 1) if steps else np.zeros((len(nodes), 0), np.int64)
        low, high = way.sums[first], way.sums[behind]
        drawn = low + rng.random(len(nodes)) * (high - low)
        place = np.clip(np.searchsorted(way.sums, drawn, "right") - 1, first, behind - 1)
        edge = way.order[np.where(going, place, 0)]
        steps.append(np.where(going, edge, -1))
        nodes = np.where(going, way.ends[edge], nodes)


def chances(graph: Graph) -> np.ndarray:
    """How often a walk takes each edge, on average over both directions, float64."""
    forward = _passing(graph, graph.inputs, graph.edges.sources, graph.edges.targets, False)
    backward = _passing(graph, graph.outputs, graph.edges.targets, graph.edges.sources, True)
    return (forward + backward) / 2


def _passing(
    graph: Graph, seeds: np.ndarray, begins: np.ndarray, ends: np.ndarray, back: bool
) -> np.ndarray:
    sizes = graph.edges.sizes
    totals = np.bincount(begins, sizes, graph.nodes)
    arriving = np.bincount(seeds, minlength=graph.nodes) / len(seeds)
    found = np.zeros(len(sizes))
    parts = graph.products()
    for part in reversed(parts) if back else parts:
        own = begins[part]
        found[part] = arriving[own] * sizes[part] / totals[own]
        arriving += np.bincount(ends[part], found[part], graph.nodes)
    return found
