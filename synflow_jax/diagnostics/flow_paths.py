"""Which weights flow passes through: paths through positions, as 0 and 1."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import called, check_float_output, check_params
from synflow_jax.homogeneous import linear_outputs, registrations, sum_of_all, widened
from synflow_jax.types import ApplyFn, Mask, Params


def on_flow_paths(apply_fn: ApplyFn, shapes: Params, mask: Mask, inputs: Any) -> Mask:
    """Where the gradient of R isn't 0, with the mask in place of the weights.

    Args:
        apply_fn: the network.
        shapes: of the params.
        mask: a boolean leaf for each parameter.
        inputs: their shapes.

    Returns:
        What of the mask is used, boolean leaves in the shapes of the params.
    """
    check_params(shapes)
    for leaf in jax.tree.leaves(inputs):
        if not jnp.issubdtype(leaf.dtype, jnp.floating) or 0 in leaf.shape:
            raise TypeError(
                "by flow inputs must be floating-point arrays with elements, got "
                f"{leaf.dtype}{list(leaf.shape)}; pass those, or by='topology'"
            )
    leaves, treedef = jax.tree.flatten(inputs)
    avals, structure = jax.tree.flatten(shapes)
    # So that what adds up to 0 stays close to it, whatever the algorithm of a convolution.
    with jax.default_matmul_precision("highest"):
        used = _flags(
            apply_fn,
            jax.tree.leaves(mask),
            (structure, *avals),
            (treedef, *leaves),
            registered=registrations(),
        )
    return structure.unflatten(used)


@partial(jax.jit, static_argnums=(0, 2, 3), static_argnames="registered")
def _flags(
    apply_fn: ApplyFn,
    mask: list[jax.Array],
    shapes: tuple[Any, ...],
    inputs: tuple[Any, ...],
    registered: int,
) -> list[jax.Array]:
    """Shapes as their structure and leaves, which are known when compiling."""
    del registered
    (structure, *avals), (treedef, *leaves) = shapes, inputs
    whole = [jnp.broadcast_to(m, p.shape) for m, p in zip(mask, avals, strict=True)]
    weights = [widened(m.astype(p.dtype)) for m, p in zip(whole, avals, strict=True)]
    # Numbers that are known when tracing, of which equal ones are computed once.
    ones = treedef.unflatten([widened(np.ones(leaf.shape, leaf.dtype)) for leaf in leaves])

    def checked(params: Params, inputs: Any) -> Any:
        outputs = called("apply_fn", apply_fn, params, inputs)
        check_float_output("apply_fn", outputs)
        return outputs

    def total(weights: list[jax.Array]) -> jax.Array:
        weights = structure.unflatten(weights)
        return sum_of_all(linear_outputs(checked, weights, ones, biases=False, paths=True)).mantissa

    gradients = jax.grad(total)(weights)
    return [m & (gradient > 0) for m, gradient in zip(whole, gradients, strict=True)]
