"""What rows.csv and the tables hold of networks that were trained small."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from experiments.reporting.results import (
    Row,
    aligned,
    compression_text,
    compressions_of,
    methods_of,
)


class CompactRow(NamedTuple):
    """A `Row` of a network that was trained small, and what it took.

    Attributes:
        left: weights of the small network, pruned ones among them.
        pruning_seconds: from scores to the mask; networks pruned in one call share its time.
        compaction_seconds: from the mask to the small network.
        training_seconds: training and testing, with compilation.
    """

    method: str
    seed: int
    log10_compression: float
    weights: int
    kept: int
    collapsed: int
    loss: float
    accuracy: float
    left: int
    pruning_seconds: float
    compaction_seconds: float
    training_seconds: float


def compact_row(
    row: Row, left: int, pruning: float, compaction: float, training: float
) -> CompactRow:
    """The row with what `CompactRow` adds."""
    return CompactRow(*row, left, pruning, compaction, training)


def plain(row: Row | CompactRow) -> Row:
    """The row without it."""
    return Row(**{name: getattr(row, name) for name in Row._fields})


def seconds(row: CompactRow) -> float:
    """Pruning, compaction and training together."""
    return row.pruning_seconds + row.compaction_seconds + row.training_seconds


def compact_text(rows: Sequence[CompactRow]) -> str:
    """Means over seeds as text: weights left in percent, and seconds of pruning, compaction and
    training together, a line for each compression.
    """
    methods = methods_of(rows)
    lines: list[tuple[str, ...]] = [("compression", *methods)]
    for power in compressions_of(rows):
        chosen = [
            [r for r in rows if (r.method, r.log10_compression) == (m, power)] for m in methods
        ]
        lines.append((compression_text(power), *map(_cell_text, chosen)))
    head = "Weights of the small network in % of all; pruning, compaction and training in seconds."
    return f"{head}\n{aligned(lines)}"


def _cell_text(rows: Sequence[CompactRow]) -> str:
    share = _mean(rows, lambda row: 100 * row.left / row.weights)
    return f"{share:.2f}%, {_mean(rows, seconds):.1f} s"


def _mean(rows: Sequence[CompactRow], number: Callable[[CompactRow], float]) -> float:
    return sum(map(number, rows)) / len(rows)
