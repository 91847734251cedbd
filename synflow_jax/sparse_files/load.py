"""Read a pruned network from a file."""

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import check_params
from synflow_jax.sparse_files.layout import (
    FORMAT,
    VERSION,
    Leaf,
    leaves_of,
    safetensors_package,
    unpack,
)
from synflow_jax.sparse_files.nested import check_unique, leaf_paths, nested, path_name
from synflow_jax.types import Mask, Params

# Of what doesn't fit, so many are told.
SHOWN = 5


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
    leaves, tensors = _read(path)
    _check_precision(path, leaves)
    if like is None:
        places = nested({leaf.path: i for i, leaf in enumerate(leaves)})
    else:
        places = _places_in(path, leaves, like)
    try:
        arrays, masks = unpack(leaves, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error
    params, mask = (jax.tree.map(lambda i, a=a: jnp.array(a[i]), places) for a in (arrays, masks))
    return params, mask


def _read(path: Path) -> tuple[list[Leaf], dict[str, np.ndarray]]:
    package = safetensors_package()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{path}'; pass what sf.save_sparse wrote")
    try:
        with package.safe_open(path, framework="numpy") as file:
            leaves = _read_leaves(path, file.metadata() or {})
            return leaves, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except package.SafetensorError as error:
        raise ValueError(
            f"'{path}' is cut short or isn't a safetensors file ({error}); copy it again, or write "
            "it again with sf.save_sparse"
        ) from error


def _read_leaves(path: Path, metadata: Mapping[str, str]) -> list[Leaf]:
    if FORMAT not in metadata:
        raise ValueError(
            f"'{path}' is a safetensors file, but not of sf.save_sparse; read its arrays with "
            "safetensors.numpy.load_file"
        )
    try:
        header = json.loads(metadata[FORMAT])
        leaves = leaves_of(header["leaves"]) if header["version"] == VERSION else None
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise _damaged(path) from error
    if leaves is None:
        raise ValueError(
            f"'{path}' is of version {header['version']}, and this synflow_jax reads version "
            f"{VERSION}; install the synflow_jax that wrote it, or a newer one"
        )
    return leaves


def _damaged(path: Path) -> ValueError:
    return ValueError(
        f"'{path}' is damaged: its arrays aren't what its header says; copy it again, or write it "
        "again with sf.save_sparse"
    )


def _check_precision(path: Path, leaves: Sequence[Leaf]) -> None:
    for leaf in leaves:
        held = jax.dtypes.canonicalize_dtype(leaf.dtype)
        if held != leaf.dtype:
            raise ValueError(
                f"leaf '{path_name(leaf.path)}' of '{path}' is {leaf.dtype}, which JAX would make "
                f"{held}; call jax.config.update('jax_enable_x64', True) first"
            )


def _places_in(path: Path, leaves: Sequence[Leaf], like: Params) -> Any:
    """A tree of the structure of ``like``: for each of its leaves, which of the file it is."""
    check_params(like, "like")
    paths = leaf_paths(like)
    check_unique("like", paths)
    wanted = dict(zip(map(path_name, paths), jax.tree.leaves(like), strict=True))
    saved = {path_name(leaf.path): i for i, leaf in enumerate(leaves)}
    problems = list(_differences({name: leaves[i] for name, i in saved.items()}, wanted))
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ValueError(
            f"'{path}' doesn't fit like: {'; '.join(problems[:SHOWN])}{more}. Pass params of the "
            "network that was saved, or leave like out"
        )
    return jax.tree.structure(like).unflatten([saved[name] for name in wanted])


def _differences(saved: Mapping[str, Leaf], wanted: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"the file has no leaf '{name}'" for name in wanted if name not in saved)
    yield from (f"like has no leaf '{name}'" for name in saved if name not in wanted)
    for name in (name for name in wanted if name in saved):
        leaf, other = saved[name], wanted[name]
        if (leaf.dtype, leaf.shape) != (other.dtype.name, other.shape):
            yield (f"leaf '{name}' is {leaf.dtype}{leaf.shape}, in like {other.dtype}{other.shape}")
