"""The order in which a network uses its layers."""

from typing import Any

from synflow_jax import wiring
from synflow_jax.checks import called, check_callable, check_params, named_leaves
from synflow_jax.masks import full_mask, is_kernel, prunable_leaves
from synflow_jax.types import ApplyFn, Params, Prunable


def layer_order(
    apply_fn: ApplyFn, params: Params, inputs: Any, *, prunable: Prunable = is_kernel
) -> tuple[int, ...]:
    """The prunable leaves in the order in which the network uses them, for `in_order`.

    A layer's place is that of the first matrix product or convolution in the function's program of
    which its parameter alone makes one side. Of branches side by side the one that's written first
    comes first.

    Args:
        apply_fn: ``apply_fn(params, inputs)``, the network.
        params: a pytree of arrays, or their shapes as ``jax.ShapeDtypeStruct``.
        inputs: an example, or its shapes as ``jax.ShapeDtypeStruct``.
        prunable: ``prunable(path, leaf) -> bool``; by default two dimensions or more.

    Returns:
        For each prunable leaf, in the order of use, its place in ``jax.tree.leaves(params)``,
        counted from 0 among the prunable ones.

    Raises:
        ValueError: ``apply_fn`` fails on the inputs, nothing is prunable, or a prunable leaf is
            used in no product.
        TypeError: ``apply_fn`` isn't a function of params and inputs.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"head": jnp.ones((3, 2)), "stem": jnp.ones((4, 3))}
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["stem"]) @ params["head"]
    >>> sf.layer_order(apply_fn, params, jnp.ones((1, 4)))
    (1, 0)
    """
    check_callable("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    check_params(params)
    flags = prunable_leaves(full_mask(params, prunable))
    program = called("apply_fn", lambda *args: wiring.traced(apply_fn, *args), params, inputs)
    values = program.inputs[: len(flags)]
    used = [product.param for product in wiring.layer_products(program, values)]
    uses = []
    for (name, _), value, is_layer in zip(named_leaves(params), values, flags, strict=True):
        if is_layer and value not in used:
            raise ValueError(
                f"params leaf '{name}' is a side of no matrix product and of no convolution, so "
                "that it has no place; let prunable(path, leaf) be False there"
            )
        if is_layer:
            uses.append(used.index(value))
    return tuple(sorted(range(len(uses)), key=uses.__getitem__))
