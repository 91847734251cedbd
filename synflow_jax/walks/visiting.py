"""The weights that walks pass, exactly as many as asked for, each on a whole path of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from synflow_jax.walks.graph import Graph, on_paths
from synflow_jax.walks.values import NONE
from synflow_jax.walks.walking import Way, chances, walked, ways

# At most so many walks at once, and at most so many times in vain.
_BATCH, _TRIES = 2**15, 100
# With fewer new weights a step, walks are sent through new ones.
_FEW = 0.1


def visited(graph: Graph, count: int, target: int, rng: np.random.Generator) -> np.ndarray:
    """Which weights are kept, bool of shape ``(count,)``, ``target`` of them.

    Args:
        graph: the edges that are on paths from inputs to outputs.
        count: how many weights there are.
        target: how many to keep.
        rng: random numbers.

    Raises:
        ValueError: there are too few weights on paths, or a path has more than are to be kept.
    """
    own = np.unique(graph.edges.weights)
    possible = int((own != NONE).sum())
    if possible < target:
        raise ValueError(
            f"{target:,} of {count:,} weights are asked for, but only {possible:,} aren't 0 and "
            "lie on a path from an input to an output; pass a compression of at least "
            f"{count / max(1, possible):.4g}"
        )
    visit = _Visit(graph, target, rng, np.zeros(count, bool), *ways(graph, rng))
    turns, size, in_vain = True, _BATCH, 0
    while visit.missing:
        paths = visit.in_turn(size) if turns else visit.through_new(size)
        taken, all_taken = visit.take(paths)
        few = taken < _FEW * (paths != NONE).sum()
        if (few or not all_taken) and visit.filled():
            break
        turns &= not (few and all_taken)
        if not all_taken:  # now walks one by one, each taken if it fits
            size, in_vain = 1, 0 if taken else in_vain + 1
        if in_vain == _TRIES:
            raise ValueError(
                f"{target:,} weights are asked for, but paths have more; pass a lower compression"
            )
    return visit.kept


@dataclass
class _Visit:
    """What is kept so far.

    Attributes:
        graph: that walks are on.
        target: how many weights to keep.
        rng: random numbers.
        kept: which weights are.
        forward: from inputs to outputs.
        backward: from outputs to inputs.
        turn: how many walks started from inputs, and as many from outputs.
    """

    graph: Graph
    target: int
    rng: np.random.Generator
    kept: np.ndarray
    forward: Way
    backward: Way
    turn: int = 0

    @property
    def missing(self) -> int:
        return self.target - int(self.kept.sum())

    @cached_property
    def chances(self) -> np.ndarray:
        """Of each edge, that a walk passes it; never 0, however small."""
        return np.maximum(chances(self.graph), np.finfo(float).tiny)

    def in_turn(self, most: int) -> np.ndarray:
        """The edges of walks by turns from inputs and outputs, int of shape ``(walks, steps)``."""
        number = max(1, min(most, self.missing // max(1, len(self.graph.starts) - 1)))
        turns = self.turn + np.arange(number)
        self.turn += number

        def paths(way: Way) -> np.ndarray:
            return walked(way, way.seeds[turns % len(way.seeds)], self.rng)

        pair = _same_width(paths(self.forward), paths(self.backward))
        return np.stack(pair, 1).reshape(2 * number, -1)

    def through_new(self, most: int) -> np.ndarray:
        """The edges of walks both ways from edges of new weights, drawn by their chances."""
        edges = self.graph.edges
        new = np.flatnonzero((edges.weights != NONE) & ~self.kept[edges.weights])
        chosen = new[self.drawn(self.chances[new], min(most, len(new), self.missing))]
        onward = walked(self.forward, edges.targets[chosen], self.rng)
        back = walked(self.backward, edges.sources[chosen], self.rng)
        return np.concatenate([chosen[:, None], onward, back], 1)

    def take(self, paths: np.ndarray) -> tuple[int, bool]:
        """Keeps the weights of paths up to the first that doesn't fit; how many, and if all fit."""
        weights = np.where(paths == NONE, NONE, self.graph.edges.weights[paths]).reshape(-1)
        places = np.flatnonzero((weights != NONE) & ~self.kept[weights])
        new, first = np.unique(weights[places], return_index=True)
        owners = places[first] // max(1, paths.shape[1])
        totals = np.cumsum(np.bincount(owners, minlength=len(paths)))
        fit = int((totals <= self.missing).sum())
        taken = new[owners < fit]
        self.kept[taken] = True
        return len(taken), fit == len(paths)

    def filled(self) -> bool:
        """Whether weights between units on kept paths are enough; then as many are kept.

        They're drawn one by one by their chances.
        """
        weights = self.graph.edges.weights
        passed = (weights == NONE) | self.kept[weights]
        reached, leading = on_paths(self.graph, passed)
        ends = reached[self.graph.edges.sources] & leading[self.graph.edges.targets]
        between = np.flatnonzero(ends & ~passed)
        new, places = np.unique(weights[between], return_inverse=True)
        if len(new) < self.missing:
            return False
        own = np.bincount(places.reshape(-1), self.chances[between], len(new))
        self.kept[new[self.drawn(own, self.missing)]] = True
        return True

    def drawn(self, own: np.ndarray, number: int) -> np.ndarray:
        """So many different places, drawn one by one in proportion to their chances."""
        # The order of draws without replacement is that of logarithms with Gumbel noise.
        keys = np.log(own) + self.rng.gumbel(size=len(own))
        return (
            np.argpartition(-keys, number - 1)[:number] if number < len(own) else np.arange(number)
        )


def _same_width(*paths: np.ndarray) -> list[np.ndarray]:
    width = max(own.shape[1] for own in paths)
    return [np.pad(own, ((0, 0), (0, width - own.shape[1])), constant_values=NONE) for own in paths]
