"""The options of iterative magnitude pruning."""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.runs.options import RunOptions, check_counts, check_distinct, check_powers
from experiments.training.recipes import PRESETS, SHORT, Recipe, overridden


@dataclass(frozen=True)
class Options(RunOptions):
    """Iterative magnitude pruning with rewinding: train, prune, rewind, and again, in 1 to 5
    cycles; test accuracy against compression (figure 5a of Tanaka et al. 2020).

    By default a small VGG on handwritten digits; nothing is downloaded.
    """

    cycles: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Numbers of prune-train cycles to compare."""
    log10_compressions: tuple[float, ...] | None = None
    """log10 of each compression (weights before / weights after); by default 1, 1.5, 2,
    2.25 and 2.5, with --full 0 to 4.9 by 0.1."""
    seeds: int = 1
    """Runs of each, with their own initialization and order of the data."""
    full: bool = False
    """The paper's size: VGG-11-BN on CIFAR-10, which must have been prepared."""
    epochs: int | None = None
    """Epochs of each training; by default 8, with --full 50 as in the authors' runs."""
    batch_size: int | None = None
    """Images in a training step; by default 64, with --full 128."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    paper_data: Path | None = None
    """Folder with fig5a_imp_vgg11bn_cifar10.csv, to draw and compare the authors' accuracies."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "cycles")
        if not all(1 <= cycles <= 10 for cycles in self.cycles):
            raise ValueError(
                f"--cycles must be from 1 to 10, got {' '.join(map(str, self.cycles))}"
            )
        check_powers(self)
        check_counts(self, "seeds", "epochs", "batch_size", "workers")


def powers_of(options: Options) -> tuple[float, ...]:
    """log10 of the compressions, rising."""
    full, small = tuple(i / 10 for i in range(50)), (1.0, 1.5, 2.0, 2.25, 2.5)
    return tuple(sorted(options.log10_compressions or (full if options.full else small)))


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    full = replace(PRESETS["cifar-vgg"], epochs=50)
    return overridden(full if options.full else SHORT, options)
