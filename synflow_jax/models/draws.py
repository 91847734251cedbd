"""Random initializers that say what they draw, so that many can be drawn at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Shape = Sequence[Any]

# Of a standard normal number that is cut off at 2.
CUT_DEVIATION = np.float32(0.87962566103423978)


@dataclass(frozen=True)
class Draw:
    """An initializer: ``scale * x`` of standard normal ``x``, or of uniform ``x`` within +-bound.

    Attributes:
        scale: ``scale(shape)``, the factor for a parameter of a shape.
        normal: whether ``x`` is normal.
        bound: of uniform ``x``; normal ``x`` is cut off there, or nowhere if it's infinite.
    """

    scale: Callable[[Shape], np.float32]
    normal: bool = True
    bound: float = math.inf

    def __call__(
        self, key: jax.Array, shape: Shape, dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> jax.Array:
        """The numbers, as ``jax.random`` draws them."""
        del out_sharding
        ends = -self.bound, self.bound
        if not self.normal:
            drawn = jax.random.uniform(key, shape, dtype, *ends)
        elif self.bound == math.inf:
            drawn = jax.random.normal(key, shape, dtype)
        else:
            drawn = jax.random.truncated_normal(key, *ends, shape, dtype)
        return drawn * jnp.asarray(self.scale(shape), dtype)


def kaiming(fan: Callable[[Shape], int]) -> Draw:
    """Normal with variance 2 / fan."""
    return Draw(lambda shape: np.sqrt(np.float32(2 / fan(shape))))


def normal(deviation: float) -> Draw:
    """Normal with a standard deviation."""
    return Draw(_always(deviation))


def cut_normal(deviation: float) -> Draw:
    """Normal with a standard deviation, cut off at two of them."""
    return Draw(_always(deviation), bound=2.0)


def lecun(fan: Callable[[Shape], int]) -> Draw:
    """Normal with variance 1 / fan after it's cut off at two standard deviations."""
    return Draw(lambda shape: np.sqrt(np.float32(1 / fan(shape))) / CUT_DEVIATION, bound=2.0)


def uniform_by(fan: Callable[[Shape], int]) -> Draw:
    """Uniform within +-1 / sqrt(fan), whose variance is a third of 1 / fan."""
    return Draw(
        lambda shape: np.sqrt(np.float32(3) * np.float32(1 / 3 / fan(shape))),
        normal=False,
        bound=1.0,
    )


def uniform(bound: float) -> Draw:
    """Uniform within +-bound."""
    return Draw(_always(1.0), normal=False, bound=bound)


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
