"""The single-shot experiment on networks of the zoo: one training a cell, with checkpoints."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import synflow_jax as sf
from experiments.cells import run_cells
from experiments.config import Config
from experiments.fit import fit
from experiments.methods import score_fns
from experiments.results import Row, result_row
from experiments.task import Task
from experiments.train import pruned_states
from experiments.train_options import Options


def paper_experiment(config: Config, task: Task, folder: Path) -> list[Row]:
    """Every method, compression and seed: pruned, trained by the published recipe and tested.

    A training that was killed goes on from its last epoch; checkpoints of finished ones are
    removed.
    """
    shape = task.data.train.images.shape[1:]
    scores = score_fns(task.apply_fn, shape, temperature=config.grasp_temperature)
    cells = {
        f"{method}-{power}-{seed}": partial(
            _rows,
            config,
            task,
            scores[method],
            method=method,
            power=power,
            seed=seed,
            folder=folder,
        )
        for method in config.methods
        for power in config.log10_compressions or ()
        for seed in range(config.seeds)
    }
    return run_cells(folder, cells, Row)


def _rows(
    config: Config,
    task: Task,
    score_fn: Callable[..., Any],
    *,
    method: Any,
    power: float,
    seed: int,
    folder: Path,
) -> list[Row]:
    options = Options(
        model=config.model or "",
        data=config.data,
        method=method,
        log10_compression=(power,),
        rounds=config.synflow_rounds if method == "synflow" else 1,
        scoring_images=config.scoring_images,
        seed=config.seed,
    )
    (state,) = pruned_states(options, task.data, task.setup, score_fn, seed)
    layers = sf.layer_table(state.optimizer_state.mask, state.params)
    place = folder / "trainings" / f"{method}-{power}-{seed}"
    train, test = task.data.train, task.data.test
    _, epochs = fit(task.setup, state, train, test, epochs=task.epochs, folder=place)
    row = result_row(
        method, seed, power, layers, loss=epochs[-1].train_loss, accuracy=epochs[-1].test_top1
    )
    shutil.rmtree(place)
    return [row]
