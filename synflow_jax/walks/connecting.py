"""Which units a product leads from, and to which."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from synflow_jax import wiring
from synflow_jax.walks.values import NONE, Flow, Still, UnfollowedError, flowing

Alike = Callable[[Flow, Sequence[int]], np.ndarray]
"""``alike(flow, axes)``: the units along axes, in which they don't differ."""


class Connected(NamedTuple):
    """The edges of a product; the arrays broadcast against each other, an element an edge.

    Attributes:
        sources: the units that they lead from, int32; `NONE` where there's none.
        places: which of the targets they lead to, int.
        weights: which weights they are, int32.
        sizes: in absolute value, float64.
        targets: how many new units there are.
        kept: a shape for the targets that broadcasts against the result's.
    """

    sources: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    sizes: np.ndarray
    targets: int
    kept: tuple[int, ...]


def _kernel(own: Still | Flow, order: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Which weights a kernel is of, and their sizes, with its axes in this order."""
    if not isinstance(own, Still):
        raise UnfollowedError("both of its sides depend on the inputs")
    sizes = np.abs(np.asarray(own.array).astype(np.float64)).transpose(order)
    if own.weights is None:
        return np.full(sizes.shape, NONE, np.int32), sizes
    return own.weights.transpose(order), sizes


def dot_product(step: wiring.Step, operands: Sequence[Still | Flow], alike: Alike) -> Connected:
    """A matrix product: units along the axes that end lead to those of the kernel's others."""
    ended, batch = step.equation.params["dimension_numbers"]
    if batch[0]:
        raise UnfollowedError("it multiplies many pairs of matrices")
    side = 0 if isinstance(operands[0], Flow) else 1
    flow, kernel = flowing(operands[side]), operands[1 - side]
    ranks = [len(np.shape(own[0])) for own in (flow, kernel)]
    into, out = (
        [axis for axis in range(rank) if axis not in axes]
        for rank, axes in zip(ranks, (ended[side], ended[1 - side]), strict=True)
    )
    weights, sizes = _kernel(kernel, (*ended[1 - side], *out))
    outer = sizes.shape[len(ended[0]) :]
    rows, columns = math.prod(sizes.shape[: len(ended[0])]), math.prod(outer)
    sources = alike(flow, into).transpose((*ended[side], *into))
    ones = (1,) * len(into)
    return Connected(
        np.broadcast_to(sources.reshape(rows, 1), (rows, columns)),
        np.arange(columns)[None],
        weights.reshape(rows, columns),
        sizes.reshape(rows, columns),
        columns,
        (*ones, *outer) if side == 0 else (*outer, *ones),
    )


def conv_product(step: wiring.Step, operands: Sequence[Still | Flow], alike: Alike) -> Connected:
    """A convolution: channels lead to channels, by each position of the kernel."""
    params, flow, kernel = step.equation.params, flowing(operands[0]), operands[1]
    if params["batch_group_count"] != 1:
        raise UnfollowedError("it has a kernel for each part of its inputs")
    numbers = params["dimension_numbers"]
    weights, sizes = (own.reshape(*own.shape[:2], -1) for own in _kernel(kernel, numbers.rhs_spec))
    outer, inner, _ = sizes.shape
    feature = numbers.lhs_spec[1]
    others = [axis for axis in range(flow.units.ndim) if axis != feature]
    channels = alike(flow, others).reshape(-1)
    group = np.arange(outer)[:, None] // (outer // params["feature_group_count"])
    sources = channels[group * inner + np.arange(inner)][..., None]
    kept = [outer if axis == numbers.out_spec[1] else 1 for axis in range(flow.units.ndim)]
    return Connected(
        np.broadcast_to(sources, sizes.shape),
        np.arange(outer)[:, None, None],
        weights,
        sizes,
        outer,
        tuple(kept),
    )
