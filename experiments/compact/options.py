"""The options of the comparison of masked and small networks."""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.runs.options import RunOptions, check_counts, check_powers
from experiments.training import PRESETS, Recipe, overridden
from experiments.training.recipes import SINGLESHOT


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune a network with SynFlow and train it twice from the same numbers, under its mask and as
    the smaller dense network that the mask leaves; draw test accuracy against time. By default a
    VGG of 6.8 million weights on handwritten digits; nothing is downloaded.
    """

    log10_compressions: tuple[float, ...] = (1.0, 2.0)
    """log10 of each compression (weights before / weights after)."""
    rounds: int = 100
    """Rounds of SynFlow."""
    full: bool = False
    """VGG-16-BN on CIFAR-100, which must have been prepared, by its published recipe."""
    epochs: int | None = None
    """Passes over the training images; by default 12, with --full 160."""
    data_dir: Path | None = None
    """Where data sets were prepared."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_powers(self)
        check_counts(self, "rounds", "epochs")


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    own = PRESETS["cifar-vgg"] if options.full else replace(SINGLESHOT, epochs=12)
    return overridden(own, options)
