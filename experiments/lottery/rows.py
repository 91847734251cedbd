"""Rows of the lottery-ticket experiment, and their table in text."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.reporting.results import aligned


class TicketRow(NamedTuple):
    """One network pruned, trained and tested.

    Attributes:
        network: its name.
        kind: dense, iterative, one-shot, reinitialized or random mask.
        level: of the compression, 0 for the dense network.
        seed: which initialization and order of the data.
        weights: prunable weights.
        kept: those left.
        collapsed: layers with nothing left.
        accuracy: fraction of the test images classified right after the last epoch.
        early_step: step of the lowest validation loss, at the end of an epoch.
        early_accuracy: as accuracy, at that step.
        moved_inside: mean ``|w_trained - w_init|`` in the dense training of the weights kept.
        moved_outside: the same for those pruned; NaN if there are none.
    """

    network: str
    kind: str
    level: int
    seed: int
    weights: int
    kept: int
    collapsed: int
    accuracy: float
    early_step: int
    early_accuracy: float
    moved_inside: float
    moved_outside: float


def mean_over_seeds(
    rows: Sequence[TicketRow], network: str, kind: str, level: int, value: str
) -> float:
    """The mean of one column over the seeds of a cell."""
    found = [
        getattr(row, value)
        for row in rows
        if (row.network, row.kind, row.level) == (network, kind, level)
    ]
    return sum(found) / len(found)


def lottery_table(rows: Sequence[TicketRow]) -> str:
    """Means over seeds: a line a network, kind and level."""
    head = (
        "network",
        "kind",
        "compression",
        "accuracy",
        "early step",
        "moved in",
        "moved out",
    )
    lines: list[tuple[str, ...]] = [head]
    for network, kind, level in dict.fromkeys((r.network, r.kind, r.level) for r in rows):
        weights, kept, *values = (
            mean_over_seeds(rows, network, kind, level, name)
            for name in (
                *("weights", "kept"),
                *("accuracy", "early_step", "moved_inside", "moved_outside"),
            )
        )
        accuracy, step, inside, outside = values
        texts = (f"{weights / kept:.3g}", f"{100 * accuracy:.1f}", f"{step:.0f}")
        lines.append((network, kind, *texts, f"{inside:.4f}", f"{outside:.4f}"))
    return aligned(lines)
