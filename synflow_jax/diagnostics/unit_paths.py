"""Which weights lie between units that inputs reach and units that reach outputs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring
from synflow_jax.checks import called
from synflow_jax.types import ApplyFn, Mask, Params


def on_unit_paths(apply_fn: ApplyFn, shapes: Params, mask: Mask, inputs: Any) -> Mask:
    """Where the gradient may differ from 0, as far as the units of each value tell.

    The gradient's own program says so: that of a kernel is a product of what comes in with what
    comes back.

    Args:
        apply_fn: the network.
        shapes: of the params.
        mask: a boolean leaf for each parameter.
        inputs: their shapes.

    Returns:
        What of the mask is used, boolean leaves in the shapes of the params.
    """
    leaves, treedef = jax.tree.flatten(shapes)
    outputs = called("apply_fn", lambda *args: jax.eval_shape(apply_fn, *args), shapes, inputs)

    def gradients(params: list[Any], inputs: Any, back: list[Any]) -> list[Any]:
        def results(moving: list[Any]) -> list[Any]:
            given = iter(moving)
            full = [next(given) if _is_float(leaf) else leaf for leaf in params]
            return _floats(apply_fn(treedef.unflatten(full), inputs))

        return jax.vjp(results, _floats(params))[1](back)[0]

    def traced(params: list[Any], inputs: Any) -> wiring.Program:
        return wiring.traced(gradients, params, inputs, _floats(outputs))

    program = called("apply_fn", traced, leaves, inputs)
    others = program.inputs[len(leaves) :]
    masks = [
        np.broadcast_to(np.asarray(m), leaf.shape)
        for m, leaf in zip(jax.tree.leaves(mask), leaves, strict=True)
    ]
    facts = list(map(_kept, masks))
    facts += [wiring.unknown(len(program.shape(value))) for value in others]
    known = wiring.learned(program, facts, others, _without_constants)
    found = iter(program.outputs)
    # On the host, where nothing is compiled.
    used = [
        m & (known.facts[next(found)].varies if _is_float(leaf) else False)
        for m, leaf in zip(masks, leaves, strict=True)
    ]
    return treedef.unflatten(map(jax.device_put, used))


def _without_constants(fact: wiring.Fact) -> wiring.Fact:
    return wiring.unknown(fact.varies.ndim, fact.varies)


def _kept(mask: np.ndarray) -> wiring.Fact:
    """A parameter: a constant that isn't 0 where it's kept, and never varies."""
    return wiring.Fact(np.zeros((1,) * mask.ndim, bool), mask.astype(np.float32), mask)


def _floats(tree: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(tree) if _is_float(leaf)]


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
