"""Rows of measurements as a Markdown table and as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.measure import Figure, number


class Reach(NamedTuple):
    """What the result should come to: at least or at most ``bound``."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


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


def markdown(rows: Sequence[Row]) -> str:
    """The table, a header first."""
    header = ["| what | measured | result | reach |", "|---|---|---|---|"]
    return "\n".join([*header, *(_line(row) for row in rows)])


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


def _line(row: Row) -> str:
    result = row.figures[row.result]
    measured = [f"{name} {each}" for name, each in row.figures.items() if name != row.result]
    measured += [f"{name}: {value}" for name, value in row.details.items()]
    return _cells([row.what, "; ".join(measured), str(result), _reach(row.reach, result)])


def _reach(reach: Reach | None, result: Figure) -> str:
    if reach is None:
        return ""
    sign = "at least" if reach.at_least else "at most"
    missed = "" if reach.met(result.median) else ", missed"
    return f"{sign} {number(reach.bound)} {result.unit}{missed}"


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
