"""The options of the study of effective density."""

from dataclasses import dataclass

from experiments.method_table import MethodName
from experiments.runs.options import RunOptions, check_counts, check_distinct, check_powers
from experiments.untrained.subject import Subject, check_subject

SMALL = ("lottery/vgg11-bn", "lottery/resnet20")
FULL = ("lottery/vgg16-bn", "lottery/resnet56")


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune untrained networks for images of 32x32x3 by several methods, and draw what density of
    weights the masks keep, and what density lies on paths from input to output. Nothing is trained.
    """

    full: bool = False
    """VGG-16-BN and ResNet-56 in place of VGG-11-BN and ResNet-20."""
    models: tuple[str, ...] | None = None
    """Names of synflow_jax.models."""
    methods: tuple[MethodName, ...] = ("synflow", "snip", "magnitude", "random")
    """Methods to compare. Those that need data score with digits, enlarged and gray."""
    log10_compressions: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
    """log10 of each compression (weights before / weights after)."""
    rounds: int = 13
    """Rounds, of methods that take more than one, from each compression to the next."""
    seeds: int = 1
    """Runs of each, each with its own initialization."""
    scoring_images: int = 10
    """Images of each class that methods score with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "models", "methods")
        check_powers(self)
        check_counts(self, "rounds", "seeds", "scoring_images")
        for model in models_of(self):
            check_subject(subject(model))


def models_of(options: Options) -> tuple[str, ...]:
    """The networks' names."""
    return options.models or (FULL if options.full else SMALL)


def subject(model: str) -> Subject:
    """A network by its name, for small images of 10 classes."""
    return Subject(model, (32, 32, 3), 10)
