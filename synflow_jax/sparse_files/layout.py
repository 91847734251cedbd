"""What lies where in a file of `save_sparse` or `save_mask`: named arrays, and a short header."""

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from synflow_jax.sparse_files.nested import LeafPath

VERSION = 1

# What the NumPy reader of safetensors knows; values of other dtypes are stored as bytes.
READABLE = ("bfloat16", "float16", "float32", "float64")


class Leaf(NamedTuple):
    """What the file says of a leaf.

    Attributes:
        path: its keys, attributes and places in lists.
        dtype: the name of its dtype.
        shape: its shape.
        mask_shape: its mask's, ``()`` where the leaf is stored whole.
    """

    path: LeafPath
    dtype: str
    shape: tuple[int, ...]
    mask_shape: tuple[int, ...]


class Kind(NamedTuple):
    """What a file holds, by the functions that write and read it.

    Attributes:
        key: of the header's entry.
        save: the name of the function that writes it.
        load: of the one that reads it.
    """

    key: str
    save: str
    load: str


SPARSE = Kind("synflow_jax.sparse", "sf.save_sparse", "sf.load_sparse")
MASK = Kind("synflow_jax.mask", "sf.save_mask", "sf.load_mask")


def metadata_of(kind: Kind, leaves: Sequence[Leaf]) -> dict[str, str]:
    """One string for the file's header.

    Names repeat, so that compressed they take a fifth; plain, those of a small network would take
    more than its weights at high compressions. It's one string since safetensors writes several
    in any order, and the same network should give the same file.
    """
    rows = json.dumps(leaves, separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(rows.encode(), level=9)).decode()
    return {kind.key: json.dumps({"version": VERSION, "leaves": packed})}


def leaves_of(packed: str) -> list[Leaf]:
    """The leaves that `metadata_of` was given, from their part of the header."""
    rows = json.loads(zlib.decompress(base64.b64decode(packed)))
    return [
        Leaf(tuple(map(_step, path)), dtype, tuple(shape), tuple(mask_shape))
        for path, dtype, shape, mask_shape in rows
    ]


def _step(step: str | int | list[int]) -> str | int | tuple[int]:
    return (step[0],) if isinstance(step, list) else step


def pack(
    leaves: Sequence[Leaf], arrays: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """The file's arrays: the kept values by dtype, and the masks' bits."""
    values: dict[str, list[np.ndarray]] = {}
    for leaf, array, mask in zip(leaves, arrays, masks, strict=True):
        values.setdefault(leaf.dtype, []).append(array[np.broadcast_to(mask, leaf.shape)])
    joined = {f"values.{dtype}": _stored(np.concatenate(v)) for dtype, v in values.items()}
    return {**joined, **pack_masks(masks)}


def pack_masks(masks: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The file's array of bits."""
    bits = [np.packbits(mask) for mask in masks if mask.ndim]
    return {"masks": np.concatenate([np.zeros(0, np.uint8), *bits])}


def _stored(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.name in READABLE else values.view(np.uint8)


def unpack(
    leaves: Sequence[Leaf], tensors: Mapping[str, np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The arrays, with zeros where pruned, and the masks that `pack` was given."""
    masks = unpack_masks(leaves, tensors["masks"])
    kept = [np.broadcast_to(m, leaf.shape) for leaf, m in zip(leaves, masks, strict=True)]
    arrays = [np.zeros(leaf.shape, leaf.dtype) for leaf in leaves]
    for dtype in {leaf.dtype for leaf in leaves}:
        places = [i for i, leaf in enumerate(leaves) if leaf.dtype == dtype]
        counts = [int(np.count_nonzero(kept[i])) for i in places]
        parts = _split(tensors[f"values.{dtype}"].view(dtype), counts)
        for i, part in zip(places, parts, strict=True):
            arrays[i][kept[i]] = part
    return arrays, masks


def unpack_masks(leaves: Sequence[Leaf], packed: np.ndarray) -> list[np.ndarray]:
    """The masks that `pack_masks` was given."""
    sizes = [math.prod(leaf.mask_shape) if leaf.mask_shape else 0 for leaf in leaves]
    parts = _split(packed, [-(-size // 8) for size in sizes])
    return [
        np.unpackbits(part, count=size).astype(bool).reshape(leaf.mask_shape)
        if leaf.mask_shape
        else np.array(True)
        for leaf, part, size in zip(leaves, parts, sizes, strict=True)
    ]


def _split(array: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    if array.shape != (sum(sizes),):
        raise ValueError(f"{sum(sizes)} expected, got {array.shape}")
    return np.split(array, np.cumsum(sizes)[:-1])
