"""One measure of all architectures, in chunks, by one compiled program."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from synflow_jax.checks import check_callable, check_rounds
from synflow_jax.types import Params

Measure = Callable[[Params, Any, Any], Any]
"""``measure(params, choice, batch)``: a number, or a pytree of numbers, of one architecture."""


def rank(
    measure: Measure, params: Params, choices: Any, *, batch: Any = None, chunk: int = 25
) -> Any:
    """What a measure says of each architecture, the params shared.

    A chunk of architectures is computed at a time, all by one compiled program: it's compiled once
    for a measure and a chunk's size, whatever the number of choices, and not again for other
    params or other data. Sort what comes back to rank.

    Args:
        measure: ``measure(params, choice, batch)``, a number or a pytree of numbers, such as
            `flow_totals`; keep it to compile once.
        params: of the super network.
        choices: ``(N, ...)``, one for each architecture, such as `synflow_jax.models.cell_choices`.
        batch: what the measure takes as data.
        chunk: how many at a time. Memory grows with it. On a CPU take 1 for measures with gradients
            of convolutional kernels.

    Returns:
        NumPy arrays of shape ``(N,)`` in the measure's pytree.

    Raises:
        TypeError: ``measure`` isn't a function of three arguments.
        ValueError: there are no choices, or they aren't finite and nonnegative, or ``chunk`` isn't
            positive.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> measure = lambda params, choice, batch: jnp.sum(params * choice)
    >>> [float(x) for x in sf.rank(measure, jnp.array([1.0, 2.0]), jnp.eye(2))]
    [1.0, 2.0]
    """
    check_callable("measure", measure, "params, choice, batch", "sf.flow_totals(...)")
    size = check_rounds(chunk, "chunk")
    each = np.asarray(choices)
    if each.ndim < 1 or not len(each):
        raise ValueError(f"choices must have one row an architecture, got shape {each.shape}")
    if not np.all(np.isfinite(each) & (each >= 0)):
        raise ValueError("choices must be finite and nonnegative, such as one-hot rows")
    size = min(size, len(each))
    parts = []
    for start in range(0, len(each), size):
        part = each[start : start + size]
        padded = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        values = _measured(measure, params, padded, batch)
        parts.append(jax.tree.map(np.asarray, values))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(each)], *parts)


@partial(jax.jit, static_argnames="measure")
def _measured(measure: Measure, params: Params, choices: Any, batch: Any) -> Any:
    if len(choices) == 1:  # Gradients of kernels that differ by example are slow on CPUs.
        return jax.tree.map(lambda x: x[None], measure(params, choices[0], batch))
    return jax.vmap(measure, in_axes=(None, 0, None))(params, choices, batch)
