"""Whether both sides prune the same weights, in float64, where rounding decides nothing."""

from typing import Any

import jax
import jax.numpy as jnp

import synflow_jax as sf
from benchmarks.harness.figures import figure
from benchmarks.harness.pruning import COMPRESSION
from benchmarks.harness.table import Reach, Row
from benchmarks.measurements.data_scores import Method
from benchmarks.networks.zoo import Made, Network, images, make, with_mask
from benchmarks.pytorch import pruning as torch_pruning
from benchmarks.pytorch.networks import masked_layers, torch_network


def synflow_agrees(case: str, runs: int, *, network: Network, rounds: int) -> list[Row]:
    """The masks after several rounds; ``runs`` would all say the same."""
    del runs
    with jax.enable_x64(True):
        made = make(network, dtype=jnp.float64)
        ours = sf.synflow(made.apply_fn, made.inputs)
        theirs = torch_pruning.synflow(torch_pruning.image_tensor(made.inputs))
        differing = differing_weights(made, ours, theirs, rounds=rounds)
    return [_row(case, f"SynFlow, {network.name}, {rounds} rounds", differing, made.weights)]


def data_score_agrees(
    case: str, runs: int, *, method: Method, network: Network, count: int
) -> list[Row]:
    """The masks of one round on ``count`` images; ``runs`` would all say the same."""
    del runs
    with jax.enable_x64(True):
        made = make(network, dtype=jnp.float64)
        batch = images(network, count, jnp.float64)
        ours = method.ours(sf.cross_entropy(made.apply_fn, method.temperature))
        theirs = method.theirs(*torch_pruning.batch_tensors(batch))
        differing = differing_weights(made, ours, theirs, rounds=1, batch=batch)
    return [_row(case, f"{method.title}, {network.name}", differing, made.weights)]


def differing_weights(
    made: Made, ours: Any, theirs: torch_pruning.Scores, *, rounds: int, batch: Any = None
) -> int:
    """How many weights one side keeps and the other doesn't."""
    mask, _ = sf.prune(ours, made.params, COMPRESSION, rounds=rounds, batch=batch)
    network = torch_network(made.model)
    torch_pruning.prune(network, theirs, COMPRESSION, rounds)
    expected = masked_layers(torch_network(with_mask(made, mask)))
    pairs = zip(expected, masked_layers(network), strict=True)
    return sum(int((layer.weight != pruned.mask).sum()) for layer, pruned in pairs)


def _row(case: str, what: str, differing: int, weights: int) -> Row:
    figures = {"weights that differ": figure([differing], f"of {weights:,}")}
    return Row(case, f"Masks in float64: {what}", figures, "weights that differ", Reach(0))
