"""Floats as unsigned integers of the same order, so that they can be searched by halving."""

import jax
import jax.numpy as jnp
from jax import lax


def keys(x: jax.Array) -> jax.Array:
    """Unsigned integers of as many bits in the order of floats ``x``, both zeros alike.

    A float's bits have its order but for the sign, which comes first, and the order of negative
    numbers. That of a NaN is undefined.
    """
    bits = x.dtype.itemsize * 8
    signed = lax.bitcast_convert_type(jnp.where(x == 0, jnp.zeros_like(x), x), f"int{bits}")
    flips = (signed >> (bits - 1)) | jnp.iinfo(signed.dtype).min
    return lax.bitcast_convert_type(signed ^ flips, f"uint{bits}")


def from_key(key: jax.Array) -> jax.Array:
    """The float that has this key."""
    bits = key.dtype.itemsize * 8
    signed = lax.bitcast_convert_type(key, f"int{bits}")
    flips = (~signed >> (bits - 1)) | jnp.iinfo(signed.dtype).min
    return lax.bitcast_convert_type(signed ^ flips, f"float{bits}")
