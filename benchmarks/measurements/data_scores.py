"""SNIP and GraSP on a batch of images, against PyTorch eager."""

from collections.abc import Callable
from typing import NamedTuple

import synflow_jax as sf
from benchmarks.harness.figures import figures, ratio
from benchmarks.harness.pruning import COMPRESSION
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate
from benchmarks.networks.zoo import Network, images, make
from benchmarks.pytorch import pruning as torch_pruning
from benchmarks.pytorch.networks import torch_network


class Method(NamedTuple):
    """A score that needs data, on both sides.

    Attributes:
        title: what a table calls it.
        ours: from a loss.
        theirs: from images and labels.
        temperature: by which the loss divides the logits.
    """

    title: str
    ours: Callable[..., sf.ScoreFn]
    theirs: Callable[..., torch_pruning.Scores]
    temperature: float


SNIP = Method("SNIP", sf.snip, torch_pruning.snip, 1.0)
GRASP = Method("GraSP", sf.grasp, torch_pruning.grasp, torch_pruning.TEMPERATURE)


def against_torch(
    case: str,
    runs: int,
    *,
    method: Method,
    network: Network,
    count: int,
    reach: Reach | None = None,
) -> list[Row]:
    """Seconds of one round on ``count`` images."""
    torch_pruning.use_all_cores()
    made, batch = make(network), images(network, count)
    ours = method.ours(sf.cross_entropy(made.apply_fn, method.temperature))
    theirs = method.theirs(*torch_pruning.batch_tensors(batch))
    pruned = torch_network(made.model)
    sides = {
        "synflow_jax": lambda: sf.prune(ours, made.params, COMPRESSION, rounds=1, batch=batch),
        "PyTorch": lambda: torch_pruning.prune(pruned, theirs, COMPRESSION, 1),
    }
    times = alternate(sides, runs, title=case)
    faster = {"times as fast": ratio(times["PyTorch"], times["synflow_jax"])}
    what = f"{method.title} on {count:,} images, {network.name}"
    return [Row(case, what, figures(times, "s") | faster, "times as fast", reach)]
