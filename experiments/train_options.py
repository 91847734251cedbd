"""The options of training one network, or several at once."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from experiments.mesh import ShardingOption
from experiments.methods import Method
from experiments.options import check_distinct, check_range
from experiments.presets import PRESETS, preset_for
from experiments.processes import check_processes
from experiments.runs import check_run_name
from experiments.tensorboard import check_tensorboard
from experiments.training import Recipe


@dataclass(frozen=True)
class Options:
    """Prune a network at initialization and train what is left.

    Started again with the same options, a run that was stopped goes on from its last checkpoint.
    """

    model: str = "small-vgg"
    """A name of synflow_jax.models, such as lottery/vgg16-bn; or small-vgg, for the digits."""
    data: Literal["digits", "mnist", "cifar10", "cifar100", "tiny_imagenet", "imagenet2012"] = (
        "digits"
    )
    """Data set; all but the digits must have been prepared."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    workers: int = 0
    """Processes that read and crop the images of a streamed data set; with 0, threads do."""
    method: Method = "synflow"
    """How to score weights."""
    log10_compression: tuple[float, ...] = (1.0,)
    """log10 of the compression (weights before / weights after); several are trained at once."""
    rounds: int | None = None
    """Rounds of pruning, by default 100 for SynFlow and 1 for the others."""
    scoring_images: int = 10
    """Training images of each class that SNIP and GraSP score with."""
    seed: int = 0
    """Start of all random numbers."""
    seeds: int = 1
    """Networks for each compression, each with its own random numbers; all are trained at once."""
    preset: str | None = None
    """Training recipe, by default what was published for the model and the data set."""
    epochs: int | None = None
    """In place of the recipe's passes over the training images."""
    batch_size: int | None = None
    """In place of the recipe's images in a step."""
    learning_rate: float | None = None
    """In place of the recipe's first learning rate."""
    weight_decay: float | None = None
    """In place of the recipe's weight decay."""
    bfloat16: bool = False
    """Compute in bfloat16; parameters stay float32."""
    sharding: ShardingOption = "none"
    """Devices: none takes one; data divides each batch among all, fsdp the params and masks too."""
    coordinator: str | None = None
    """HOST:PORT of process 0, where several train together; or auto, on Slurm and on TPUs."""
    processes: int | None = None
    """How many processes train together."""
    process: int | None = None
    """Number of this process, from 0."""
    checkpoint_every: int = 1
    """Epochs from one checkpoint to the next."""
    tensorboard: bool = False
    """Write TensorBoard files too."""
    results: Path = Path("results")
    """Folder for results: they go to train/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options."""

    def __post_init__(self) -> None:
        check_distinct(self, "log10_compression")
        if not all(0 <= power <= 9 for power in self.log10_compression):
            listed = " ".join(map(str, self.log10_compression))
            raise ValueError(f"--log10-compression must be from 0 to 9, got {listed}")
        check_range(self, "seed", 0, 2**32 - 1)
        check_range(self, "workers", 0)
        for name in ("scoring_images", "seeds", "checkpoint_every"):
            check_range(self, name, 1)
        for name in ("rounds", "epochs", "batch_size", "learning_rate", "weight_decay"):
            if getattr(self, name) is not None:
                check_range(self, name, 0 if name in ("learning_rate", "weight_decay") else 1)
        check_processes(self.coordinator, self.processes, self.process)
        if self.sharding == "none" and self.coordinator is not None:
            raise ValueError("--sharding none is for one process; take data or fsdp")
        if self.sharding == "fsdp" and self.seeds * len(self.log10_compression) > 1:
            raise ValueError(
                "--sharding fsdp takes one --log10-compression and one of --seeds at a time"
            )
        check_run_name(self)
        if self.tensorboard:
            try:
                check_tensorboard()
            except ModuleNotFoundError as error:
                raise ValueError(f"--tensorboard: {error}") from error
        recipe_of(self)


def recipe_of(options: Options) -> Recipe:
    """The preset with what the options put in its place; ValueError if there is none."""
    preset = options.preset or preset_for(options.model, options.data)
    if preset not in PRESETS:
        what = f"--preset {preset}" if preset else f"{options.model} on {options.data}"
        raise ValueError(f"no recipe for {what}; --preset takes {', '.join(PRESETS)}")
    names = ("epochs", "batch_size", "learning_rate", "weight_decay")
    given = {name: getattr(options, name) for name in names}
    return replace(PRESETS[preset], **{n: x for n, x in given.items() if x is not None})
