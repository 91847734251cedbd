"""Write a pruned network to a file."""

import os
from pathlib import Path

import jax
import numpy as np

from synflow_jax.checks import (
    check_mask,
    check_params,
    check_scalars,
    check_values,
)
from synflow_jax.sparse_files.files import check_here, write
from synflow_jax.sparse_files.layout import SPARSE, Leaf, pack
from synflow_jax.sparse_files.nested import check_unique, leaf_paths
from synflow_jax.types import Mask, Params


def save_sparse(path: str | os.PathLike[str], params: Params, mask: Mask) -> None:
    """Write the weights that ``mask`` keeps, and the mask, to a file of the safetensors format.

    For float32 it takes 4 bytes a kept weight, 1 bit a prunable weight and a short header. Any
    reader of safetensors loads the arrays in it:

    - ``values.float32``, and so for each dtype: the kept values of its leaves in the order of
      ``jax.tree.leaves``, of each in row-major order, and all of a leaf with scalar ``True``.
      Values of 8 bits or fewer are held as their bytes, uint8.
    - ``masks``: the other leaves' masks at their own shapes, each by ``numpy.packbits``.

    The metadata's one entry, ``synflow_jax.sparse``, is JSON of ``version`` and ``leaves``: a JSON
    list of every leaf's path, dtype, shape and mask's shape, compressed by zlib, in base64. A place
    in a list is written ``[0]``, to tell it from a dict's key ``0``. The same network gives the
    same bytes.

    The file is written beside ``path`` first and then renamed, so it's there whole or not at all.

    Args:
        path: where to, such as ``"pruned.safetensors"``; a file that is there is replaced.
        params: a pytree of floating-point arrays.
        mask: a pytree like ``params``, as from `prune`.

    Raises:
        ValueError: mask and params don't match, two leaves have one name, or a leaf lies on
            devices of other processes; the leaf is named.
        TypeError: a leaf is traced by ``jit``, or isn't floating-point or boolean.
        FileNotFoundError: there is no such folder.
        ImportError: the package safetensors isn't installed.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"bias": jnp.array([4.0]), "kernel": jnp.array([[1.0, 2.0, 3.0]])}
    >>> mask = {"bias": jnp.array(True), "kernel": jnp.array([[True, False, True]])}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sf.save_sparse(f"{folder}/pruned.safetensors", params, mask)
    ...     loaded, _ = sf.load_sparse(f"{folder}/pruned.safetensors")
    >>> loaded
    {'bias': Array([4.], dtype=float32), 'kernel': Array([[1., 0., 3.]], dtype=float32)}
    """
    check_params(params)
    check_values({"params": params, "mask": mask}, "a file holds values; save outside of it")
    check_mask(mask, params)
    check_here("params", params)
    check_here("mask", mask)
    check_scalars(mask)
    paths = leaf_paths(params)
    check_unique("params", paths)
    arrays, masks = ([np.asarray(leaf) for leaf in jax.tree.leaves(t)] for t in (params, mask))
    leaves = [
        Leaf(leaf_path, array.dtype.name, array.shape, kept.shape)
        for leaf_path, array, kept in zip(paths, arrays, masks, strict=True)
    ]
    write(Path(path), SPARSE, leaves, pack(leaves, arrays, masks))
