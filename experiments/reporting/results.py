"""Accuracies of pruned networks: one row each, put together over seeds, as a table in text."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import synflow_jax as sf


class Row(NamedTuple):
    """One network pruned, trained and tested.

    Attributes:
        method: name of the score.
        seed: which initialization, scoring batch and order of the data.
        log10_compression: log10 of weights before / weights after, as asked for.
        weights: prunable weights.
        kept: those left.
        collapsed: layers with nothing left.
        loss: mean training loss of the last epoch.
        accuracy: fraction of the test images that are classified right.
    """

    method: str
    seed: int
    log10_compression: float
    weights: int
    kept: int
    collapsed: int
    loss: float
    accuracy: float


def result_row(
    method: str,
    seed: int,
    log10_compression: float,
    layers: sf.LayerTable,
    *,
    loss: float,
    accuracy: float,
) -> Row:
    """The row of a network whose mask leaves ``layers``."""
    return Row(
        method=method,
        seed=seed,
        log10_compression=log10_compression,
        weights=layers.size,
        kept=layers.kept,
        collapsed=len(layers.collapsed),
        loss=loss,
        accuracy=accuracy,
    )


class Cell(NamedTuple):
    """All seeds of one method at one compression: accuracies, and runs with a collapsed layer."""

    mean: float
    lowest: float
    highest: float
    runs: int
    collapsed_runs: int


def cell(rows: Sequence[Row], method: str, log10_compression: float) -> Cell:
    """The rows of one method and compression put together."""
    chosen = [
        row for row in rows if (row.method, row.log10_compression) == (method, log10_compression)
    ]
    accuracies = [row.accuracy for row in chosen]
    return Cell(
        mean=sum(accuracies) / len(accuracies),
        lowest=min(accuracies),
        highest=max(accuracies),
        runs=len(chosen),
        collapsed_runs=sum(row.collapsed > 0 for row in chosen),
    )


def methods_of(rows: Sequence[Any]) -> list[str]:
    """Each method once, in the order of the rows."""
    return list(dict.fromkeys(row.method for row in rows))


def compressions_of(rows: Sequence[Any]) -> list[float]:
    """Each log10 of a compression once, rising."""
    return sorted({row.log10_compression for row in rows})


def compression_text(power: float) -> str:
    """The compression of a log10, for reading.

    >>> compression_text(0.5), compression_text(3.0)
    ('3.16', '1,000')
    """
    return f"{10**power:,.0f}" if power >= 2 else f"{10**power:.3g}"


def table(rows: Sequence[Row]) -> str:
    """Test accuracy as text: mean and range over seeds in percent, a line for each compression.

    ``x2`` behind them says that in 2 of the runs a layer has collapsed.
    """
    methods = methods_of(rows)
    lines: list[tuple[str, ...]] = [("compression", *methods)]
    for log10_compression in compressions_of(rows):
        cells = [cell(rows, method, log10_compression) for method in methods]
        lines.append((compression_text(log10_compression), *map(_cell_text, cells)))
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns of text, flush right.

    >>> print(aligned([("a", "bc"), ("12", "3")]))
     a  bc
    12   3
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for line in lines
    )


def _cell_text(cell: Cell) -> str:
    collapsed = f"x{cell.collapsed_runs}" if cell.collapsed_runs else ""
    span = f"({100 * cell.lowest:.1f}-{100 * cell.highest:.1f})"
    return f"{100 * cell.mean:.1f} {span} {collapsed:<2}"
