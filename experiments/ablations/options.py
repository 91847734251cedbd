"""The options of the ablations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from experiments.method_table import PAPER_METHODS, MethodName
from experiments.runs.options import RunOptions, check_counts, check_distinct, check_powers
from experiments.training.recipes import PRESETS, SHORT, Recipe, overridden

Ablation = Literal["none", "shuffle", "reinitialize", "invert"]


@dataclass(frozen=True)
class Options(RunOptions):
    """Ablations of pruning at initialization (Frankle et al. 2020, arXiv:2009.08576): is the mask
    more than how many weights it keeps in each layer?

    none leaves the mask, shuffle permutes it within each layer, reinitialize draws the weights
    anew under the same mask, invert prunes the highest scores. By default a small VGG on
    handwritten digits; nothing is downloaded.
    """

    methods: tuple[MethodName, ...] = PAPER_METHODS
    """Methods to compare."""
    ablations: tuple[Ablation, ...] = get_args(Ablation)
    """What is done to the mask, the weights or the scores."""
    log10_compressions: tuple[float, ...] | None = None
    """log10 of each compression (weights before / weights after); by default 1 and 2, with --full 0
    to 2 by 0.25."""
    seeds: int | None = None
    """Runs of each, with their own initialization and order of the data; by default 1, with --full
    3."""
    synflow_rounds: int = 100
    """Rounds, on an exponential schedule, of SynFlow and other methods that take more than one."""
    full: bool = False
    """VGG-16-BN on CIFAR-10, which must have been prepared, for 160 epochs."""
    epochs: int | None = None
    """Epochs of each training; by default 8, with --full 160."""
    batch_size: int | None = None
    """Images in a training step; by default 64, with --full 128."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "methods", "ablations")
        check_powers(self)
        check_counts(self, "seeds", "synflow_rounds", "epochs", "batch_size", "workers")


def seeds_of(options: Options) -> int:
    """Runs of each."""
    return options.seeds or (3 if options.full else 1)


def powers_of(options: Options) -> tuple[float, ...]:
    """log10 of the compressions, rising."""
    full, small = tuple(i / 4 for i in range(9)), (1.0, 2.0)
    return tuple(sorted(options.log10_compressions or (full if options.full else small)))


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    return overridden(PRESETS["cifar-vgg"] if options.full else SHORT, options)
