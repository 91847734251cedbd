"""Write and read files of the safetensors format, whole or not at all."""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import jax
import numpy as np

from synflow_jax.checks import named_leaves
from synflow_jax.sparse_files.layout import (
    MASK,
    SPARSE,
    VERSION,
    Kind,
    Leaf,
    leaves_of,
    metadata_of,
)
from synflow_jax.types import Mask, Params


def check_here(tree_name: str, tree: Params | Mask) -> None:
    """This process holds all of a named tree."""
    for name, leaf in named_leaves(tree):
        known = not isinstance(leaf, jax.Array) or leaf.is_fully_replicated
        if not known and not leaf.is_fully_addressable:
            raise ValueError(
                f"{tree_name} leaf '{name}' lies on devices of several processes; gather it with "
                "jax.experimental.multihost_utils.process_allgather and save in one process"
            )


def write(
    path: Path, kind: Kind, leaves: Sequence[Leaf], tensors: Mapping[str, np.ndarray]
) -> None:
    """All of the file, or nothing."""
    content = _safetensors(kind).numpy.save(dict(tensors), metadata_of(kind, leaves))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{path.parent}' to write '{path.name}' to")
    unfinished = path.with_name(f".{uuid4().hex}.unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: Path, kind: Kind) -> tuple[list[Leaf], dict[str, np.ndarray]]:
    """A file's leaves and arrays."""
    package = _safetensors(kind)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{path}'; pass what {kind.save} wrote")
    try:
        with package.safe_open(path, framework="numpy") as file:
            leaves = _read_leaves(path, kind, file.metadata() or {})
            return leaves, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except package.SafetensorError as error:
        raise ValueError(
            f"'{path}' is cut short or isn't a safetensors file ({error}); copy it again, or write "
            f"it again with {kind.save}"
        ) from error


def _read_leaves(path: Path, kind: Kind, metadata: Mapping[str, str]) -> list[Leaf]:
    if kind.key not in metadata:
        raise ValueError(_of_another_kind(path, kind, metadata))
    try:
        header = json.loads(metadata[kind.key])
        leaves = leaves_of(header["leaves"]) if header["version"] == VERSION else None
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise damaged(path, kind) from error
    if leaves is None:
        raise ValueError(
            f"'{path}' is of version {header['version']}, and this synflow_jax reads version "
            f"{VERSION}; install the synflow_jax that wrote it, or a newer one"
        )
    return leaves


def _of_another_kind(path: Path, kind: Kind, metadata: Mapping[str, str]) -> str:
    found = [other for other in (SPARSE, MASK) if other.key in metadata]
    if found:
        return f"'{path}' is of {found[0].save}, not of {kind.save}; read it with {found[0].load}"
    return (
        f"'{path}' is a safetensors file, but not of {kind.save}; read its arrays with "
        "safetensors.numpy.load_file"
    )


def damaged(path: Path, kind: Kind) -> ValueError:
    """What to raise where arrays and header don't agree."""
    return ValueError(
        f"'{path}' is damaged: its arrays aren't what its header says; copy it again, or write it "
        f"again with {kind.save}"
    )


def _safetensors(kind: Kind) -> ModuleType:
    """The package, which only these files and checkpoints of torchvision need."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"{kind.save} and {kind.load} need the package safetensors: "
            "pip install 'safetensors>=0.8'"
        ) from error
    return safetensors
