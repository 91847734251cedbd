"""Counts and maxima of arrays that are in memory, which XLA's CPU backend reduces vectorized."""

import jax
import jax.numpy as jnp
from jax import lax

# Elements. From here on it pays to have what is reduced in memory first, and flags four in a word.
_LARGE = 2**16


def one_device() -> bool:
    """Whether there is one device only, so that no array is sharded and each may be cut up."""
    return jax.device_count() == 1


def largest(x: jax.Array) -> jax.Array:
    """The largest element of floating-point ``x``, a scalar; -inf if there is none."""
    if x.size >= _LARGE:
        # A reduction of what is in memory is vectorized, of something computed it isn't.
        x = lax.optimization_barrier(x)
    return jnp.max(x, initial=-jnp.inf)


def count(flags: jax.Array) -> jax.Array:
    """How many elements of boolean ``flags`` are ``True``, an int32 scalar."""
    if not one_device() or flags.size % 4 or flags.size < _LARGE:
        return jnp.sum(flags, dtype=jnp.int32)
    return jnp.sum(_by_fours(flags), dtype=jnp.int32)


def in_rows(flat: jax.Array, length: int, *, nothing: float = 0) -> jax.Array:
    """A flat array as rows of this length, the last one filled up with ``nothing``."""
    return jnp.pad(flat, (0, -flat.size % length), constant_values=nothing).reshape(-1, length)


def row_counts(flags: jax.Array) -> jax.Array:
    """How many elements of each row are ``True``, int32.

    Args:
        flags: boolean of shape ``(rows, columns)``, with columns a multiple of four.
    """
    return jnp.sum(_by_fours(flags).reshape(len(flags), -1), axis=1, dtype=jnp.int32)


def _by_fours(flags: jax.Array) -> jax.Array:
    """How many of each four flags in a row are ``True``: four bytes are read as one integer."""
    words = lax.bitcast_convert_type(flags.astype(jnp.uint8).reshape(-1, 4), jnp.uint32)
    return lax.population_count(words).astype(jnp.int32)
