"""The rows of the study of SynFlow's input."""

from typing import Literal, NamedTuple

Input = Literal["ones", "mean"]


class Trained(NamedTuple):
    """One network pruned with one input, and trained.

    Attributes:
        padding: what surrounds the digits.
        input: SynFlow's.
        seed: which initialization, noise and order of the data.
        log10_compression: log10 of weights before / weights after, as asked for.
        kept: weights left.
        collapsed: layers with nothing left.
        overlap: fraction of the mask's weights that the mask of ones keeps too.
        digit: fraction of the first layer's weights left that read a pixel of the digit.
        accuracy: fraction of the test images that are classified right.
    """

    padding: str
    input: str
    seed: int
    log10_compression: float
    kept: int
    collapsed: int
    overlap: float
    digit: float
    accuracy: float
