"""What rows.csv holds of each network."""

from typing import Any, NamedTuple

import numpy as np

import synflow_jax as sf

DENSE = "dense"
"""The way of a network that isn't pruned."""

HEAD_AXES = {"query": 1, "key": 1, "value": 1, "output": 0}
"""Of an attention layer's kernels, which axis is that of heads."""


class Row(NamedTuple):
    """A network pruned, trained and tested.

    Attributes:
        network: its name.
        way: how it was pruned; `DENSE` for the network as it is.
        seed: which initialization, scoring batch, random scores and order of the data.
        log10_compression: log10 of weights before / weights after, as asked for.
        weights: prunable weights.
        kept: those left.
        matching: of those left, the ones of queries and keys.
        mixing: the ones of values and attention's output, or of dense layers over tokens.
        mlps: the ones of dense layers over channels.
        kernels: how many there are.
        collapsed: those with nothing left.
        heads: how many there are.
        heads_lost: those without any weight in queries, keys, values or outputs.
        loss: mean training loss of the last epoch.
        accuracy: fraction of the test images that are classified right.
    """

    network: str
    way: str
    seed: int
    log10_compression: float
    weights: int
    kept: int
    matching: int
    mixing: int
    mlps: int
    kernels: int
    collapsed: int
    heads: int
    heads_lost: int
    loss: float
    accuracy: float


class Left(NamedTuple):
    """What a mask leaves, as in `Row`."""

    weights: int
    kept: int
    matching: int
    mixing: int
    mlps: int
    kernels: int
    collapsed: int
    heads: int
    heads_lost: int


def left_of(mask: Any, params: Any) -> Left:
    """What a mask of a `ViT` or a `Mixer` leaves."""
    table = sf.layer_table(mask, params)

    def kept(*parts: str) -> int:
        return sum(row.kept for row in table.rows if any(f"/{p}/" in row.name for p in parts))

    matching = kept("attention/query", "attention/key")
    mixing = kept("attention/value", "attention/output", "tokens/inner", "tokens/output")
    heads = [head for block in mask.blocks.values() for head in heads_left(block)]
    return Left(
        weights=table.size,
        kept=table.kept,
        matching=matching,
        mixing=mixing,
        mlps=kept("mlp", "channels"),
        kernels=len(table.rows),
        collapsed=len(table.collapsed),
        heads=len(heads),
        heads_lost=len(heads) - sum(heads),
    )


def heads_left(block: Any) -> list[bool]:
    """Of each head of a block, whether each of its four kernels has something left."""
    if "attention" not in block:
        return []
    some = [
        np.moveaxis(np.asarray(block.attention[name].kernel[...]), axis, 0).any((1, 2))
        for name, axis in HEAD_AXES.items()
    ]
    return np.all(some, axis=0).tolist()
