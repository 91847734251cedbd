"""Checkpoints of a training state through Orbax: whole or not there, whenever a run is killed."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from jax.tree_util import keystr

from experiments.training.state import TrainState


def checkpoints(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints in a folder, made if it isn't there; the last two are kept. Close it."""
    options = ocp.CheckpointManagerOptions(
        max_to_keep=2,
        create=True,
        cleanup_tmp_directories=True,
        enable_async_checkpointing=False,
    )
    # Named here, or what a checkpoint holds couldn't be asked before the first is written.
    handler = ocp.StandardCheckpointHandler()
    return ocp.CheckpointManager(folder.absolute(), options=options, item_handlers=handler)


def save(manager: ocp.CheckpointManager, epoch: int, state: TrainState) -> None:
    """Writes the state after ``epoch`` epochs; when this returns it's safe on disk.

    Raises:
        OSError: it couldn't be written, as on a full disk; the checkpoints before it are whole.
    """
    try:
        manager.save(epoch, args=ocp.args.StandardSave(state), force=True)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise OSError(
            f"no checkpoint of epoch {epoch} could be written to {manager.directory}, where those "
            f"before it are whole: {reason}"
        ) from error


def restore(manager: ocp.CheckpointManager, state: TrainState) -> TrainState:
    """The newest checkpoint, or ``state`` if there is none; each leaf where the state's lies,
    whatever devices it was written from.

    Raises:
        ValueError: the checkpoint is of another network; the message names a leaf that differs.
    """
    epoch = manager.latest_step()
    if epoch is None:
        return state
    _check_same(manager, epoch, state)
    shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    restored = manager.restore(epoch, args=ocp.args.StandardRestore(shapes))
    # Copies, since training gives its buffers away.
    return jax.tree.map(jnp.copy, restored)


def _check_same(manager: ocp.CheckpointManager, epoch: int, state: TrainState) -> None:
    here, there = _described(state), _described(manager.item_metadata(epoch).tree)
    for name in here | there:
        if here.get(name) != there.get(name):
            raise ValueError(
                f"{manager.directory / str(epoch)} is of another network: {name} is "
                f"{there.get(name, 'not there')}, and {here.get(name, 'not there')} in this one"
            )


def _described(tree: Any) -> dict[str, str]:
    """Type and shape of each array by its path; of a random key, those of its data."""

    def described(leaf: Any) -> str:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.eval_shape(jax.random.key_data, leaf)
        return f"{leaf.dtype} {leaf.shape}"

    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {keystr(path, simple=True, separator="/"): described(leaf) for path, leaf in leaves}
