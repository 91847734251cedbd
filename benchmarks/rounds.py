"""A round of SynFlow: against PyTorch eager, and against the time that its bytes take."""

from typing import NamedTuple

import jax
import numpy as np

import synflow_jax as sf
from benchmarks.bandwidth import bandwidth
from benchmarks.measure import alternate, figure, ratio
from benchmarks.networks import Made, Network, make
from benchmarks.table import Reach, Row

ALL_ROUNDS = 100
COMPRESSION = 100.0
LARGEST_LOG2 = 120
"""Of R, that float32 holds with all that leads to it."""


class Pruning(NamedTuple):
    """Rounds of one timed call of each side, and what the figures should come to.

    Attributes:
        network: what is pruned.
        rounds: of ours in a call.
        torch_rounds: of PyTorch's, which a call of fewer times as well.
        reach: how many times as fast ours should be; or, alone, milliseconds.
        floor_reach: how many times the memory floor ours may take.
    """

    network: Network
    rounds: int
    torch_rounds: int = 0
    reach: Reach | None = None
    floor_reach: Reach | None = None


def against_torch(case: str, runs: int, *, title: str, pruning: Pruning) -> list[Row]:
    """Milliseconds a round of both sides, and ours over the memory floor."""
    from benchmarks import torch_pruning
    from benchmarks.torch_networks import torch_network

    torch_pruning.use_all_cores()
    made = make(pruning.network)
    ours = sf.synflow(made.apply_fn, made.inputs)
    network = torch_network(made.model)
    scale = 2.0 ** -halvings(made)
    theirs = torch_pruning.synflow(torch_pruning.image_tensor(made.inputs), scale)
    if not torch_pruning.all_finite(theirs(network)):
        raise OverflowError(f"PyTorch's scores of {pruning.network.name} overflow float32")
    own, others = pruning.rounds, pruning.torch_rounds
    sides = {
        "ours": lambda: sf.prune(ours, made.params, compression(own), rounds=own),
        "theirs": lambda: torch_pruning.prune(network, theirs, compression(others), others),
    }
    times = alternate(sides, runs, title=title)
    ms = [1e3 * each / own for each in times["ours"]]
    torch_ms = [1e3 * each / others for each in times["theirs"]]
    figures = {
        "synflow_jax": figure(ms, "ms"),
        "PyTorch": figure(torch_ms, "ms"),
        "times as fast": ratio(torch_ms, ms),
    }
    details = {"rounds": f"{own} and {others}", "weights": f"{made.weights:,}"}
    if scale != 1:
        details["PyTorch"] = f"input and output times {scale:.0e}, since float32 overflows"
    what = f"{title}, a round"
    row = Row(case, what, figures, "times as fast", pruning.reach, details)
    return [row, over_floor(case, ms, made.weights, title=title, reach=pruning.floor_reach)]


def compression(rounds: int) -> float:
    """After the first of 100 rounds to 100x: few rounds to 100x would leave some layer empty."""
    return COMPRESSION ** (rounds / ALL_ROUNDS)


def halvings(made: Made) -> int:
    """How often to halve input and output so that R, if float32 can't hold it, comes to about 1."""
    log2 = float(sf.flow(made.apply_fn, made.params, made.inputs).log2)
    return round(log2 / 2) if log2 > LARGEST_LOG2 else 0


def over_floor(case: str, ms: list[float], weights: int, *, title: str, reach: Reach | None) -> Row:
    """How many times as long as its bytes take to move once."""
    measured = bandwidth()
    floor = 1e3 * measured.floor(weights)
    figures = {
        "round": figure(ms, "ms"),
        "floor": figure([floor], "ms"),
        "over the floor": figure([each / floor for each in ms], "x"),
    }
    what = f"{title}, a round over the memory floor"
    return Row(case, what, figures, "over the floor", reach, {"memory": str(measured)})


def alone(case: str, runs: int, *, title: str, pruning: Pruning) -> list[Row]:
    """All rounds on the device, and what fraction of its memory's speed that is."""
    made = make(pruning.network)
    score_fn = sf.synflow(made.apply_fn, made.inputs)
    own = pruning.rounds
    call = {"ours": lambda: sf.prune(score_fn, made.params, compression(own), rounds=own)}
    times = np.asarray(alternate(call, runs, title=title)["ours"])
    measured = bandwidth()
    fraction = own * measured.floor(made.weights) / times
    whole = {"synflow_jax": figure((1e3 * times).tolist(), "ms")}
    share = {"fraction of memory bandwidth": figure(fraction.tolist(), "of 1")}
    what, details = f"{title}, {own} rounds", {"weights": f"{made.weights:,}"}
    memory = {"memory": str(measured), "device": jax.devices()[0].device_kind}
    return [
        Row(case, what, whole, "synflow_jax", pruning.reach, details),
        Row(case, what, share, "fraction of memory bandwidth", None, memory),
    ]
