"""The options of the ablations."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from experiments.methods import Method
from experiments.multishot_options import SMALL_RECIPE
from experiments.options import check_distinct, check_powers, check_range
from experiments.presets import PRESETS
from experiments.runs import check_run_name
from experiments.training import Recipe

Ablation = Literal["none", "shuffle", "reinitialize", "invert"]


@dataclass(frozen=True)
class Options:
    """Ablations of pruning at initialization (Frankle et al. 2020, arXiv:2009.08576): is the mask
    more than how many weights it keeps in each layer?

    none leaves the mask, shuffle permutes it within each layer, reinitialize draws the weights
    anew under the same mask, invert prunes the highest scores. By default a small VGG on
    handwritten digits; nothing is downloaded.
    """

    methods: tuple[Method, ...] = get_args(Method)
    """Methods to compare."""
    ablations: tuple[Ablation, ...] = get_args(Ablation)
    """What is done to the mask, the weights or the scores."""
    log10_compressions: tuple[float, ...] | None = None
    """log10 of each compression (weights before / weights after); by default 1 and 2, with --full 0
    to 2 by 0.25."""
    seeds: int | None = None
    """Runs of each, with their own initialization and order of the data; by default 1, with --full
    3."""
    seed: int = 0
    """Start of all random numbers."""
    synflow_rounds: int = 100
    """Rounds of SynFlow, on an exponential schedule. The other methods take one."""
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
    results: Path = Path("results")
    """Folder for results: they go to ablations/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options. A run that was stopped goes on where it
    was."""

    def __post_init__(self) -> None:
        check_distinct(self, "methods")
        check_distinct(self, "ablations")
        if self.log10_compressions is not None:
            check_distinct(self, "log10_compressions")
            check_powers(self.log10_compressions)
        check_range(self, "seed", 0, 2**32 - 1)
        for name in ("seeds", "synflow_rounds", "epochs", "batch_size", "workers"):
            if getattr(self, name) is not None:
                check_range(self, name, 1)
        check_run_name(self)


def powers_of(options: Options) -> tuple[float, ...]:
    """log10 of the compressions, rising."""
    full, small = tuple(i / 4 for i in range(9)), (1.0, 2.0)
    return tuple(sorted(options.log10_compressions or (full if options.full else small)))


def recipe_of(options: Options) -> Recipe:
    """The recipe with what the options put in its place."""
    recipe = PRESETS["cifar-vgg"] if options.full else SMALL_RECIPE
    given = {name: getattr(options, name) for name in ("epochs", "batch_size")}
    return replace(recipe, **{name: x for name, x in given.items() if x is not None})
