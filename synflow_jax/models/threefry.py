"""JAX's random bits, of many keys in one program.

``jax.random`` compiles a program for each shape, and on a CPU its rounds are a loop through memory.
"""

import jax
import numpy as np

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry_bits(key: tuple[jax.Array, jax.Array], index: jax.Array) -> jax.Array:
    """The numbers at ``index`` of ``jax.random.bits(key, (n,))``, for any n up to 2**32.

    Threefry-2x32 of 20 rounds (Salmon et al. 2011, doi:10.1145/2063384.2063405, section 3.3) at
    the counter (0, index), with its two words joined by exclusive or.

    Args:
        key: the two words of a key, uint32; they broadcast against ``index``.
        index: uint32.

    Returns:
        uint32.
    """
    words = (*key, key[0] ^ key[1] ^ PARITY)
    left, right = words[0], index + words[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            left = left + right
            right = left ^ _rotated(right, rotation)
        left = left + words[(group + 1) % 3]
        right = right + words[(group + 2) % 3] + np.uint32(group + 1)
    return left ^ right


def _rotated(x: jax.Array, by: int) -> jax.Array:
    return (x << np.uint32(by)) | (x >> np.uint32(32 - by))
