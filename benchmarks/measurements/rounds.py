"""A round of SynFlow: against PyTorch eager, and against the time that its bytes take."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

import synflow_jax as sf
from benchmarks.harness.bandwidth import bandwidth
from benchmarks.harness.figures import figure, figures, ratio
from benchmarks.harness.pruning import synflow_call
from benchmarks.harness.table import Reach, Row
from benchmarks.harness.timing import alternate
from benchmarks.networks.zoo import Made, Network, make

ALL_ROUNDS = 100
COMPRESSION = 100.0
LARGEST_LOG2 = 120
"""Of R, that float32 holds with all that leads to it."""


class Pruning(NamedTuple):
    """Rounds of one timed call of each side, and what the figures should come to.

    Attributes:
        title: what a table calls it.
        network: what is pruned.
        rounds: of ours in a call.
        torch_rounds: of PyTorch's, which a call of fewer times as well.
        reach: how many times as fast ours should be; or, alone, milliseconds.
        floor_reach: how many times the memory floor ours may take.
    """

    title: str
    network: Network
    rounds: int
    torch_rounds: int = 0
    reach: Reach | None = None
    floor_reach: Reach | None = None


def against_torch(case: str, runs: int, *, pruning: Pruning) -> list[Row]:
    """Milliseconds a round of both sides, and ours over the memory floor."""
    made = make(pruning.network)
    scale = 2.0 ** -halvings(made)
    own, others = pruning.rounds, pruning.torch_rounds
    sides = {
        "synflow_jax": our_call(made, own),
        "PyTorch": torch_call(made, pruning, scale),
    }
    times = alternate(sides, runs, title=pruning.title)
    calls = {"synflow_jax": own, "PyTorch": others}
    ms = {side: [1e3 * each / calls[side] for each in times[side]] for side in sides}
    faster = {"times as fast": ratio(ms["PyTorch"], ms["synflow_jax"])}
    details = {"rounds": f"{own} and {others}", "weights": f"{made.weights:,}"}
    if scale != 1:
        details["PyTorch"] = f"input and output times {scale:.0e}, since float32 overflows"
    what = f"{pruning.title}, a round"
    row = Row(case, what, figures(ms, "ms") | faster, "times as fast", pruning.reach, details)
    return [row, over_floor(case, ms["synflow_jax"], made.weights, pruning)]


def our_call(made: Made, rounds: int) -> Callable[[], Any]:
    """All rounds."""
    return synflow_call(made, rounds, compression(rounds))


def torch_call(made: Made, pruning: Pruning, scale: float) -> Callable[[], None]:
    """All rounds of PyTorch, with input and output times ``scale``.

    Raises:
        OverflowError: its first scores aren't finite.
    """
    from benchmarks.pytorch import pruning as torch_pruning
    from benchmarks.pytorch.networks import torch_network

    torch_pruning.use_all_cores()
    network = torch_network(made.model)
    scores = torch_pruning.synflow(torch_pruning.image_tensor(made.inputs), scale)
    if not torch_pruning.all_finite(scores(network)):
        raise OverflowError(f"PyTorch's scores of {pruning.network.name} overflow float32")
    rounds = pruning.torch_rounds
    return lambda: torch_pruning.prune(network, scores, compression(rounds), rounds)


def compression(rounds: int) -> float:
    """After the first of 100 rounds to 100x: few rounds to 100x would leave some layer empty."""
    return COMPRESSION ** (rounds / ALL_ROUNDS)


def halvings(made: Made) -> int:
    """How often to halve input and output so that R, if float32 can't hold it, comes to about 1."""
    log2 = float(sf.flow(made.apply_fn, made.params, made.inputs).log2)
    return round(log2 / 2) if log2 > LARGEST_LOG2 else 0


def over_floor(case: str, ms: list[float], weights: int, pruning: Pruning) -> Row:
    """How many times as long as its bytes take to move once."""
    measured = bandwidth()
    floor = 1e3 * measured.floor(weights)
    over = {
        "round": figure(ms, "ms"),
        "floor": figure([floor], "ms"),
        "over the floor": figure([each / floor for each in ms], "x"),
    }
    what, memory = f"{pruning.title}, a round over the memory floor", {"memory": str(measured)}
    return Row(case, what, over, "over the floor", pruning.floor_reach, memory)


def alone(case: str, runs: int, *, pruning: Pruning) -> list[Row]:
    """All rounds on the device, and what fraction of its memory's speed that is."""
    made = make(pruning.network)
    sides = {"synflow_jax": our_call(made, pruning.rounds)}
    times = alternate(sides, runs, title=pruning.title)
    measured = bandwidth()
    floor = pruning.rounds * measured.floor(made.weights)
    whole = figures(times, "ms", factor=1e3)
    share = figure([floor / each for each in times["synflow_jax"]], "of 1")
    what, details = f"{pruning.title}, {pruning.rounds} rounds", {"weights": f"{made.weights:,}"}
    memory = {"memory": str(measured), "device": jax.devices()[0].device_kind}
    fraction = "fraction of memory bandwidth"
    return [
        Row(case, what, whole, "synflow_jax", pruning.reach, details),
        Row(case, what, {fraction: share}, fraction, None, memory),
    ]
