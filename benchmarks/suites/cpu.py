"""What is measured on a CPU, by the names that ``--only`` takes."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from benchmarks.harness.table import Part, Reach, at_least
from benchmarks.measurements import (
    data_scores,
    peak_memory,
    rounds,
    selection,
    sparse_training,
    sweeps,
)
from benchmarks.measurements.agreement import data_score_agrees, synflow_agrees
from benchmarks.measurements.cold import whole_processes
from benchmarks.measurements.compaction import against_masked
from benchmarks.measurements.data_scores import GRASP, SNIP
from benchmarks.measurements.first_call import first_calls
from benchmarks.measurements.linear_network import against_plain
from benchmarks.measurements.rounds import Pruning
from benchmarks.measurements.training import against_bare_optimizer
from benchmarks.networks.zoo import (
    RESNET18,
    RESNET20,
    RESNET50,
    RESNET110,
    SMALL,
    VGG16,
    VGG16_CIFAR10,
    VGG19,
)
from benchmarks.suites import prunings

BYTES, DATA, STEP = Reach(16), at_least(1.5), Reach(1.02)


def against_torch(pruning_of: Mapping[str, Pruning]) -> dict[str, tuple[Part, ...]]:
    return {name: (partial(rounds.against_torch, pruning=p),) for name, p in pruning_of.items()}


FULL: Mapping[str, tuple[Part, ...]] = {
    "masks": (
        partial(synflow_agrees, network=VGG16, rounds=10),
        partial(synflow_agrees, network=RESNET18, rounds=10),
        partial(synflow_agrees, network=RESNET20, rounds=10),
        partial(synflow_agrees, network=RESNET50, rounds=3),
        partial(data_score_agrees, method=SNIP, network=VGG16, count=20),
        partial(data_score_agrees, method=GRASP, network=VGG16, count=20),
    ),
    **against_torch(prunings.FULL),
    "kth": (
        partial(
            selection.against_partition, network=VGG16, reach=Reach(10), reach_ratio=Reach(0.6)
        ),
    ),
    "memory": (
        partial(peak_memory.beyond_inputs, network=VGG16, rounds=100, reach=BYTES),
        partial(peak_memory.beyond_inputs, network=VGG19, rounds=5, reach=BYTES),
    ),
    "first-call": (
        partial(first_calls, network=VGG16, rounds=100, reach=Reach(6)),
        partial(first_calls, network=RESNET110, rounds=100, reach=Reach(15)),
    ),
    "cold": tuple(
        partial(whole_processes, network=network, reach=at_least(1))
        for network in (RESNET20, VGG16, RESNET18, RESNET110, RESNET50)
    ),
    "linear": (
        partial(against_plain, network=VGG16),
        partial(against_plain, network=RESNET110),
    ),
    "sweep": (
        partial(
            sweeps.against_loop,
            network=RESNET20,
            compressions=np.logspace(0, 3, 25).tolist(),
            seeds=3,
            rounds=100,
            reach=at_least(3),
        ),
    ),
    "snip": (
        partial(data_scores.against_torch, method=SNIP, network=VGG16, count=1000, reach=DATA),
    ),
    "grasp": (
        partial(data_scores.against_torch, method=GRASP, network=VGG16, count=1000, reach=DATA),
    ),
    "compact": tuple(
        partial(
            against_masked,
            network=network,
            compressions=(10, 100, 1000),
            batch=128,
            steps=1,
        )
        for network in (VGG16_CIFAR10, RESNET20)
    ),
    "training": (
        partial(against_bare_optimizer, network=RESNET20, batch=128, steps=3, reach=STEP),
        partial(against_bare_optimizer, network=VGG16_CIFAR10, batch=128, steps=3, reach=STEP),
    ),
    "changing": tuple(
        partial(
            sparse_training.against_bare_optimizer,
            network=network,
            batch=128,
            steps=steps,
            reach=Reach(1.03),
        )
        for network, steps in ((RESNET20, 3), (VGG16_CIFAR10, 1))
    ),
}
"""Everything."""

QUICK: Mapping[str, tuple[Part, ...]] = {
    "masks": (
        partial(synflow_agrees, network=SMALL, rounds=3),
        partial(data_score_agrees, method=SNIP, network=SMALL, count=4),
        partial(data_score_agrees, method=GRASP, network=SMALL, count=4),
    ),
    **against_torch(prunings.QUICK),
    "kth": (partial(selection.against_partition, network=SMALL),),
    "memory": (partial(peak_memory.beyond_inputs, network=SMALL, rounds=3),),
    "first-call": (partial(first_calls, network=SMALL, rounds=3, processes=1),),
    "cold": (partial(whole_processes, network=SMALL, rounds=3),),
    "linear": (partial(against_plain, network=SMALL),),
    "sweep": (
        partial(sweeps.against_loop, network=SMALL, compressions=[1.0, 10.0], seeds=2, rounds=3),
    ),
    "snip": (partial(data_scores.against_torch, method=SNIP, network=SMALL, count=4),),
    "grasp": (partial(data_scores.against_torch, method=GRASP, network=SMALL, count=4),),
    "compact": (
        partial(against_masked, network=SMALL, compressions=(10,), batch=20, steps=2, rounds=3),
    ),
    "training": (partial(against_bare_optimizer, network=SMALL, batch=20, steps=2),),
    "changing": (
        partial(sparse_training.against_bare_optimizer, network=SMALL, batch=20, steps=2),
    ),
}
"""The same on small networks, to see that everything works; the times say little."""
