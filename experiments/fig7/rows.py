"""The rows of figure 7."""

from typing import NamedTuple


class Cut(NamedTuple):
    """The largest cut of one network's pruning.

    Attributes:
        schedule: how the density falls.
        log10_compression: log10 of weights before / weights after.
        rounds: how many.
        ratio: the largest prune size / cut size of a round.
    """

    schedule: str
    log10_compression: float
    rounds: int
    ratio: float
