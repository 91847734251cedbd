"""SynFlow's scores of an architecture, added up: the flow times the depth of its paths."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.masks import is_kernel
from synflow_jax.types import Params

Log2FlowFn = Callable[[Params, Any, Any], jax.Array]
"""``log2_flow_fn(params, inputs, choice)``: log2 of R, -inf without a path."""


class FlowTotals(NamedTuple):
    """R and the sum of SynFlow's scores.

    Attributes:
        log2_flow: log2 of R; -inf without a path.
        log2_total: log2 of the sum of ``w dR/dw`` over kernels; -inf without a path.
        depth: how many kernels a path passes, the mean over paths by their flow.
    """

    log2_flow: jax.Array
    log2_total: jax.Array
    depth: jax.Array


def flow_totals(log2_flow_fn: Log2FlowFn, inputs: Any) -> Callable[[Params, Any, Any], FlowTotals]:
    """A measure: R, and the sum of SynFlow's scores over all kernels.

    R is a sum over paths of products of weights, and a kernel's scores add up to the flow through
    it. So all scores add up to R times the mean number of kernels on a path, weighed by the paths'
    flow: with all kernels times t it's the derivative of log R by log t, one forward derivative
    and no gradient (Tanaka et al. 2020, arXiv:2006.05467, theorem 1; Abdelfattah et al. 2021,
    arXiv:2101.08134, who add up the scores).

    Args:
        log2_flow_fn: ``log2_flow_fn(params, inputs, choice) -> scalar``, log2 of the linear
            network's R, such as that of `synflow_jax.models.nasbench201`.
        inputs: nonnegative, such as ``jnp.ones((1, 32, 32, 3))``.

    Returns:
        ``measure(params, choice, batch)``, for `rank`: `FlowTotals` of scalars.

    Raises:
        Exception: what ``log2_flow_fn`` raises when the measure is called.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def log2_flow(params, inputs, choice):
    ...     return jnp.log2(jnp.sum(inputs @ (choice * jnp.abs(params)) @ jnp.abs(params)))
    >>> measure = sf.flow_totals(log2_flow, jnp.ones((1, 2)))
    >>> totals = sf.rank(measure, 2 * jnp.eye(2), jnp.ones((1, 1)))
    >>> [round(float(x[0]), 4) for x in totals]  # R = 8, in two layers
    [3.0, 4.0, 2.0]
    """

    def measure(params: Params, choice: Any, batch: Any) -> FlowTotals:
        del batch

        def log2_flow(scale: jax.Array) -> jax.Array:
            scaled = jax.tree.map(lambda w: w * scale if is_kernel("", w) else w, params)
            return log2_flow_fn(scaled, inputs, choice)

        one = jnp.ones(())
        flow, slope = jax.jvp(log2_flow, (one,), (one,))
        depth = slope * float(np.log(2))
        some = jnp.isfinite(flow) & (depth > 0)
        total = jnp.where(some, flow + jnp.log2(jnp.where(some, depth, 1)), -jnp.inf)
        return FlowTotals(flow, total, depth)

    return measure


def log_synflow_total(
    log2_flow_fn: Log2FlowFn, inputs: Any
) -> Callable[[Params, Any, Any], jax.Array]:
    """A measure: the sum over kernels of ``w log(1 + dR/dw)``, w in absolute value.

    Log-SynFlow (Cavagnero et al. 2023, arXiv:2207.05135). Gradients come as those of log R, so that
    none leaves a float's range.

    Args:
        log2_flow_fn: as for `flow_totals`.
        inputs: nonnegative.

    Returns:
        ``measure(params, choice, batch)``, for `rank`: a scalar.

    Raises:
        Exception: what ``log2_flow_fn`` raises when the measure is called.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def log2_flow(params, inputs, choice):
    ...     return jnp.log2(jnp.sum(inputs @ (choice * jnp.abs(params))))
    >>> measure = sf.log_synflow_total(log2_flow, jnp.ones((1, 2)))
    >>> float(sf.rank(measure, jnp.ones((2, 2)), jnp.ones((1, 1)))[0])  # 4 log 2
    2.7725887298583984
    """

    def measure(params: Params, choice: Any, batch: Any) -> jax.Array:
        del batch
        absolute = jax.tree.map(jnp.abs, params)
        log2_flow, gradient = jax.value_and_grad(log2_flow_fn)(absolute, inputs, choice)
        some = jnp.isfinite(log2_flow)
        log_flow = jnp.where(some, log2_flow, 0) * float(np.log(2))

        def total(weights: jax.Array, slopes: jax.Array) -> jax.Array:
            shares = jnp.maximum(slopes * float(np.log(2)), 0)
            logs = jnp.log(jnp.where(shares > 0, shares, 1)) + log_flow
            return jnp.sum(jnp.where(shares > 0, weights * jnp.logaddexp(logs, 0), 0))

        totals = [
            total(weights, slopes)
            for weights, slopes in zip(
                jax.tree.leaves(absolute), jax.tree.leaves(gradient), strict=True
            )
            if is_kernel("", weights)
        ]
        return jnp.where(some, sum(totals, jnp.zeros(())), 0)

    return measure
