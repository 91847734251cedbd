"""The options of the study of SynFlow's input."""

from dataclasses import dataclass, replace
from typing import get_args

from experiments.inputs.padded import Padding
from experiments.runs.options import (
    RunOptions,
    check_counts,
    check_distinct,
    check_powers,
    check_range,
)
from experiments.training.recipes import DENSE, Recipe, overridden


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune a network of dense layers by SynFlow with ones or with the mean training image as its
    input, and train it, on digits alone and among pixels that say nothing.
    """

    full: bool = False
    """10 seeds and 60 epochs in place of what the options say."""
    paddings: tuple[Padding, ...] = get_args(Padding)
    """What surrounds the digits: none leaves them as they are, black is 0, noise is uniform,
    independent of the digit, and has the mean of the digits' pixels."""
    side: int = 24
    """Height and width of an image with surroundings; the digit takes 8x8 pixels of it."""
    log10_compressions: tuple[float, ...] = (0.0, 1.0, 2.0, 2.5)
    """log10 of each compression (weights before / weights after)."""
    rounds: int = 100
    """Rounds of SynFlow, on an exponential schedule."""
    seeds: int = 3
    """Runs of each, each with its own initialization, noise and order of the data."""
    epochs: int = DENSE.epochs
    """Passes over the training images."""
    batch_size: int = DENSE.batch_size
    """Images in a training step."""
    learning_rate: float = DENSE.learning_rate
    """Learning rate of the first half; a tenth of it in the second."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "paddings")
        check_powers(self)
        check_counts(self, "rounds", "seeds", "epochs")
        check_range(self, "side", 9, 64)
        check_range(self, "batch_size", 1, 1024)
        check_range(self, "learning_rate", 1e-9)


def seeds_of(options: Options) -> int:
    """Runs of each."""
    return 10 if options.full else options.seeds


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    recipe = overridden(DENSE, options)
    epochs = 60 if options.full else recipe.epochs
    return replace(recipe, epochs=epochs, drops=(max(1, epochs // 2),))
