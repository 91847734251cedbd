"""A process that loads a PyTorch network and prunes it: ``FILE SIDE ROUNDS SCALE``."""

import sys

import torch  # pyright: ignore[reportMissingImports]

from benchmarks.pytorch import pruning


def main(path: str, side: str, rounds: str, scale: str) -> None:
    """Prunes to a hundredth, with input and output times ``scale``."""
    pruning.use_all_cores()
    network = torch.load(path, weights_only=False)  # a file of the process that started this one
    images = torch.ones(1, 3, int(side), int(side))
    pruning.prune(network, pruning.synflow(images, float(scale)), 100, int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
