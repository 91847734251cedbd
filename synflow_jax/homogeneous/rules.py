"""What each operation does in the linear network, where everything is nonnegative and scaled."""

from jax.extend.core import Primitive

from synflow_jax.homogeneous.joins import (
    adds,
    all_reduces,
    joins,
    scatters,
    selects,
    subtracts,
    takes_larger,
    takes_smaller,
    updates,
)
from synflow_jax.homogeneous.moves import (
    converts,
    gathers,
    pads,
    passes,
    passes_each,
    pools,
    powers,
    shows,
    sums,
    unchanged,
)
from synflow_jax.homogeneous.operands import Rule, alike, unfolding
from synflow_jax.homogeneous.products import accumulates, convolves, divides, multiplies
from synflow_jax.homogeneous.registered import note

RULES: dict[str, Rule] = {
    # Those for which equal slices stay held once.
    **dict.fromkeys("copy copy_p name reduce_precision stop_gradient".split(), passes),
    **dict.fromkeys("reduce_window_max reduce_window_min reduce_window_sum".split(), pools),
    **dict.fromkeys("add add_any".split(), alike(adds)),
    **dict.fromkeys("debug_callback debug_print".split(), shows),
    **dict.fromkeys("integer_pow pow".split(), powers),
    "abs": unchanged,
    "optimization_barrier": passes_each,
    "conv_general_dilated": convolves,
    "convert_element_type": converts,
    "div": alike(divides),
    "max": alike(takes_larger),
    "min": alike(takes_smaller),
    "mul": alike(multiplies),
    "sub": alike(subtracts),
    # The others.
    **dict.fromkeys(
        (
            "broadcast_in_dim dynamic_slice expand_dims layout_constraint "
            "reduce_max reduce_min reshape reshard rev "
            "sharding_constraint slice split squeeze tile transpose cummax cummin"
        ).split(),
        unfolding(passes),
    ),
    **dict.fromkeys("cumsum reduce_sum".split(), unfolding(sums)),
    **dict.fromkeys("psum psum_invariant".split(), unfolding(all_reduces)),
    **dict.fromkeys("device_put pcast pvary".split(), unfolding(passes_each)),
    "concatenate": unfolding(joins),
    "gather": unfolding(gathers),
    "stack": unfolding(joins),
    "dot_general": unfolding(accumulates),
    "dynamic_update_slice": unfolding(updates),
    "pad": unfolding(pads),
    "scatter": unfolding(scatters),
    "scatter-add": unfolding(scatters),
    "select_n": unfolding(selects),
}


def register(primitive: Primitive, rule: Rule) -> None:
    """Says what an operation does in the linear network, for all later calls.

    There its operands are nonnegative, and parts of the flow are held as
    ``mantissa * 2 ** exponent``. `prune`, `sweep` and `tickets` compile anew after it; what you put
    under ``jax.jit`` yourself and called before stays as it was.

    Args:
        primitive: a JAX primitive, such as ``jax.extend.core.primitives.square_p``.
        rule: ``rule(site, *values)`` with a `Site` and, for each operand, a `Scaled` (part of
            the flow) or a `Coefficient`. It returns a `Scaled`, or a list if the operation has
            several results, and raises ``site.refuse(why)`` for what it can't do. It's called only
            if an operand is part of the flow.

    Raises:
        TypeError: ``primitive`` isn't a JAX primitive, or ``rule`` isn't a function.

    For example an operation of your own that doubles its operand:

    >>> from dataclasses import replace
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> from jax.extend.core import Primitive
    >>> double_p = Primitive("double")
    >>> _ = double_p.def_abstract_eval(lambda x: x)
    >>> sf.homogeneous.register(double_p, lambda site, x: replace(x, exponent=x.exponent + 1))
    >>> weight = jnp.array([[3.0, -1.0]])
    >>> sf.flow(lambda w, x: double_p.bind(x @ w), weight, jnp.ones((1, 1))).log2  # 2 * (3 + 1)
    Array(3., dtype=float32)
    """
    if not isinstance(primitive, Primitive):
        raise TypeError(
            "primitive must be a JAX primitive such as jax.extend.core.primitives.square_p, got "
            f"{primitive!r}; for a function call sf.homogeneous.register_activation"
        )
    if not callable(rule):
        raise TypeError(f"rule must be a function of (site, *values), got {rule!r}")
    RULES[primitive.name] = unfolding(rule)
    note(primitive)
