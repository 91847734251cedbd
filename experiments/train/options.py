"""The options of training one network, or several at once."""

from dataclasses import dataclass
from pathlib import Path

from experiments.data import DataName
from experiments.method_table import MethodName
from experiments.runs.options import RunOptions, check_counts, check_powers, check_range
from experiments.training.placement import ShardingOption
from experiments.training.processes import check_processes
from experiments.training.recipes import PRESETS, Recipe, overridden, preset_for
from experiments.training.tensorboard import check_tensorboard


@dataclass(frozen=True)
class Options(RunOptions):
    """Prune a network at initialization and train what is left.

    Started again with the same options, a run that was stopped goes on from its last checkpoint.
    """

    model: str = "small-vgg"
    """A name of synflow_jax.models, such as lottery/vgg16-bn; or small-vgg, for the digits."""
    data: DataName = "digits"
    """Data set; all but the digits must have been prepared."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    workers: int = 0
    """Processes that read and crop the images of a streamed data set; with 0, threads do."""
    method: MethodName = "synflow"
    """How to score weights."""
    log10_compression: tuple[float, ...] = (1.0,)
    """log10 of the compression (weights before / weights after); several are trained at once."""
    rounds: int | None = None
    """Rounds of pruning, by default 100 for SynFlow and others of several, and 1 for the rest."""
    scoring_images: int = 10
    """Training images of each class that methods score with."""
    compact: bool = False
    """Train what is left as a smaller dense network: one at a time."""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_powers(self, "log10_compression")
        check_counts(self, "scoring_images", "seeds", "checkpoint_every")
        check_counts(self, "rounds", "epochs", "batch_size")
        for name in ("workers", "learning_rate", "weight_decay"):
            check_range(self, name, 0)
        check_processes(self.coordinator, self.processes, self.process)
        if self.sharding == "none" and self.coordinator is not None:
            raise ValueError("--sharding none is for one process; take data or fsdp")
        alone = "--sharding fsdp" if self.sharding == "fsdp" else "--compact"
        if (self.sharding == "fsdp" or self.compact) and networks_of(self) > 1:
            raise ValueError(f"{alone} takes one --log10-compression and one of --seeds at a time")
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
    return overridden(PRESETS[preset], options)


def networks_of(options: Options) -> int:
    """How many networks are trained at once."""
    return options.seeds * len(options.log10_compression)
