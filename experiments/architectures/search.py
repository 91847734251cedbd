"""Regularized evolution over cells, with a score of untrained networks as fitness.

Real et al. 2019, arXiv:1802.01548: of a population, the best of a few at random has a child, one of
whose edges changes, and the oldest dies. All runs go on together, so that the children of all are
scored in one batch; what was scored once isn't again.
"""

from collections.abc import Callable

import numpy as np

EDGES, OPERATIONS = 6, 5
POPULATION, CANDIDATES, STEPS = 20, 5, 180

Fitness = Callable[[np.ndarray], np.ndarray]
"""Scores of cells, ``(N, 6)`` numbers of operations; the highest are the fittest."""


def evolve(fitness: Fitness, runs: int, seed: int) -> np.ndarray:
    """The fittest cell that each run saw, ``(runs, 6)``, by ``POPULATION + STEPS`` cells each."""
    rng, each = np.random.default_rng(seed), np.arange(runs)
    cells = rng.integers(OPERATIONS, size=(runs, POPULATION, EDGES))
    scores = fitness(cells.reshape(-1, EDGES)).reshape(runs, POPULATION)
    best, highest = cells[each, scores.argmax(1)], scores.max(1)
    for step in range(STEPS):
        candidates = np.argsort(rng.random((runs, POPULATION)), axis=1)[:, :CANDIDATES]
        winners = np.take_along_axis(scores, candidates, axis=1).argmax(1)
        children = cells[each, candidates[each, winners]]
        edges = rng.integers(EDGES, size=runs)
        # By 1 to 4, so that it does change.
        children[each, edges] += rng.integers(1, OPERATIONS, size=runs)
        children %= OPERATIONS
        oldest = step % POPULATION
        cells[:, oldest], scores[:, oldest] = children, fitness(children)
        better = scores[:, oldest] > highest
        best[better], highest[better] = children[better], scores[better, oldest]
    return best


def random_search(fitness: Fitness, runs: int, seed: int) -> np.ndarray:
    """The fittest of as many cells at random, ``(runs, 6)``."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(OPERATIONS, size=(runs, POPULATION + STEPS, EDGES))
    scores = fitness(cells.reshape(-1, EDGES)).reshape(runs, -1)
    return cells[np.arange(runs), scores.argmax(1)]


def remembered(score: Fitness) -> Fitness:
    """``score``, called once for each cell, with all new cells of a call together."""
    memory: dict[tuple[int, ...], float] = {}

    def fitness(cells: np.ndarray) -> np.ndarray:
        asked = [tuple(cell) for cell in cells.tolist()]
        new = list(dict.fromkeys(cell for cell in asked if cell not in memory))
        if new:
            memory.update(zip(new, score(np.array(new)).tolist(), strict=True))
        return np.array([memory[cell] for cell in asked])

    return fitness
