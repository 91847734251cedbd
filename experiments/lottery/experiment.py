"""Every network, seed, kind and level: trained, pruned and rewound."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import synflow_jax as sf
from experiments.lottery.options import Options, levels_of, plan_of, validation_images
from experiments.lottery.rows import TicketRow
from experiments.runs.cells import once, run_cells
from experiments.training import Network, Task, TrainState, evaluate, load_task, train_network


class Result(NamedTuple):
    """A training.

    Attributes:
        params: after the last epoch.
        accuracy: on the test images, after the last epoch.
        early_step: counted from initialization, the end of the epoch of lowest validation loss.
        early_accuracy: on the test images, there.
        stored: params after the epoch that is rewound to; read of the dense training alone.
    """

    params: Any
    accuracy: float
    early_step: int
    early_accuracy: float
    stored: Any


class Member(NamedTuple):
    """A network and a seed: the task, images for validation, untrained weights, and a key."""

    name: str
    seed: int
    task: Task
    validation: Any
    network: Network
    key: jax.Array


class Ticket(NamedTuple):
    """A mask and what its training gave."""

    mask: Any
    result: Result


def network_task(options: Options, name: str) -> tuple[Task, Any]:
    """The task of a network without the images for validation, and these."""
    plan = plan_of(options, name)
    # Without augmentation, as in the paper.
    task = load_task(plan.model, plan.data, plan.recipe, options.data_dir, augment=False)
    train = task.data.train
    order = jax.random.permutation(jax.random.key(options.seed), train.size)
    count = validation_images(options, train.size)
    rest, validation = (
        jax.tree.map(lambda x, i=i: x[i], train) for i in (order[count:], order[:count])
    )
    return task._replace(data=task.data._replace(train=rest)), validation


def experiment(
    options: Options, tasks: dict[str, tuple[Task, Any]], folder: Path
) -> list[TicketRow]:
    """Every network, seed, kind and level."""
    cells = {}
    for name, (task, validation) in tasks.items():
        for seed in range(options.seeds):
            key = jax.random.fold_in(jax.random.key(options.seed), seed)
            network_key, key = jax.random.split(key)
            member = Member(name, seed, task, validation, task.make(network_key), key)
            cells |= member_cells(options, member)
    return run_cells(folder, cells, TicketRow, workers=options.workers)


def member_cells(options: Options, member: Member) -> dict[str, Callable[[], list[TicketRow]]]:
    """The cells of one network and seed: the dense one, and each kind at each level."""
    whole = sf.full_mask(member.network.params)
    train = partial(measured, options, member)
    dense = once(lambda: train(member.network.params, whole, member.key, first=True))
    chain = once(lambda: iterative(options, member, dense))

    def ticket(kind: str, level: int) -> Ticket:
        key = jax.random.fold_in(member.key, level)
        stored = dense().stored
        if kind == "iterative":
            return chain()[level - 1]
        if kind == "reinitialized":
            mask = chain()[level - 1].mask
            params = member.task.make(jax.random.fold_in(key, 1)).params
            return Ticket(mask, train(params, mask, key, first=True))
        by_size = kind == "one-shot"
        mask, _ = sf.prune(
            sf.magnitude() if by_size else sf.random(),
            dense().params if by_size else stored,
            compression_at(options, level),
            key=jax.random.fold_in(key, 2),
            rounds=1,
        )
        return Ticket(mask, train(stored, mask, key))

    def rows(kind: str, level: int) -> list[TicketRow]:
        made = ticket(kind, level) if level else Ticket(whole, dense())
        return [ticket_row(member, kind, level, made, dense())]

    places = [("dense", 0)] + [
        (kind, level) for kind in options.kinds for level in range(1, levels_of(options) + 1)
    ]
    return {
        f"{member.name}-{kind.replace(' ', '-')}-{level}-{member.seed}": partial(rows, kind, level)
        for kind, level in places
    }


def compression_at(options: Options, level: int) -> float:
    """The compression after a level."""
    return 10.0 ** (options.log10_compression * level / levels_of(options))


def iterative(options: Options, member: Member, dense: Callable[[], Result]) -> list[Ticket]:
    """Every level's mask and the training under it."""
    results: list[Result] = []

    def train(params: Any, mask: Any, key: jax.Array) -> Any:
        results.append(measured(options, member, params, mask, key) if results else dense())
        return results[-1].params

    made = list(
        sf.tickets(
            train,
            member.network.params,
            10.0**options.log10_compression,
            levels=levels_of(options),
            key=member.key,
            rewind_to=dense().stored,
        )
    )
    train(made[-1].params, made[-1].mask, jax.random.fold_in(member.key, len(made)))
    return [Ticket(each.mask, result) for each, result in zip(made, results[1:], strict=True)]


def measured(
    options: Options, member: Member, params: Any, mask: Any, key: jax.Array, *, first: bool = False
) -> Result:
    """A training from initialization (``first``) or from the epoch that is rewound to."""
    task, done = member.task, 0 if first else options.rewind_epoch
    stored, losses, accuracies = [params], [], []

    def after_epoch(state: TrainState) -> None:
        if len(losses) + 1 == options.rewind_epoch:
            stored[0] = jax.tree.map(lambda x: x.copy(), state.params)
        losses.append(float(evaluate(task.setup, state, member.validation).loss))
        accuracies.append(float(evaluate(task.setup, state, task.data.test).top1))

    network = member.network._replace(params=params)
    epochs = task.epochs - done
    trained = train_network(task, network, mask, key, epochs=epochs, after_epoch=after_epoch)
    best = int(np.argmin(losses))
    step = (done + best + 1) * task.steps
    return Result(trained.state.params, accuracies[-1], step, accuracies[best], stored[0])


def ticket_row(member: Member, kind: str, level: int, ticket: Ticket, dense: Result) -> TicketRow:
    """The row of a ticket; movement is that of the dense training."""
    layers = sf.layer_table(ticket.mask, member.network.params)
    inside, outside = movement(member.network.params, dense.params, ticket.mask)
    return TicketRow(
        network=member.name,
        kind=kind,
        level=level,
        seed=member.seed,
        weights=layers.size,
        kept=layers.kept,
        collapsed=len(layers.collapsed),
        accuracy=ticket.result.accuracy,
        early_step=ticket.result.early_step,
        early_accuracy=ticket.result.early_accuracy,
        moved_inside=inside,
        moved_outside=outside,
    )


def movement(before: Any, after: Any, mask: Any) -> tuple[float, float]:
    """Mean ``|after - before|`` of the prunable weights kept, and of those pruned (NaN if none).

    >>> import jax.numpy as jnp
    >>> movement(jnp.zeros((1, 3)), jnp.array([[1.0, -2.0, 3.0]]), jnp.array([[True, False, True]]))
    (2.0, 2.0)
    """
    distances, kept = [], []
    for x, y, m in zip(*map(jax.tree.leaves, (before, after, mask)), strict=True):
        if m.ndim:
            distances.append(np.abs(np.asarray(y, np.float64) - np.asarray(x)).ravel())
            kept.append(np.asarray(m).ravel())
    distance, inside = np.concatenate(distances), np.concatenate(kept)
    means = [float(distance[w].mean()) if w.any() else float("nan") for w in (inside, ~inside)]
    return means[0], means[1]
