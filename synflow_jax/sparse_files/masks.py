"""A mask by itself in a file, one bit a weight."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from synflow_jax.checks import check_mask, check_scalars, check_values
from synflow_jax.sparse_files.files import check_here, damaged, read, write
from synflow_jax.sparse_files.layout import MASK, Leaf, pack_masks, unpack_masks
from synflow_jax.sparse_files.matching import places_in
from synflow_jax.sparse_files.nested import check_unique, leaf_paths
from synflow_jax.types import Mask, Params


def save_mask(path: str | os.PathLike[str], mask: Mask) -> None:
    """Write a mask to a file of the safetensors format, one bit a prunable weight.

    The file has one array, ``masks``: each leaf at its own shape by ``numpy.packbits``, but for
    scalar ``True``, in the order of ``jax.tree.leaves``. The metadata's one entry,
    ``synflow_jax.mask``, has every leaf's path and shape, as in files of `save_sparse`. The same
    mask gives the same bytes. It's written beside ``path`` first and then renamed, so it's there
    whole or not at all.

    Args:
        path: where to, such as ``"mask.safetensors"``; a file that is there is replaced.
        mask: a pytree of booleans, as from `prune`, such as the one in an optimizer's state that
            `mask_of` gives.

    Raises:
        ValueError: two leaves have one name, a leaf is scalar ``False``, or a leaf lies on devices
            of other processes; the leaf is named.
        TypeError: a leaf is traced by ``jit``, or isn't boolean.
        FileNotFoundError: there is no such folder.
        ImportError: the package safetensors isn't installed.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"bias": jnp.ones(1), "kernel": jnp.array([[1.0, -2.0, 3.0]])}
    >>> mask, _ = sf.prune(sf.magnitude(), params, 3.0, rounds=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sf.save_mask(f"{folder}/mask.safetensors", mask)
    ...     sf.load_mask(f"{folder}/mask.safetensors", params)["kernel"]
    Array([[False, False,  True]], dtype=bool)
    """
    check_values({"mask": mask}, "a file holds values; save outside of it")
    check_mask(mask, mask, "mask")
    check_here("mask", mask)
    check_scalars(mask)
    paths = leaf_paths(mask)
    if not paths:
        raise ValueError("mask has no leaves; pass a mask as from sf.prune")
    check_unique("mask", paths)
    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(mask)]
    leaves = [Leaf(p, "bool", a.shape, a.shape) for p, a in zip(paths, arrays, strict=True)]
    write(Path(path), MASK, leaves, pack_masks(arrays))


def load_mask(path: str | os.PathLike[str], params: Params) -> Mask:
    """The mask in a file of `save_mask`, checked against its params and in their structure.

    Args:
        path: of the file.
        params: of the network that the mask is for, such as ones just initialized or their shapes
            as ``jax.ShapeDtypeStruct``. Their values aren't used.

    Returns:
        The mask that was saved, bit for bit and of its shapes, on the default device.

    Raises:
        ValueError: the file is cut short, damaged, of another kind or of a newer version; or names
            or shapes of ``params`` are others, and the leaves are named.
        TypeError: ``params`` isn't a pytree of floating-point arrays.
        FileNotFoundError: there is no such file.
        ImportError: the package safetensors isn't installed.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sf.save_mask(f"{folder}/mask.safetensors", {"kernel": jnp.array([[True, False]])})
    ...     sf.load_mask(f"{folder}/mask.safetensors", {"kernel": jnp.ones((3, 1))})
    Traceback (most recent call last):
      ...
    ValueError: ... the mask of leaf 'kernel' is (1, 2), in params it's (3, 1)...
    """
    path = Path(path)
    leaves, tensors = read(path, MASK)
    places = places_in(path, leaves, params, name="params", differs=_differs, instead="")
    try:
        masks = unpack_masks(leaves, tensors["masks"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, MASK) from error
    return jax.tree.map(lambda i: jax.device_put(masks[i]), places)


def _differs(name: str, leaf: Leaf, param: Any) -> str | None:
    shape, full = leaf.mask_shape, param.shape
    fits = len(shape) == len(full) and all(a in (1, b) for a, b in zip(shape, full, strict=True))
    if fits or not shape:
        return None
    return f"the mask of leaf '{name}' is {shape}, in params it's {full}"
