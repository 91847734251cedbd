"""Every network, method and compression: what is kept, and what of it lies on paths."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import synflow_jax as sf
from experiments.data import class_batch, load
from experiments.effective.options import Options, models_of, subject
from experiments.method_table import METHODS, Method, ScoreFn, score_fns
from experiments.runs.cells import once, run_cells
from experiments.untrained.rounds import prune_by_rounds
from experiments.untrained.subject import Untrained, untrained


class DensityRow(NamedTuple):
    """One pruned network.

    Attributes:
        model: its name.
        method: name of the score.
        seed: which initialization.
        log10_compression: log10 of weights before / weights after, as asked for.
        weights: prunable weights.
        kept: those left.
        effective: those of them on paths from input to output.
        collapsed: layers with nothing left.
    """

    model: str
    method: str
    seed: int
    log10_compression: float
    weights: int
    kept: int
    effective: int
    collapsed: int


class Scored(NamedTuple):
    """A network and its score functions, by method; the same for all seeds, so that each is
    compiled once.
    """

    network: Untrained
    score_fns: dict[str, ScoreFn]


def experiment(options: Options, folder: Path) -> list[DensityRow]:
    """Every network, method and seed at all compressions."""
    cells = {}
    for model in models_of(options):
        make = once(partial(scored, model))
        for method in options.methods:
            for seed in range(options.seeds):
                name = f"{model.replace('/', '-')}-{method}-{seed}"
                cells[name] = partial(rows_of, options, make, model, method, seed)
    # Nearly all of the time is compilation, which takes one core.
    return run_cells(folder, cells, DensityRow, workers=2)


def scored(model: str) -> Scored:
    """A network by its name."""
    network = untrained(subject(model))
    return Scored(network, score_fns(network.apply_fn, network.inputs.shape[1:]))


def rows_of(
    options: Options, make: Callable[[], Scored], model: str, method: str, seed: int
) -> list[DensityRow]:
    """A row for each compression."""
    network, functions = make()
    key = jax.random.fold_in(jax.random.key(options.seed), seed)
    network_key, batch_key, score_key = jax.random.split(key, 3)
    params = network.params_of(network_key)
    powers = sorted(options.log10_compressions)
    way = METHODS[method]
    batch = enlarged_digits(batch_key, options.scoring_images) if way.needs_data else None
    given, data = (way, functions[method], params, powers), {"batch": batch, "key": score_key}
    if way.rounds > 1:
        masks = masks_in_rounds(*given, **data, rounds=options.rounds)
    else:
        masks = masks_at_once(*given, **data)
    rows = []
    for power, mask in zip(powers, masks, strict=True):
        table = sf.layer_table(
            mask, params, apply_fn=network.apply_fn, inputs=network.inputs, effective=True
        )
        counts = table.size, table.kept, table.effective or 0, len(table.collapsed)
        rows.append(DensityRow(model, method, seed, power, *counts))
    return rows


def masks_in_rounds(
    method: Method,
    score_fn: ScoreFn,
    params: Any,
    powers: list[float],
    *,
    batch: Any,
    key: jax.Array,
    rounds: int,
) -> list[Any]:
    """The masks that a pruning to the last compression comes by, with so many rounds from each to
    the next.
    """
    done = np.arange(1, len(powers) * rounds + 1) / rounds
    densities = 10.0 ** -np.interp(done, np.arange(len(powers) + 1), [0.0, *powers])
    path = prune_by_rounds(
        score_fn,
        params,
        10 ** powers[-1],
        rounds=len(done),
        schedule=lambda *_: densities,
        regrow=method.regrow,
        select=method.select,
        batch=batch,
        key=key,
    )
    return [each.mask for index, each in enumerate(path, 1) if index % rounds == 0]


def masks_at_once(
    method: Method,
    score_fn: ScoreFn,
    params: Any,
    powers: list[float],
    *,
    batch: Any,
    key: jax.Array,
) -> list[Any]:
    """The masks by the scores of the whole network, computed once."""
    scores = score_fn(params, sf.full_mask(params), batch, key)
    return [
        sf.prune(given_scores, params, 10**power, batch=scores, rounds=1, select=method.select)[0]
        for power in powers
    ]


def given_scores(params: Any, mask: Any, batch: Any, key: jax.Array | None) -> Any:
    """A score function whose scores are its batch."""
    del params, mask, key
    return batch


def enlarged_digits(key: jax.Array, per_class: int) -> tuple[jax.Array, jax.Array]:
    """Some digits of each class as gray images of 32x32x3, each pixel four times as high and wide.

    >>> images, labels = enlarged_digits(jax.random.key(0), 2)
    >>> images.shape, labels.shape
    ((20, 32, 32, 3), (20,))
    """
    train: Any = load("digits").train
    images, labels = class_batch(train, key, per_class)
    return jnp.asarray(np.kron(np.asarray(images), np.ones((1, 4, 4, 3), np.float32))), labels
