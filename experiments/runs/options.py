"""Command lines of typed dataclasses, whose mistakes are answered in one line."""

import contextlib
import io
import itertools
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import tyro

T = TypeVar("T")


@dataclass(frozen=True)
class RunOptions:
    """What all studies share. Each study's options come after these."""

    seed: int = 0
    """Start of all random numbers; the same seed gives the same results."""
    results: Path = Path("results")
    """Folder for results: they go to STUDY/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options. A run that was stopped goes on where it
    was."""

    def __post_init__(self) -> None:
        check_range(self, "seed", 0, 2**32 - 1)
        if self.run is not None and Path(self.run).name != self.run:
            raise ValueError(f"--run must be the name of a folder, got {self.run!r}")


def parse(options: type[T], program: str, args: Sequence[str] | None = None) -> T:
    """The options on the command line; a bad one ends the program as `refuse` does.

    Args:
        options: a dataclass whose ``__post_init__`` raises ValueError for values out of range.
        program: how it's called, for the help.
        args: the command line, by default the program's own.
    """
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(options, prog=program, args=args)
    except SystemExit as end:
        if not end.code:
            raise
        first_part = _first_part(errors.getvalue())
        refuse(first_part.removeprefix(f"Error parsing {options.__name__}: "))
    except ValueError as error:
        refuse(str(error))


def check_range(options: Any, name: str, lowest: float, highest: float = math.inf) -> None:
    """Raises ValueError if the option is given and isn't finite or not between the bounds."""
    value = getattr(options, name)
    if value is not None and not (lowest <= value <= highest and math.isfinite(value)):
        bounds = f">= {lowest:g}" if highest == math.inf else f"from {lowest:g} to {highest:.10g}"
        raise ValueError(f"{_flag(name)} must be {bounds}, got {value}")


def check_counts(options: Any, *names: str) -> None:
    """Raises ValueError if one of the options is given and below 1."""
    for name in names:
        check_range(options, name, 1)


def check_distinct(options: Any, *names: str) -> None:
    """Raises ValueError if the list of one of the options is empty or names something twice."""
    for name in names:
        values = getattr(options, name)
        if values is not None and (not values or len(set(values)) < len(values)):
            listed = " ".join(map(str, values)) or "nothing"
            raise ValueError(f"{_flag(name)} takes different values, got {listed}")


def check_powers(options: Any, name: str = "log10_compressions") -> None:
    """`check_distinct`, and ValueError if a log10 of a compression isn't from 0 to 9."""
    check_distinct(options, name)
    powers = getattr(options, name)
    if powers is not None and not all(0 <= power <= 9 for power in powers):
        listed = " ".join(map(str, powers))
        raise ValueError(f"{_flag(name)} must be from 0 to 9, got {listed}")


def refuse(message: str) -> NoReturn:
    """Ends the program with status 2 and one line on stderr."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(2)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _first_part(box: str) -> str:
    """What stands below the title and above the next rule in a box that tyro draws, on one line."""
    lines = [re.sub(r"[│|╭╮╰╯─]|-{5,}", " ", line).strip() for line in box.splitlines()]
    _, *below = itertools.dropwhile(lambda line: not line, lines)
    text = itertools.dropwhile(lambda line: not line, below)
    return " ".join(itertools.takewhile(bool, text))
