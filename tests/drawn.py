"""What random networks are drawn from: numbers, and steps from one array to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Shape = tuple[int, ...]
T = TypeVar("T")


class Step(NamedTuple):
    """``apply(params, x)`` and the shapes of its params."""

    shapes: Sequence[Shape]
    apply: Callable[[Sequence[jax.Array], jax.Array], jax.Array]


Operation = Callable[["Draw", Shape], Step | None]
"""Draws a step for arrays of a shape, or None if there is none for that shape."""


@dataclass(frozen=True)
class Draw:
    """Random numbers.

    Attributes:
        rng: where they come from.
        exact: whether all arithmetic is exact, with integers and powers of two. Values that are
            equal are then equal bit by bit, and what is picked among them is well defined.
    """

    rng: np.random.Generator
    exact: bool = False

    def number(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def numbers(self, low: int, high: int, count: int) -> Shape:
        return tuple(self.number(low, high) for _ in range(count))

    def coin(self) -> bool:
        return bool(self.rng.random() < 0.5)

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)]

    def order(self, count: int) -> Shape:
        return tuple(int(i) for i in self.rng.permutation(count))

    def axis(self, shape: Shape) -> int:
        return self.number(0, len(shape) - 1)

    def axes(self, shape: Shape) -> Shape:
        """At least one of them."""
        return tuple(sorted(self.order(len(shape))[: self.number(1, len(shape))]))

    def divisor(self, number: int) -> int:
        return self.one_of([d for d in range(1, number + 1) if number % d == 0])

    def constant(self, *shape: int) -> np.ndarray:
        """Positive."""
        if self.exact:
            return 2.0 ** self.rng.integers(-1, 2, shape)
        return self.rng.uniform(0.5, 2, shape)

    def apart(self, shape: Shape) -> Callable[[jax.Array], jax.Array]:
        """What tells equal elements apart, as must be before one is picked of those that differ
        by rounding alone.
        """
        if self.exact:
            return lambda x: x
        factor = self.rng.uniform(0.5, 2, shape)
        return lambda x: x * like(x, factor)


def like(x: jax.Array, value: Any) -> jax.Array:
    """A constant of the type of ``x``."""
    return jnp.asarray(value, x.dtype)


def fixed(apply: Callable[[jax.Array], jax.Array]) -> Step:
    """A step without params."""
    return Step((), lambda params, x: apply(x))
