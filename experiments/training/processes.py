"""Several processes that train together: how they meet, and how they end when one of them does."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import jax

# How long a process may be silent before the others are ended.
HEARTBEAT_SECONDS = 30


def check_processes(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Raises ValueError if the options of `join` don't fit together."""
    given = (processes, process)
    if coordinator in (None, "auto"):
        if given != (None, None):
            raise ValueError("--processes and --process need --coordinator HOST:PORT")
        return
    if processes is None or process is None or not 0 <= process < processes:
        raise ValueError(
            f"--coordinator {coordinator} needs --processes N and --process from 0 to N - 1, "
            f"got {processes} and {process}"
        )


def join(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Waits for the other processes; afterward JAX sees the devices of all. Call it first.

    Args:
        coordinator: host and port of process 0, "auto" where JAX finds all three (Slurm, Open MPI,
            TPUs), or None for a process on its own.
        processes: how many there are.
        process: the number of this one, from 0.
    """
    if coordinator is None:
        return
    address = None if coordinator == "auto" else coordinator
    jax.distributed.initialize(
        address, processes, process, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
    )


@contextmanager
def ended_together() -> Iterator[None]:
    """Where the block ends with an error in one of several processes, so does the process, at once.

    Python's own end would wait for all the others, which wait for this one. They are ended by the
    failure of what they do together, or, after `HEARTBEAT_SECONDS` at most, by JAX.
    """
    try:
        yield
    except BaseException as error:
        if jax.process_count() == 1:
            raise
        if not isinstance(error, SystemExit):
            print(f"error: {_explanation(error)}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(2)


def _explanation(error: BaseException) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    return (
        f"process {jax.process_index()} of {jax.process_count()} was stopped by "
        f"{type(error).__name__}: {first_line} (if another process ended, see what it printed); "
        "start all of them again with the same options to go on from the last checkpoint"
    )
