"""Checkpoints of a training state through Orbax: whole or not there, whenever a run is killed."""

from pathlib import Path

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from experiments.training import TrainState


def checkpoints(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints in a folder, made if it isn't there; the last two are kept. Close it."""
    options = ocp.CheckpointManagerOptions(
        max_to_keep=2,
        create=True,
        cleanup_tmp_directories=True,
        enable_async_checkpointing=False,
    )
    return ocp.CheckpointManager(folder.absolute(), options=options)


def save(manager: ocp.CheckpointManager, epoch: int, state: TrainState) -> None:
    """Writes the state after ``epoch`` epochs; when this returns it's safe on disk."""
    manager.save(epoch, args=ocp.args.StandardSave(state), force=True)


def restore(manager: ocp.CheckpointManager, state: TrainState) -> TrainState:
    """The newest checkpoint, or ``state`` if there is none.

    Raises:
        ValueError: the checkpoint is of another network.
    """
    epoch = manager.latest_step()
    if epoch is None:
        return state
    shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    restored = manager.restore(epoch, args=ocp.args.StandardRestore(shapes))
    # Copies, since training gives its buffers away.
    return jax.tree.map(jnp.copy, restored)
