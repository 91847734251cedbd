"""Command lines of typed dataclasses, whose mistakes are answered in one line."""

import contextlib
import io
import itertools
import math
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

import tyro

T = TypeVar("T")


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
    """Raises ValueError if the option isn't finite or not between the bounds."""
    value = getattr(options, name)
    if not (lowest <= value <= highest and math.isfinite(value)):
        bounds = f">= {lowest:g}" if highest == math.inf else f"from {lowest:g} to {highest:.10g}"
        raise ValueError(f"--{name.replace('_', '-')} must be {bounds}, got {value}")


def check_distinct(options: Any, name: str) -> None:
    """Raises ValueError if the option's list is empty or names something twice."""
    values = getattr(options, name)
    if not values or len(set(values)) < len(values):
        listed = " ".join(map(str, values)) or "nothing"
        raise ValueError(f"--{name.replace('_', '-')} takes different values, got {listed}")


def check_powers(powers: Sequence[float]) -> None:
    """Raises ValueError if a log10 of a compression isn't from 0 to 9."""
    if not all(0 <= power <= 9 for power in powers):
        listed = " ".join(map(str, powers))
        raise ValueError(f"--log10-compressions must be from 0 to 9, got {listed}")


def refuse(message: str) -> NoReturn:
    """Ends the program with status 2 and one line on stderr."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(2)


def _first_part(box: str) -> str:
    """What stands below the title and above the next rule in a box that tyro draws, on one line."""
    lines = [re.sub(r"[│|╭╮╰╯─]|-{5,}", " ", line).strip() for line in box.splitlines()]
    _, *below = itertools.dropwhile(lambda line: not line, lines)
    text = itertools.dropwhile(lambda line: not line, below)
    return " ".join(itertools.takewhile(bool, text))
