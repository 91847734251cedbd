"""The options of experiments that score an untrained network once."""

from dataclasses import dataclass
from pathlib import Path

from experiments.methods import Method
from experiments.options import check_distinct, check_range
from experiments.runs import check_run_name
from experiments.untrained import (
    SMALL,
    VGG19_IMAGENET,
    DataName,
    Subject,
    check_paper_data,
    subject_of,
)

PAPER_FILE = "fig4_vgg19_imagenet_layer_conservation.csv"


@dataclass(frozen=True)
class Options:
    """Score an untrained network by several methods and draw what the scores add up to. Nothing is
    pruned or trained.
    """

    full: bool = False
    """The paper's network: VGG-19 for images of 224x224x3 and 1,000 classes."""
    model: str | None = None
    """A name of synflow_jax.models, or small-vgg, the default."""
    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels of an image."""
    classes: int | None = None
    """Logits of the network."""
    methods: tuple[Method, ...] | None = None
    """Methods to compare, by default all for which there are data."""
    seed: int = 0
    """Start of all random numbers."""
    data: DataName | None = None
    """What SNIP and GraSP score with, by default the digits where they fit the network."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    scoring_images: int = 10
    """Training images of each class that SNIP and GraSP score with."""
    paper_data: Path | None = None
    """Folder with the published averages by layer, for fig4."""
    results: Path = Path("results")
    """Folder for results: they go to a folder of the figure's name in it."""
    run: str | None = None
    """Name of this run, by default made from the options."""

    def __post_init__(self) -> None:
        check_paper_data(self, PAPER_FILE)
        if self.methods is not None:
            check_distinct(self, "methods")
        check_range(self, "scoring_images", 1)
        check_range(self, "seed", 0, 2**32 - 1)
        check_run_name(self)
        standard_subject(self)


def standard_subject(options: Options) -> Subject:
    """The network that the options name."""
    return subject_of(options, VGG19_IMAGENET if options.full else SMALL)
