"""Metrics as TensorBoard event files, through tensorboardX, which needs no TensorFlow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

Writer = Callable[[str, float, int], object]
"""Writes a number under a name for an epoch."""


def check_tensorboard() -> None:
    """Raises ModuleNotFoundError, with what to install, if tensorboardX is missing."""
    if find_spec("tensorboardX") is None:
        raise ModuleNotFoundError(
            "TensorBoard files need tensorboardX; pip install 'synflow_jax[tensorboard]'"
        )


@contextmanager
def tensorboard_writer(folder: Path, first_epoch: int) -> Iterator[Writer]:
    """A writer to event files in ``folder``; those of an earlier run from ``first_epoch`` on are
    hidden.
    """
    check_tensorboard()
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder), purge_step=first_epoch) as events:
        yield events.add_scalar


@contextmanager
def no_writer(folder: Path, first_epoch: int) -> Iterator[Writer]:
    """A writer that writes nothing."""
    del folder, first_epoch
    yield lambda *_: None
