"""The options of the comparison of methods."""

from dataclasses import dataclass

from experiments.methods.ways import WAYS, WayName
from experiments.runs.options import RunOptions, check_counts, check_distinct, check_powers
from experiments.training.recipes import SINGLESHOT, Recipe, overridden


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune a small VGG for handwritten digits by every method, train what is left, once under the
    mask and once under the mask shuffled within layers, and draw test accuracy against compression.
    Nothing is downloaded.
    """

    methods: tuple[WayName, ...] = WAYS
    """Methods to compare."""
    log10_compressions: tuple[float, ...] = (1.0, 1.5, 2.0, 2.5)
    """log10 of each compression (weights before / weights after)."""
    seeds: int = 1
    """Runs of each, with their own initialization, scoring batch, random scores and order of the
    data."""
    rounds: int = 100
    """Rounds, on an exponential schedule, of methods that take more than one."""
    scoring_images: int = 10
    """Training images of each class that methods score with."""
    epochs: int | None = None
    """Passes over the training images, by default 8."""
    workers: int = 2
    """Networks pruned and trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "methods")
        check_powers(self)
        check_counts(self, "seeds", "rounds", "scoring_images", "epochs", "workers")


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    return overridden(SINGLESHOT, options)
