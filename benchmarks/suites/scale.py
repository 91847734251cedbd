"""How pruning grows, by the names that ``--only`` takes. Needs no PyTorch."""

from collections.abc import Mapping
from functools import partial

from benchmarks.harness.table import Part, Reach
from benchmarks.measurements.devices import by_devices
from benchmarks.measurements.process_memory import of_process
from benchmarks.measurements.sizes import by_weights
from benchmarks.networks.zoo import SMALL, VGG19

FULL: Mapping[str, tuple[Part, ...]] = {
    # 1, 4, 16, 64 and 144 million weights.
    "weights": (
        partial(by_weights, widths=(512, 1024, 2048, 4096, 6000), rounds=20, reach=Reach(1.2)),
    ),
    "devices": (partial(by_devices, width=1024, rounds=3),),
    "process": (partial(of_process, network=VGG19, rounds=2, reach=Reach(3)),),
}
"""Everything."""

QUICK: Mapping[str, tuple[Part, ...]] = {
    "weights": (partial(by_weights, widths=(16, 32), rounds=2),),
    "devices": (partial(by_devices, width=64, rounds=2, counts=(1, 2)),),
    "process": (partial(of_process, network=SMALL, rounds=2),),
}
"""The same on small networks."""
