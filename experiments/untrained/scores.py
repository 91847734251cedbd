"""An untrained network's scores, and the images that methods score with."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import jax

import synflow_jax as sf
from experiments.data import class_batch, load, normalized
from experiments.method_table import METHODS, PAPER_METHODS, score_fns
from experiments.runs.cells import run_cells
from experiments.runs.folders import open_run
from experiments.runs.options import refuse
from experiments.untrained.options import ScoreOptions
from experiments.untrained.subject import SMALL, Subject, untrained

T = TypeVar("T")


def default_methods(options: ScoreOptions, subject: Subject) -> tuple[str, ...]:
    """The options' methods, by default the paper's, but without data those that need none."""
    has_data = options.data is not None or subject == SMALL
    return options.methods or tuple(
        name for name in PAPER_METHODS if has_data or not METHODS[name].needs_data
    )


def scoring_batches(
    options: ScoreOptions, subject: Subject, methods: tuple[str, ...]
) -> Callable[[jax.Array], Any]:
    """``key`` to the batch that methods score with: some images of each class.

    None where no method needs it. By default it comes from the digits.

    Raises:
        ValueError: the images don't fit the network.
        FileNotFoundError, ModuleNotFoundError: the data set can't be read.
    """
    need_data = [name for name in methods if METHODS[name].needs_data]
    if not need_data:
        return lambda _: None
    data = load(options.data or "digits", options.data_dir)
    train: Any = data.train
    shape = train.shape
    if shape != subject.input_shape or data.classes > subject.classes:
        raise ValueError(
            f"{' and '.join(need_data)} score with data: {data.name} "
            f"has images of shape {shape} and {data.classes} classes, {subject.model} takes "
            f"{subject.input_shape} and {subject.classes}; choose other --methods or --data"
        )

    def batch(key: jax.Array) -> Any:
        images, labels = class_batch(train, key, options.scoring_images)
        return normalized(data.preprocessing, images), labels

    return batch


def scores_of(
    options: ScoreOptions, subject: Subject, methods: tuple[str, ...]
) -> dict[str, Callable[[], dict[str, jax.Array]]]:
    """For each method a function that scores the untrained network, nothing pruned yet.

    It gives the scores of each prunable parameter by its name. Errors are those of
    `scoring_batches`.
    """
    batch_of = scoring_batches(options, subject, methods)
    network_key, batch_key, score_key = jax.random.split(jax.random.key(options.seed), 3)
    network = untrained(subject)
    functions = score_fns(network.apply_fn, subject.input_shape)

    def score(method: str) -> dict[str, jax.Array]:
        params = network.params_of(network_key)
        mask = sf.full_mask(params)
        score_fn = jax.jit(functions[method])
        scores = score_fn(params, mask, batch_of(batch_key), score_key)
        names = [row.name for row in sf.layer_table(mask, params).rows]
        kernels = [x for x, m in zip(*map(jax.tree.leaves, (scores, mask)), strict=True) if m.ndim]
        return dict(zip(names, kernels, strict=True))

    return {method: partial(score, method) for method in methods}


def score_study(
    study: str,
    options: ScoreOptions,
    subject: Subject,
    rows_of: Callable[[str, Callable[[], dict[str, jax.Array]]], Sequence[T]],
    row_type: type[T],
    *,
    free: Sequence[str] = ("data_dir", "paper_data"),
) -> tuple[Path, list[T]]:
    """The folder and the rows of a study that looks at one network's scores, a cell a method.

    What is wrong with the data ends the program. ``free`` is that of `open_run`.
    """
    try:
        scores = scores_of(options, subject, default_methods(options, subject))
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:
        refuse(str(error))
    folder = open_run(study, options, free=free)
    cells = {method: partial(rows_of, method, each) for method, each in scores.items()}
    return folder, run_cells(folder, cells, row_type)
