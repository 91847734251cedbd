"""Random initializers that say what they draw, so that many can be drawn at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Shape = Sequence[Any]


@dataclass(frozen=True)
class Draw:
    """An initializer: ``scale * x`` of standard normal ``x``, or of uniform within +-bound.

    Attributes:
        scale: ``scale(shape)``, the factor for a parameter of a shape.
        bound: of the uniform distribution; None for the normal one.
    """

    scale: Callable[[Shape], np.float32]
    bound: float | None = None

    def __call__(
        self, key: jax.Array, shape: Shape, dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> jax.Array:
        """The numbers, as ``jax.random`` draws them."""
        del out_sharding
        if self.bound is None:
            drawn = jax.random.normal(key, shape, dtype)
        else:
            drawn = jax.random.uniform(key, shape, dtype, -self.bound, self.bound)
        return drawn * jnp.asarray(self.scale(shape), dtype)


def kaiming(fan: Callable[[Shape], int]) -> Draw:
    """Normal with variance 2 / fan."""
    return Draw(lambda shape: np.sqrt(np.float32(2 / fan(shape))))


def normal(deviation: float) -> Draw:
    """Normal with a standard deviation."""
    return Draw(_always(deviation))


def uniform_by(fan: Callable[[Shape], int]) -> Draw:
    """Uniform within +-1 / sqrt(fan), whose variance is a third of 1 / fan."""
    return Draw(lambda shape: np.sqrt(np.float32(3) * np.float32(1 / 3 / fan(shape))), bound=1.0)


def uniform(bound: float) -> Draw:
    """Uniform within +-bound."""
    return Draw(_always(1.0), bound=bound)


def _always(scale: float) -> Callable[[Shape], np.float32]:
    def of(shape: Shape) -> np.float32:
        del shape
        return np.float32(scale)

    return of


def fan_in(shape: Shape) -> int:
    """How many numbers meet in one output."""
    return math.prod(shape[:-1])


def fan_out(shape: Shape) -> int:
    """To how many outputs one input leads."""
    return math.prod(shape[:-2]) * shape[-1]
