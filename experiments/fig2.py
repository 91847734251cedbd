"""What each layer keeps: the fraction of its weights that is left, against compression.

Figure 2 of Tanaka et al. 2020; run it as python -m experiments.fig2.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

import synflow_jax as sf
from experiments.cells import run_cells
from experiments.fig2_drawing import layers_figure, table
from experiments.fig2_paper import PAPER_FILE, agreement, paper_rows
from experiments.figures import save_figure
from experiments.layers import LayerKept
from experiments.methods import Method, score_fns
from experiments.options import check_distinct, check_range, parse, refuse
from experiments.rounds import prune_by_rounds
from experiments.runs import check_run_name, open_run
from experiments.untrained import (
    SMALL,
    VGG16_CIFAR100,
    VGG19_IMAGENET,
    DataName,
    Subject,
    check_paper_data,
    default_methods,
    scoring_batches,
    subject_of,
    untrained,
)


class Standard(NamedTuple):
    """What is pruned how far unless the options say otherwise."""

    subject: Subject
    compressions: tuple[float, ...]


STANDARD_SMALL = Standard(SMALL, tuple(2.0**power for power in range(15)))
STANDARD_FULL = Standard(VGG19_IMAGENET, tuple(2.0**power for power in range(25)))
# The compressions of the published table.
STANDARD_VGG16 = Standard(VGG16_CIFAR100, tuple(10 ** (power / 4) for power in range(25)))


@dataclass(frozen=True)
class Options:
    """Prune an untrained network by several methods and draw what each of its layers keeps against
    compression. Nothing is trained.
    """

    full: bool = False
    """The paper's size: VGG-19 for images of 224x224x3 and 1,000 classes, compressions up to
    2^24. Hours on a CPU."""
    vgg16_cifar100: bool = False
    """VGG-16 with BatchNorm for CIFAR-100, compressions up to 10^6, as in the published table."""
    model: str | None = None
    """A name of synflow_jax.models, or small-vgg, the default."""
    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels of an image."""
    classes: int | None = None
    """Logits of the network."""
    methods: tuple[Method, ...] | None = None
    """Methods to compare, by default all for which there are data."""
    compressions: tuple[float, ...] | None = None
    """Compressions: weights before / weights after."""
    rounds: int = 100
    """Rounds of SynFlow, on an exponential schedule. The other methods take one."""
    seeds: int = 1
    """Runs of each method and compression, each with its own initialization."""
    seed: int = 0
    """Start of all random numbers."""
    data: DataName | None = None
    """What SNIP and GraSP score with, by default the digits where they fit the network."""
    data_dir: Path | None = None
    """Where data sets were prepared."""
    scoring_images: int = 10
    """Training images of each class that SNIP and GraSP score with."""
    paper_data: Path | None = None
    """Folder with the published table, to be drawn and compared with."""
    results: Path = Path("results")
    """Folder for results: they go to fig2/RUN in it."""
    run: str | None = None
    """Name of this run, by default made from the options."""

    def __post_init__(self) -> None:
        if self.full and self.vgg16_cifar100:
            raise ValueError("--full and --vgg16-cifar100 are two sizes; give one of them")
        if self.paper_data is not None and not self.vgg16_cifar100:
            raise ValueError("--paper-data is for --vgg16-cifar100, whose table was published")
        check_paper_data(self, PAPER_FILE)
        for name in ("methods", "compressions"):
            if getattr(self, name) is not None:
                check_distinct(self, name)
        if self.compressions is not None and not all(1 <= x <= 1e9 for x in self.compressions):
            listed = " ".join(map(str, self.compressions))
            raise ValueError(f"--compressions must be from 1 to 1e9, got {listed}")
        for name in ("rounds", "seeds", "scoring_images"):
            check_range(self, name, 1)
        check_range(self, "seed", 0, 2**32 - 1)
        check_run_name(self)
        subject_of(self, standard_of(self).subject)


def main(args: Sequence[str] | None = None) -> None:
    """Runs the experiment that the command line asks for."""
    started = time.perf_counter()
    options = parse(Options, "python -m experiments.fig2", args)
    subject = subject_of(options, standard_of(options).subject)
    methods = default_methods(options, subject)
    try:
        batch_of = scoring_batches(options, subject, methods)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))
    folder = open_run("fig2", options, free=("data_dir", "paper_data"))
    rows = experiment(options, subject, methods, batch_of, folder)
    theirs = paper_rows(options.paper_data) if options.paper_data else []
    save_figure(layers_figure(rows, theirs, subject.model), folder / "fig2")
    print(f"\n{table(rows)}")
    if theirs:
        print(f"\n{agreement(rows, theirs)}")
    print(f"\n{folder} has rows.csv, config.json, fig2.png and .svg", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)")


def standard_of(options: Options) -> Standard:
    """The size that the options name."""
    if options.vgg16_cifar100:
        return STANDARD_VGG16
    return STANDARD_FULL if options.full else STANDARD_SMALL


def experiment(
    options: Options,
    subject: Subject,
    methods: Sequence[Method],
    batch_of: Callable[[jax.Array], Any],
    folder: Path,
) -> list[LayerKept]:
    """Every method, compression and seed."""
    network = untrained(subject)
    functions = score_fns(network.apply_fn, network.inputs.shape[1:])

    def rows(method: Method, compression: float, seed: int) -> list[LayerKept]:
        key = jax.random.fold_in(jax.random.key(options.seed), seed)
        network_key, batch_key, pruning_key = jax.random.split(key, 3)
        params = network.params_of(network_key)
        *_, last = prune_by_rounds(
            functions[method],
            params,
            compression,
            rounds=options.rounds if method == "synflow" else 1,
            batch=batch_of(batch_key),
            key=pruning_key,
        )
        layers = sf.layer_table(last.mask, params).rows
        return [LayerKept(method, seed, compression, r.name, r.size, r.kept) for r in layers]

    compressions = options.compressions or standard_of(options).compressions
    cells = {
        f"{method}-{compression:.6g}-{seed}": partial(rows, method, compression, seed)
        for method in methods
        for compression in sorted(compressions)
        for seed in range(options.seeds)
    }
    return run_cells(folder, cells, LayerKept)


if __name__ == "__main__":
    main()
