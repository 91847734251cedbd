"""The options of the study of similarity."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from experiments.method_table import MethodName
from experiments.networks.small import WIDTHS
from experiments.networks.small_transformers import VIT
from experiments.runs.options import RunOptions, check_counts, check_distinct, check_powers
from experiments.training import Recipe, overridden
from experiments.training.recipes import SINGLESHOT, TOKENS

Network = Literal["small-vgg", "small-vit"]


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune a small VGG and a small vision transformer at initialization, train what is left on
    handwritten digits, and draw how alike each layer's representation of the test images is to that
    of the network that wasn't pruned: by linear CKA and by SVCCA. Nothing is downloaded.
    """

    networks: tuple[Network, ...] = ("small-vgg", "small-vit")
    """Networks."""
    methods: tuple[MethodName, ...] = ("synflow", "magnitude", "random")
    """Ways to prune."""
    log10_compressions: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """log10 of each compression (weights before / weights after)."""
    seeds: int = 2
    """Runs of each; each has its own initialization, random scores and order of the data."""
    rounds: int = 100
    """Rounds of the methods that take several."""
    epochs: int | None = None
    """Passes over the training images, by default 8."""
    workers: int = 2
    """Networks trained at a time; the results don't depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_distinct(self, "networks", "methods")
        check_powers(self)
        check_counts(self, "seeds", "rounds", "epochs", "workers")


class Subject(NamedTuple):
    """How a network is trained and scored.

    Attributes:
        recipe: how it's trained.
        through: as of `synflow_jax.synflow`.
        layers: paths of the modules whose outputs are compared, from input to output.
    """

    recipe: Recipe
    through: Literal["attention"] | None
    layers: tuple[str, ...]


BLOCKS = [f"blocks/{i}{part}" for i in range(VIT.layers) for part in ("/attention", "/mlp", "")]
NORMS = [f"norms/{i}" for i in range(sum(map(len, WIDTHS)))]
SUBJECTS = {
    "small-vgg": Subject(SINGLESHOT, None, (*NORMS, "dense")),
    "small-vit": Subject(TOKENS, "attention", ("patches", *BLOCKS, "output")),
}


def subject_of(options: Options, network: str) -> Subject:
    """The network's row with what the options put in its recipe's place."""
    own = SUBJECTS[network]
    return own._replace(recipe=overridden(own.recipe, options))
