"""All random numbers of a network by one compiled program, in place of one for each shape."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jax.core import Tracer
from jax.nn.initializers import Initializer

from synflow_jax.models.draws import Draw, Shape
from synflow_jax.models.layers import Init
from synflow_jax.models.threefry import threefry_bits

# The program draws so many rows of so many numbers; a parameter begins with a row of its own.
ROWS, WIDTH = 256, 4096
ROOT = np.float32(math.sqrt(2))
LOWEST = np.nextafter(np.float32(-1), np.float32(0))


@dataclass(frozen=True)
class Pending:
    """A parameter that `fill` draws.

    Attributes:
        draw: how.
        key: its key.
        shape: in which it is drawn.
        flat: whether it's then held as one dimension.
    """

    draw: Draw
    key: jax.Array
    shape: Shape
    flat: bool = False

    def ravel(self) -> "Pending":
        """The same, held as one dimension."""
        return replace(self, flat=True)

    @property
    def rows(self) -> int:
        """How many rows of the program it takes."""
        return -(-math.prod(self.shape) // WIDTH)


class Rows(NamedTuple):
    """What the program draws, one entry a row.

    Attributes:
        key: its two words, uint32 of shape ``(rows, 2)``.
        start: which of the key's numbers the row begins with, uint32 of shape ``(rows,)``.
        low: where uniform numbers begin, float32 of shape ``(rows,)``.
        high: where they end, float32 of shape ``(rows,)``.
        limit: where normal numbers are clipped, float32 of shape ``(rows,)``.
        scale: the factor, float32 of shape ``(rows,)``.
        normal: whether they become normal, boolean of shape ``(rows,)``.
    """

    key: np.ndarray
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    limit: np.ndarray
    scale: np.ndarray
    normal: np.ndarray


Plan = TypeVar("Plan", bound=Any)


def drawn_later(plan: Plan) -> Plan:
    """A network's plan, a dataclass, whose every `Init` leaves random numbers to `fill`."""
    inits = {field.name: getattr(plan, field.name) for field in fields(plan)}
    later = {name: _later(init) for name, init in inits.items() if isinstance(init, Init)}
    return replace(plan, **later)


def _later(init: Init) -> Init:
    return Init(_pending(init.kernel), lambda inputs: _pending(init.bias(inputs)))


def _pending(initializer: Initializer) -> Any:
    """The initializer that leaves to `fill` what it can."""

    def initialize(key: jax.Array, shape: Shape, dtype: Any = jnp.float32) -> Any:
        if isinstance(initializer, Draw) and _can_fill(key, dtype):
            return Pending(initializer, key, shape)
        return initializer(key, shape, dtype)

    return initialize


def _can_fill(key: jax.Array, dtype: Any) -> bool:
    """Whether the program's bits are those of ``jax.random``, and the key is known."""
    threefry = str(jax.random.key_impl(key)) == "threefry2x32"
    partitionable = jax.config.values["jax_threefry_partitionable"]
    return threefry and partitionable and dtype == jnp.float32 and not isinstance(key, Tracer)


def fill(model: nnx.Module) -> None:
    """Draw all that is `Pending` in a model: the numbers of ``jax.random``, bit for bit."""
    state = nnx.state(model, lambda _, leaf: isinstance(leaf.get_value(), Pending))
    waiting, structure = jax.tree.flatten(state)
    if waiting:
        nnx.update(model, structure.unflatten(jax.device_put(drawn(waiting))))


def drawn(waiting: Sequence[Pending]) -> list[np.ndarray]:
    """The numbers of each."""
    out = [np.empty(each.rows * WIDTH, np.float32) for each in waiting]
    places = [row for each in out for row in each.reshape(-1, WIDTH)]
    rows = Rows(*map(np.concatenate, zip(*map(_rows, waiting), strict=True)))
    for begin in range(0, len(places), ROWS):
        index = np.arange(begin, begin + ROWS) % len(places)
        block = np.asarray(_draw_rows(Rows(*(each[index] for each in rows))))
        for place, numbers in zip(places[begin : begin + ROWS], block, strict=False):
            place[:] = numbers
    return [
        numbers[: math.prod(each.shape)].reshape(-1 if each.flat else each.shape)
        for numbers, each in zip(out, waiting, strict=True)
    ]


def _rows(each: Pending) -> Rows:
    one = (*_ends(each.draw), each.draw.scale(each.shape))
    low, high, limit, scale = (np.full(each.rows, x, np.float32) for x in one)
    words = np.broadcast_to(np.asarray(jax.random.key_data(each.key)), (each.rows, 2))
    start = WIDTH * np.arange(each.rows, dtype=np.uint32)
    return Rows(words, start, low, high, limit, scale, np.full(each.rows, each.draw.normal))


def _ends(draw: Draw) -> tuple[Any, Any, Any]:
    """Of uniform numbers, and the limit of normal ones made of them."""
    if not draw.normal:
        return -draw.bound, draw.bound, math.inf
    if draw.bound == math.inf:
        return LOWEST, 1.0, math.inf
    bound = np.float32(draw.bound)
    inside = lax.erf(bound / ROOT)
    return -inside, inside, np.nextafter(bound, np.float32(0))


@jax.jit
def _draw_rows(rows: Rows) -> jax.Array:
    """Float32 of shape ``(rows, WIDTH)``, in the steps of ``jax.random`` for each."""
    words, start, low, high, limit, scale, normal = (jnp.expand_dims(each, -1) for each in rows)
    index = start + lax.broadcasted_iota(jnp.uint32, (1, WIDTH), 1)
    bits = threefry_bits((words[:, 0], words[:, 1]), index)
    # 23 bits as the fraction of a number from 1 to 2.
    fraction = lax.bitcast_convert_type(bits >> 9 | np.uint32(0x3F800000), jnp.float32) - 1
    uniform = jnp.maximum(low, fraction * (high - low) + low)
    gaussian = jnp.clip(ROOT * lax.erf_inv(uniform), -limit, limit)
    return jnp.where(normal, gaussian, uniform) * scale
