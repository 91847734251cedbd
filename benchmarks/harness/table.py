"""Rows of measurements as a Markdown table and as JSON."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks.harness.figures import Figure, number

HEADER = "| what | measured | result | reach |\n|---|---|---|---|"


class Reach(NamedTuple):
    """What the result should come to: at least or at most ``bound``."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


def at_least(bound: float) -> Reach:
    """What the result should not be below."""
    return Reach(bound, at_least=True)


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        case: the name that ``--only`` takes.
        what: what was measured.
        figures: the measurements by name.
        result: which of them is judged.
        reach: by what, if at all.
        details: whatever else explains the figures.
    """

    case: str
    what: str
    figures: Mapping[str, Figure]
    result: str
    reach: Reach | None = None
    details: Mapping[str, Any] = {}


Part = Callable[[str, int], list[Row]]
"""A measurement: ``part(case, runs) -> rows``."""


def as_json(row: Row) -> dict[str, Any]:
    """All of a row, and whether it reached what it should."""
    return {
        "case": row.case,
        "what": row.what,
        "figures": {name: each._asdict() for name, each in row.figures.items()},
        "result": row.result,
        "reach": row.reach and row.reach._asdict(),
        "reached": row.reach and row.reach.met(row.figures[row.result].median),
        "details": dict(row.details),
    }


def line(row: Row) -> str:
    """A row of the table."""
    result = row.figures[row.result]
    measured = [f"{name} {each}" for name, each in row.figures.items() if name != row.result]
    measured += [f"{name}: {value}" for name, value in row.details.items()]
    cells = row.what, "; ".join(measured), str(result), _reach(row.reach, result)
    return f"| {' | '.join(cells)} |"


def _reach(reach: Reach | None, result: Figure) -> str:
    if reach is None:
        return ""
    sign = "at least" if reach.at_least else "at most"
    missed = "" if reach.met(result.median) else ", missed"
    return f"{sign} {number(reach.bound)} {result.unit}{missed}"
