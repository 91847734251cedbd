"""How fast this machine reads and writes memory, and what that makes the least time of a round."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness.timing import carried, seconds

SIZES = {"cpu": 2**26, "gpu": 2**30}
"""Floats of 4 bytes: more than a cache holds, and so that starting takes no time."""
RUNS = 7


class Bandwidth(NamedTuple):
    """Bytes a second, the best of several runs.

    Attributes:
        read: a sum or a largest value over an array.
        write: a constant written to an array that was there before.
    """

    read: float
    write: float

    def __str__(self) -> str:
        return f"read {self.read / 1e9:.1f} GB/s, write {self.write / 1e9:.1f} GB/s"

    def floor(self, weights: int) -> float:
        """Seconds in which a round's bytes move once.

        The weights are read forward and backward, the scores and the mask are written.
        """
        return 2 * 4 * weights / self.read + (4 + 1) * weights / self.write


def bandwidth() -> Bandwidth:
    """By compiled JAX, and on a CPU also by NumPy with a thread a core; the better one counts."""
    size = SIZES[jax.default_backend()]
    reads, writes = [_jax_read(size)], [_jax_write(size)]
    if jax.default_backend() == "cpu":
        reads.append(_numpy(np.max, size))
        writes.append(_numpy(lambda part: part.fill(1), size))
    best = [min(seconds(call) for call in calls * RUNS) for calls in (reads, writes)]
    return Bandwidth(*(4 * size / each for each in best))


def _jax_read(size: int) -> Callable[[], Any]:
    return partial(jax.jit(jnp.max), jnp.ones(size, jnp.float32))


def _jax_write(size: int) -> Callable[[], Any]:
    fill = jax.jit(lambda x: jnp.full_like(x, 1), donate_argnums=0, keep_unused=True)
    return carried(fill, jnp.zeros(size, jnp.float32))


def _numpy(over: Callable[[np.ndarray], Any], size: int) -> Callable[[], Any]:
    threads = os.cpu_count() or 1
    parts = np.array_split(np.ones(size, np.float32), threads)
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(over, parts))
