"""Order-preserving bits: a float's bits as an unsigned integer that has the float's order.

IEEE 754 writes a float as sign, exponent and fraction, so the bits of numbers that aren't negative
rise with the numbers. Negative ones have the highest bit, and theirs fall. Setting the highest bit
of the former and flipping all bits of the latter puts both in one order (Herf 2001, "Radix
tricks"). In eight bits, with three for the fraction:

    number     bits        order-preserving bits
    -2.0       1 1000 000  0 0111 111    all flipped
    -1.0       1 0111 000  0 1000 111
     0.0       0 0000 000  1 0000 000    only the first set
     1.0       0 0111 000  1 0111 000
     2.0       0 1000 000  1 1000 000
"""

import jax
import jax.numpy as jnp
from jax import lax


def ordered_bits(x: jax.Array) -> jax.Array:
    """Unsigned integers in the order of floats ``x``, of as many bits; both zeros are alike.

    The order of a NaN is undefined.

    >>> import jax.numpy as jnp
    >>> from synflow_jax.selection.ordered_bits import ordered_bits
    >>> ordered_bits(jnp.array([-jnp.inf, -1.0, 0.0, 1.0]))
    Array([   8388607, 1082130431, 2147483648, 3212836864], dtype=uint32)
    """
    size = x.dtype.itemsize * 8
    signed = lax.bitcast_convert_type(jnp.where(x == 0, jnp.zeros_like(x), x), f"int{size}")
    # Shifted to the right a negative number is all ones, another all zeros.
    flips = (signed >> (size - 1)) | jnp.iinfo(signed.dtype).min
    return lax.bitcast_convert_type(signed ^ flips, f"uint{size}")


def from_ordered_bits(bits: jax.Array) -> jax.Array:
    """The floats that have these order-preserving bits, uint32 or uint64."""
    size = bits.dtype.itemsize * 8
    signed = lax.bitcast_convert_type(bits, f"int{size}")
    flips = (~signed >> (size - 1)) | jnp.iinfo(signed.dtype).min
    return lax.bitcast_convert_type(signed ^ flips, f"float{size}")
