"""The weights of a mask that some path from input to output uses."""

from typing import Any, Literal

import jax
import jax.numpy as jnp

from synflow_jax.checks import check_mask, check_params_fn, check_scalars, check_values
from synflow_jax.diagnostics.flow_paths import on_flow_paths
from synflow_jax.diagnostics.unit_paths import on_unit_paths
from synflow_jax.types import ApplyFn, Mask, Params

By = Literal["flow", "topology"]
"""How paths are followed; see `effective`."""


def effective(
    apply_fn: ApplyFn, params: Params, mask: Mask, inputs: Any, *, by: By = "flow"
) -> Mask:
    """The mask without the weights that no path of kept weights from input to output uses.

    A pruned network often keeps weights that lead out of units which nothing enters, or into units
    that nothing leaves. They do nothing, and the compression that counts is the effective one,
    without them (Vysogorets and Kempe 2021, arXiv:2107.02306, "Connectivity matters"). With mask
    ``m`` in place of the weights, R the sum of the linear network's outputs on an input of ones,
    and biases left out,

        ``effective = m * dR/dm > 0``,

    which is whether SynFlow's score of the mask itself isn't 0. Here that is followed as 0 and 1
    after each operation, so that it's exact at any depth and in any floating-point type. Where an
    operation chooses one of several values, as maximum pooling does, paths lead through each.

    Two definitions are in use. By flow paths lead through positions too: a weight at the corner of
    a kernel that sees nothing but padding is on none. By topology they lead through units alone, as
    in a graph of channels: a weight counts if inputs reach the unit that it comes from and outputs
    are reached from the one that it goes to. A weight that is effective by flow is so by topology.
    What is added to a unit, such as a bias, starts no path from the inputs: if it's prunable, it's
    never effective by flow, and by topology it is where outputs are reached from its unit.

    Args:
        apply_fn: ``apply_fn(params, inputs)``, the network in inference mode.
        params: a pytree of arrays, or their shapes as ``jax.ShapeDtypeStruct``; the numbers don't
            matter.
        mask: a pytree like ``params`` of booleans that broadcast against its leaves. What isn't
            prunable, a scalar ``True``, counts as kept.
        inputs: an example, or its shapes as ``jax.ShapeDtypeStruct``; the numbers don't matter.
        by: ``"flow"``, for networks of which `synflow` reads the linear network; or
            ``"topology"``, for any network that has gradients, where an operation that isn't
            understood counts as leading from all of its operands to all of its results, rounds of a
            loop count together, and what no input reaches counts as 0.

    Returns:
        A mask: boolean leaves in the shape of the parameter where prunable, scalar ``True``
        elsewhere. If no path is left, all is ``False``.

    Raises:
        ValueError: mask and params don't match, ``apply_fn`` fails on the inputs, or ``by`` is
            something else.
        TypeError: ``apply_fn`` isn't a function of params and inputs, a leaf of the mask isn't
            boolean, it's called under ``jit``, or by flow params or inputs aren't floating-point.
        NonHomogeneousError: by flow, the network isn't linear once everything is nonnegative. A
            ValueError that names the operation and its line.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["hidden"]) @ params["output"]
    >>> params = {"hidden": jnp.ones((2, 2)), "output": jnp.ones((2, 1))}
    >>> mask = {"hidden": jnp.eye(2, dtype=bool), "output": jnp.array([[True], [False]])}
    >>> sf.effective(apply_fn, params, mask, jnp.ones((1, 2)))["hidden"]
    Array([[ True, False],
           [False, False]], dtype=bool)
    """
    check_params_fn("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    check_values({"mask": mask}, "paths are followed on the host: call this outside")
    check_mask(mask, params)
    check_scalars(mask)
    if by not in ("flow", "topology"):
        raise ValueError(f"by must be 'flow' or 'topology', got by={by!r}")
    shapes = jax.tree.map(_shape, params)
    find = on_flow_paths if by == "flow" else on_unit_paths
    used = find(apply_fn, shapes, mask, jax.tree.map(_shape, inputs))
    return jax.tree.map(lambda m, own: own if jnp.ndim(m) else jnp.array(True), mask, used)


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))
