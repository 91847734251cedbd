"""How a command starts."""

import time
from collections.abc import Sequence
from typing import TypeVar

from experiments.runs.compilation import use_compilation_cache
from experiments.runs.options import parse

T = TypeVar("T")


def begin(options: type[T], study: str, args: Sequence[str] | None) -> tuple[T, float]:
    """The options on the command line, and when the command started.

    Args:
        options: a dataclass, as for `parse`.
        study: the command is ``python -m experiments.STUDY``.
        args: the command line, by default the program's own. Only then compiled programs are kept
            on disk: a caller that passes some has its own mind about JAX's configuration.
    """
    started = time.perf_counter()
    parsed = parse(options, f"python -m experiments.{study}", args)
    if args is None:
        use_compilation_cache()
    return parsed, started
