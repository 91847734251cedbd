"""The options of the comparison of pruned units."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from experiments.runs.options import RunOptions, check_counts, check_distinct, check_powers
from experiments.training import PRESETS, Recipe, overridden
from experiments.training.recipes import SINGLESHOT
from experiments.units.ways import ALL_WAYS, WayName


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune whole units of a network at initialization, train what is left, and draw test accuracy
    against multiplications, beside what SynFlow leaves of units when it prunes weights; time a
    training step of what is left. By default a small VGG on handwritten digits; nothing is
    downloaded.
    """

    ways: tuple[WayName, ...] = ALL_WAYS
    """Ways to prune: units by the scores of four methods; random ones, the same share of each
    layer (uniform); or weights by SynFlow."""
    fractions: tuple[float, ...] = tuple(2.0**-i for i in range(1, 6))
    """Fractions of the multiplications that should be left, where units are pruned."""
    log10_compressions: tuple[float, ...] = (0.75, 1.25, 1.75, 2.25)
    """log10 of each compression (weights before / weights after), where weights are pruned."""
    seeds: int = 2
    """Runs of each; each has its own initialization, scoring batch, random scores and order of the
    data."""
    rounds: int = 100
    """Rounds of SynFlow; the other methods take one."""
    timed: tuple[WayName, ...] = ("synflow", "weights")
    """Ways whose networks' training steps are timed: at every other fraction, of the first seed."""
    steps: int = 100
    """Steps that are timed; their median counts."""
    compare: bool = False
    """Print instead how many multiplications and weights are left of ResNet-56 and VGG-19-BN at
    the speed-ups that Torch-Pruning publishes, beside its numbers; needs no data."""
    full: bool = False
    """VGG-16-BN on CIFAR-100 and ResNet-56 on CIFAR-10, which must have been prepared, by the
    recipes that were published for VGG-16 and ResNet-18 there."""
    epochs: int | None = None
    """Passes over the training images; by default 8, with --full 160."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    workers: int = 2
    """Small networks trained, and programs compiled, at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "ways", "fractions")
        if not all(0 < fraction <= 1 for fraction in self.fractions):
            listed = " ".join(map(str, self.fractions))
            raise ValueError(f"--fractions must be above 0 and at most 1, got {listed}")
        check_powers(self)
        check_counts(self, "seeds", "rounds", "steps", "epochs", "workers")


class Subject(NamedTuple):
    """A network, what it's trained on and how."""

    network: str
    data: str
    recipe: Recipe


def subjects_of(options: Options) -> list[Subject]:
    """The networks that the options ask for."""
    subjects = [Subject("small-vgg", "digits", SINGLESHOT)]
    if options.full:
        subjects = [
            Subject("lottery/vgg16-bn", "cifar100", PRESETS["cifar-vgg"]),
            Subject("lottery/resnet56", "cifar10", PRESETS["cifar-resnet"]),
        ]
    return [each._replace(recipe=overridden(each.recipe, options)) for each in subjects]


def asked_of(options: Options, *, weights: bool) -> list[float]:
    """The fractions that should be left, falling: of multiplications, or of weights."""
    powers = options.log10_compressions
    fractions = [10.0**-power for power in powers] if weights else options.fractions
    return sorted(fractions, reverse=True)
