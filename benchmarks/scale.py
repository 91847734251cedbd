"""Measures how pruning grows: with weights, over devices, and in a process's memory.

Prints a Markdown table. Run it on an idle machine with a CPU; it needs no PyTorch.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.devices import by_devices
from benchmarks.networks import Network
from benchmarks.process_memory import of_process
from benchmarks.run import FEWEST_RUNS, measure, use_device
from benchmarks.sizes import by_weights
from benchmarks.table import Part, Reach

VGG19 = Network("imagenet/vgg19", 1000, (224, 224, 3))
SMALL = Network("default/conv", 10, (32, 32, 3))

FULL: Mapping[str, tuple[Part, ...]] = {
    # 1, 4, 16, 64 and 144 million weights.
    "weights": (
        partial(by_weights, widths=(512, 1024, 2048, 4096, 6000), rounds=20, reach=Reach(1.2)),
    ),
    "devices": (partial(by_devices, width=1024, rounds=3),),
    "process": (partial(of_process, network=VGG19, rounds=2, reach=Reach(3)),),
}

QUICK: Mapping[str, tuple[Part, ...]] = {
    "weights": (partial(by_weights, widths=(16, 32), rounds=2),),
    "devices": (partial(by_devices, width=64, rounds=2, counts=(1, 2)),),
    "process": (partial(of_process, network=SMALL, rounds=2),),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small networks, few rounds")
    parser.add_argument("--only", nargs="+", choices=FULL, help="these cases alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args(arguments)
    use_device("cpu")
    cases = QUICK if options.quick else FULL
    measure(cases, options.only or list(cases), FEWEST_RUNS, options.json)


if __name__ == "__main__":
    sys.exit(main())
