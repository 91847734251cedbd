"""Calls into another checkout's synflow_jax, from a process of its own.

Both versions are measured by this checkout's benchmarks, so that they differ in the library alone.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parents[2]


@contextmanager
def calls_of(checkout: Path, name: str, *, quick: bool) -> Iterator[Callable[[], None]]:
    """A case's call in a process that imports ``checkout``'s library; it waits while it isn't run.

    Raises:
        RuntimeError: the process ended, for a reason that it printed.
    """
    command = [sys.executable, "-m", __name__, str(checkout), name, "QUICK" if quick else "FULL"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=HERE, stdin=pipe, stdout=pipe, text=True) as process:
        asked, answers = process.stdin, process.stdout
        if asked is None or answers is None:
            raise RuntimeError("there are no pipes")

        def call() -> None:
            print("call", file=asked, flush=True)
            if answers.readline() != "done\n":
                raise RuntimeError(f"the process of {checkout} ended")

        yield call


def main(checkout: str, name: str, size: str) -> None:
    """The process: a call for each line that comes in."""
    # Ahead of this checkout's, whose benchmarks were imported already.
    sys.path.insert(0, checkout)
    import jax

    import synflow_jax

    if not Path(synflow_jax.__file__).is_relative_to(checkout):
        raise SystemExit(f"{checkout} has no synflow_jax")
    jax.config.update("jax_platforms", "cpu")
    call = getattr(import_module("benchmarks.suites.ours"), size)[name].make()
    for _ in sys.stdin:
        jax.block_until_ready(call())
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
