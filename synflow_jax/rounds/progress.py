"""Rounds as they are done, told from within the compiled loop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import jax
import numpy as np

from synflow_jax.checks import check_callable
from synflow_jax.types import Progress

# A compiled program can't hold a caller's function without being compiled anew for each, so it
# holds a number, and the functions of calls that are under way are found by it.
_numbers = count()
_listening: dict[int, Callable[[int, int], None]] = {}


def check_progress(progress: Any) -> bool | Progress:
    """``progress``, a bool or a function."""
    if isinstance(progress, bool | np.bool_):
        return bool(progress)
    check_callable("progress", progress, "done, rounds, kept", "True for a bar, or False")
    return progress


@contextmanager
def listening(progress: bool | Progress, rounds: int) -> Iterator[np.int32 | None]:
    """The number by which `tell` reaches ``progress`` meanwhile; None if nothing is to be told."""
    if progress is False:
        yield None
        return
    number = next(_numbers)
    with _bar(rounds) if progress is True else _calls(progress, rounds) as listener:
        _listening[number] = listener
        try:
            yield np.int32(number % 2**31)
            jax.effects_barrier()
        finally:
            del _listening[number]


def tell(number: Any, done: Any, kept_by_layer: Any) -> None:
    """Called by the device after each round."""
    if listener := _listening.get(int(number)):
        listener(int(done), int(np.sum(np.asarray(kept_by_layer), dtype=np.int64)))


@contextmanager
def _calls(progress: Progress, rounds: int) -> Iterator[Callable[[int, int], None]]:
    errors: list[Exception] = []

    def listener(done: int, kept: int) -> None:
        # Raised on the device's thread it would end the program with another message.
        try:
            if not errors:
                progress(done, rounds, kept)
        except Exception as error:
            errors.append(error)

    yield listener
    if errors:
        raise errors[0]


@contextmanager
def _bar(rounds: int) -> Iterator[Callable[[int, int], None]]:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            "progress=True draws a bar with the package tqdm: pip install tqdm, or pass a function "
            "progress(done, rounds, kept)"
        ) from error
    with tqdm(total=rounds, unit="round", dynamic_ncols=True) as bar:

        def listener(done: int, kept: int) -> None:
            bar.set_postfix_str(f"{kept:,} weights left", refresh=False)
            bar.update(max(0, done - bar.n))

        yield listener
