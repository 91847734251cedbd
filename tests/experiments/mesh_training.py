"""Tiny trainings on all devices there are; as a program, prints what came out as JSON."""

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tiny_training import RECIPE, examples, tiny, tiny_state

from benchmarks.harness.compilations import counted
from experiments.data import Batch, Streamed
from experiments.training import Setup, TrainState, evaluate, fit, train_epoch
from experiments.training.placement import check_batch_size, place_state, placement_of, replicate
from experiments.training.streamed import evaluate_streamed, train_streamed

EPOCHS = 5


def started(option: str, *, seed: int = 0) -> tuple[Setup, TrainState]:
    model, setup = tiny()
    setup = setup._replace(placement=placement_of(option))
    return setup, place_state(setup.placement, tiny_state(model, setup, seed=seed))


def curve(option: str) -> dict[str, Any]:
    """Losses of 60 steps, the test loss, statistics, and where the arrays lie. It compiles once."""
    setup, state = started(option)
    train, test = replicate(setup.placement, (examples(200, 1), examples(50, 2)))
    losses = []
    with counted() as compiled:
        for epoch in range(EPOCHS):
            state, metrics = train_epoch(setup, state, train)
            losses += np.asarray(metrics.loss).tolist()
            assert len(compiled) == 1, f"{len(compiled)} compilations in epoch {epoch}"
    return {
        "losses": losses,
        "test": float(evaluate(setup, state, test).loss),
        "mean": np.asarray(state.model_state.norm.mean[...]).tolist(),
        "devices": len(state.params.first.kernel[...].sharding.device_set),
        "parts": {name: parts(tree) for name, tree in kernels(state).items()},
    }


def kernels(state: TrainState) -> dict[str, Any]:
    momentum = state.optimizer_state.inner[1][0].trace
    trees = {"params": state.params, "mask": state.optimizer_state.mask, "momentum": momentum}
    return {k: [t.first.kernel[...], t.last.kernel[...]] for k, t in trees.items()}


def parts(arrays: list[jax.Array]) -> list[Any]:
    """The shape of each array's part on one device, and where that device's part starts."""
    shards = [x.addressable_shards[-1] for x in arrays]
    return [[s.data.shape, [i.start or 0 for i in s.index]] for s in shards]


def streams(option: str) -> list[float]:
    """Losses of two epochs from the host, and test losses with a last batch that isn't full."""
    setup, state = started(option)

    def streamed(count: int, seed: int) -> Streamed:
        images, labels = map(np.asarray, examples(count, seed))

        def batches(epoch: int) -> Iterator[Batch]:
            del epoch
            for at in range(0, count, RECIPE.batch_size):
                chosen = slice(at, at + RECIPE.batch_size)
                yield Batch(images[chosen], labels[chosen])

        return Streamed(images.shape[1:], count, batches)

    results = []
    for epoch in (1, 2):
        state, metrics = train_streamed(setup, state, streamed(192, 1).batches(epoch))
        test = evaluate_streamed(setup, state, streamed(50, 2), epoch)
        results += [*np.asarray(metrics.loss).tolist(), float(test.loss), float(test.top1)]
    return results


def refusal(batch_size: int) -> str:
    try:
        check_batch_size(placement_of("data"), batch_size)
    except ValueError as error:
        return str(error)
    return "taken"


def fitted(folder: str, option: str, epochs: int, *, seed: int = 0) -> None:
    """A run that goes on in the folder. Where it does, the seed has no effect."""
    setup, state = started(option, seed=seed)
    data = examples(200, 1), examples(50, 2)
    fit(setup, state, *data, epochs=epochs, folder=Path(folder))


def filled(folder: str, limit: int) -> str:
    """The error of two epochs more, when files grow to ``limit`` bytes at most or, with 0, when
    something else fills the disk.
    """
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    else:
        fill(Path(folder))
    try:
        fitted(folder, "none", 4)
    except OSError as error:
        return str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    return "written"


def fill(folder: Path) -> None:
    """Leaves a few kilobytes on a small disk: room for the metrics, not for a checkpoint."""
    block = bytes(4096)
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            file.truncate(file.tell() - 3 * len(block))


def main(task: str, *arguments: str) -> Any:
    if task == "curves":
        options = ("none", "data", "fsdp")
        return {
            "curves": {option: curve(option) for option in options},
            "streams": {option: streams(option) for option in options},
            "refusals": {n: refusal(n) for n in (12, 16)},
        }
    if task == "fit":
        folder, option, epochs, seed = arguments
        return fitted(folder, option, int(epochs), seed=int(seed))
    folder, limit = arguments
    fitted(folder, "none", 2)
    return filled(folder, int(limit))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
