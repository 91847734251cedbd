"""A round of SynFlow: against PyTorch eager, and against the time that its bytes take."""

from typing import NamedTuple

import jax
import numpy as np

import synflow_jax as sf
from benchmarks.bandwidth import bandwidth
from benchmarks.measure import alternate, figure, ratio
from benchmarks.networks import Network, make
from benchmarks.table import Reach, Row

COMPRESSION = 100.0


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
    theirs = torch_pruning.synflow(torch_pruning.image_tensor(made.inputs))
    sides = {
        "ours": lambda: sf.prune(ours, made.params, COMPRESSION, rounds=pruning.rounds),
        "theirs": lambda: torch_pruning.prune(network, theirs, COMPRESSION, pruning.torch_rounds),
    }
    times = alternate(sides, runs, title=title)
    ms = [1e3 * each / pruning.rounds for each in times["ours"]]
    torch_ms = [1e3 * each / pruning.torch_rounds for each in times["theirs"]]
    figures = {
        "synflow_jax": figure(ms, "ms"),
        "PyTorch": figure(torch_ms, "ms"),
        "times as fast": ratio(torch_ms, ms),
    }
    details = {"weights": f"{made.weights:,}"}
    if not torch_pruning.all_finite(theirs(network)):
        details["PyTorch's scores"] = "overflow in float32"
    what = f"{title}, a round of {pruning.rounds}"
    row = Row(case, what, figures, "times as fast", pruning.reach, details)
    return [row, over_floor(case, ms, made.weights, title=title, reach=pruning.floor_reach)]


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
    call = {"ours": lambda: sf.prune(score_fn, made.params, COMPRESSION, rounds=pruning.rounds)}
    times = np.asarray(alternate(call, runs, title=title)["ours"])
    measured = bandwidth()
    fraction = pruning.rounds * measured.floor(made.weights) / times
    whole = {"synflow_jax": figure((1e3 * times).tolist(), "ms")}
    share = {"fraction of memory bandwidth": figure(fraction.tolist(), "of 1")}
    what, details = f"{title}, {pruning.rounds} rounds", {"weights": f"{made.weights:,}"}
    memory = {"memory": str(measured), "device": jax.devices()[0].device_kind}
    return [
        Row(case, what, whole, "synflow_jax", pruning.reach, details),
        Row(case, what, share, "fraction of memory bandwidth", None, memory),
    ]
