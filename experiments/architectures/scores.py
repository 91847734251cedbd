"""All scores of all architectures as arrays: computed, counted, and published ones."""

from collections.abc import Sequence

import numpy as np

import synflow_jax as sf
from experiments.architectures.experiment import ScoreRow
from experiments.architectures.published import Published


def computed(rows: Sequence[ScoreRow]) -> dict[str, np.ndarray]:
    """By name, ``(seeds, architectures)``."""
    names = list(dict.fromkeys(row.score for row in rows))
    seeds = 1 + max(row.seed for row in rows)
    count = 1 + max(row.architecture for row in rows)
    arrays = {name: np.full((seeds, count), np.nan) for name in names}
    for row in rows:
        arrays[row.score][row.seed, row.architecture] = row.value
    return arrays


def all_scores(rows: Sequence[ScoreRow], published: list[Published]) -> dict[str, np.ndarray]:
    """By name, ``(architectures,)``: the computed ones of the first seed and their means over
    seeds, what follows from them and from counts, and the published ones.
    """
    choices = sf.models.cell_choices([row.cell for row in published])
    params = sf.models.cell_sizes(choices)
    ours = computed(rows)
    first = {name: values[0] for name, values in ours.items()}
    scores = {
        "params": params.astype(float),
        "multiplications": sf.models.cell_multiplications(choices).astype(float),
    }
    for name, values in ours.items():
        scores[name] = values[0]
        if len(values) > 1:
            scores[f"{name}, {len(values)} seeds"] = np.mean(values, axis=0)
    if "flow" in first:
        scores["flow / params"] = first["flow"] - np.log2(params)
        scores["log flow / params"] = first["flow"] / params
    for name in ("synflow", "logsynflow", "naswot"):
        scores[f"{name}, published"] = np.array([getattr(row, name) for row in published])
    return scores
