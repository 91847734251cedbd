"""Read a pruned network from a file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from synflow_jax.sparse_files.files import damaged, read
from synflow_jax.sparse_files.layout import SPARSE, Leaf, unpack
from synflow_jax.sparse_files.matching import places_in
from synflow_jax.sparse_files.nested import nested, path_name
from synflow_jax.types import Mask, Params


def load_sparse(path: str | os.PathLike[str], *, like: Params | None = None) -> tuple[Params, Mask]:
    """Params, with exact zeros where pruned, and their mask, from a file of `save_sparse`.

    They equal ``sf.apply_mask(mask, params)`` and ``mask`` of what was saved, bit for bit.

    Args:
        path: of the file.
        like: params with the names, shapes and dtypes of those saved, such as ones just
            initialized or their shapes as ``jax.ShapeDtypeStruct``. Its values aren't used.

    Returns:
        Params and mask on the default device, in the structure of ``like``. Without it, as nested
        dicts, by keys and attributes, and lists, for tuples too. Containers without leaves are
        left out then; a list has ``None`` where one was before others.

    Raises:
        ValueError: the file is cut short, damaged, of another kind or of a newer version; it holds
            float64 and x64 is off; or it doesn't fit ``like``, and the leaves are named.
        TypeError: ``like`` isn't a pytree of floating-point arrays.
        FileNotFoundError: there is no such file.
        ImportError: the package safetensors isn't installed.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = (jnp.array([[1.0, -2.0]]),)
    >>> mask, _ = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sf.save_sparse(f"{folder}/pruned.safetensors", params, mask)
    ...     sf.load_sparse(f"{folder}/pruned.safetensors", like=params)
    ((Array([[ 0., -2.]], dtype=float32),), (Array([[False,  True]], dtype=bool),))
    """
    path = Path(path)
    leaves, tensors = read(path, SPARSE)
    _check_precision(path, leaves)
    if like is None:
        places = nested({leaf.path: i for i, leaf in enumerate(leaves)})
    else:
        hint = ", or leave like out"
        places = places_in(path, leaves, like, name="like", differs=_differs, instead=hint)
    try:
        arrays, masks = unpack(leaves, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, SPARSE) from error
    params, mask = (
        jax.tree.map(lambda i, a=a: jax.device_put(a[i]), places) for a in (arrays, masks)
    )
    return params, mask


def _check_precision(path: Path, leaves: Sequence[Leaf]) -> None:
    for leaf in leaves:
        held = jax.dtypes.canonicalize_dtype(leaf.dtype)
        if held != leaf.dtype:
            raise ValueError(
                f"leaf '{path_name(leaf.path)}' of '{path}' is {leaf.dtype}, which JAX would make "
                f"{held}; call jax.config.update('jax_enable_x64', True) first"
            )


def _differs(name: str, leaf: Leaf, other: Any) -> str | None:
    if (leaf.dtype, leaf.shape) == (other.dtype.name, other.shape):
        return None
    return f"leaf '{name}' is {leaf.dtype}{leaf.shape}, in like {other.dtype}{other.shape}"
