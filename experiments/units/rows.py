"""What rows.csv holds of each network, and steps/rows.csv of each step's time."""

from typing import NamedTuple

DENSE = "dense"
"""The way of a network that isn't pruned."""


class Row(NamedTuple):
    """A network pruned, trained and tested.

    Attributes:
        network: its name.
        way: how it was pruned; `DENSE` for the network as it is.
        seed: which initialization, scoring batch, random scores and order of the data.
        asked: the fraction that should be left: of multiplications where units were pruned, of
            weights where weights were.
        weights: numbers in all params.
        kept: those that the mask keeps.
        left: those of the compact network.
        multiplications: multiply-adds of dense and convolutional layers for one image.
        multiplications_left: those of the compact network.
        loss: mean training loss of the last epoch.
        accuracy: fraction of the test images that are classified right.
    """

    network: str
    way: str
    seed: int
    asked: float
    weights: int
    kept: int
    left: int
    multiplications: int
    multiplications_left: int
    loss: float
    accuracy: float

    @property
    def fraction(self) -> float:
        """Of the multiplications, how much is left."""
        return self.multiplications_left / self.multiplications


class StepRow(NamedTuple):
    """The time of a training step of a compact network.

    Attributes:
        network, way, asked, left, multiplications_left: as in `Row`.
        seconds: the median of some steps.
    """

    network: str
    way: str
    asked: float
    left: int
    multiplications_left: int
    seconds: float
