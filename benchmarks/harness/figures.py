"""Numbers that were measured several times."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """A number measured several times: its median, lowest and highest value."""

    median: float
    lowest: float
    highest: float
    unit: str

    def __str__(self) -> str:
        if self.lowest == self.highest:
            return f"{number(self.median)} {self.unit}"
        spread = f"{number(self.lowest)} to {number(self.highest)}"
        return f"{number(self.median)} {self.unit} ({spread})"


def number(value: float) -> str:
    """Three digits, more where they stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure(values: Sequence[float], unit: str, *, factor: float = 1.0) -> Figure:
    """What several measurements of one thing come to, each times ``factor``."""
    scaled = [factor * value for value in values]
    return Figure(statistics.median(scaled), min(scaled), max(scaled), unit)


def figures(
    values: Mapping[str, Sequence[float]], unit: str, *, factor: float = 1.0
) -> dict[str, Figure]:
    """The same of each side."""
    return {name: figure(each, unit, factor=factor) for name, each in values.items()}


def ratio(numerator: Sequence[float], denominator: Sequence[float], unit: str = "x") -> Figure:
    """Measurement by measurement, so that a slow moment of the machine meets both sides."""
    return figure([a / b for a, b in zip(numerator, denominator, strict=True)], unit)
