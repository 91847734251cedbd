"""Every method, compression and seed: pruned, and what each layer keeps."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax

import synflow_jax as sf
from experiments.fig2.options import Options, standard_of
from experiments.fig2.rows import LayerKept
from experiments.method_table import pruning_of, score_fns
from experiments.runs.cells import run_cells
from experiments.untrained.rounds import prune_by_rounds
from experiments.untrained.subject import Subject, untrained


def experiment(
    options: Options,
    subject: Subject,
    methods: Sequence[str],
    batch_of: Callable[[jax.Array], Any],
    folder: Path,
) -> list[LayerKept]:
    """Every method, compression and seed."""
    network = untrained(subject)
    functions = score_fns(network.apply_fn, network.inputs.shape[1:])

    def rows(method: str, compression: float, seed: int) -> list[LayerKept]:
        key = jax.random.fold_in(jax.random.key(options.seed), seed)
        network_key, batch_key, pruning_key = jax.random.split(key, 3)
        params = network.params_of(network_key)
        *_, last = prune_by_rounds(
            functions[method],
            params,
            compression,
            batch=batch_of(batch_key),
            key=pruning_key,
            **pruning_of(method, options.rounds),
        )
        layers = sf.layer_table(last.mask, params).rows
        return [LayerKept(method, seed, compression, r.name, r.size, r.kept) for r in layers]

    compressions = options.compressions or standard_of(options).compressions
    cells = {
        f"{method}-{compression:.6g}-{seed}": partial(rows, method, compression, seed)
        for method in methods
        for compression in sorted(compressions)
        for seed in range(options.seeds)
    }
    return run_cells(folder, cells, LayerKept)
