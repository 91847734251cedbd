"""The multiply-adds of dense and convolutional layers."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring
from synflow_jax.checks import (
    called,
    check_callable,
    check_mask,
    check_names,
    check_scalars,
    check_values,
    named_leaves,
)
from synflow_jax.diagnostics.layers import kept_weights
from synflow_jax.types import ApplyFn, Mask, Params


class Multiplications(NamedTuple):
    """Multiply-adds for one input.

    Attributes:
        total: of all layers, an int.
        by_layer: those of each parameter that is multiplied with something, by its name.
    """

    total: int
    by_layer: dict[str, int]


def multiplications(
    apply_fn: ApplyFn, params: Params, inputs: Any, mask: Mask | None = None
) -> Multiplications:
    """The multiply-adds of dense and convolutional layers for one input.

    Counted are the products in matrix products and convolutions of which one side is made of one
    parameter:

        ``positions of the output * weights`` of a convolution (of a transposed one, positions of
        the input), with those products at borders whose other factor is padding;

        ``rows * weights`` of a dense layer, where rows are its inputs' vectors, one for each token
        or pixel that it's applied to.

    A multiply-add counts once, as in the tables of the networks' authors and of torchvision.
    Products element by element, such as normalizations', biases, pooling and products of two
    activations, such as attention's, aren't counted. With a mask each weight that it keeps counts
    as often as it's used: a fraction of its layer's products.

    Args:
        apply_fn: ``apply_fn(params, inputs)``, the network.
        params: a pytree of arrays, or their shapes as ``jax.ShapeDtypeStruct``.
        inputs: an example, or its shapes as ``jax.ShapeDtypeStruct``. The leading axis of its
            arrays is the batch, by which the products are divided.
        mask: a pytree like ``params`` of booleans that broadcast against its leaves; by default
            everything is kept.

    Returns:
        A `Multiplications`.

    Raises:
        ValueError: mask and params don't match, ``apply_fn`` fails on the inputs, or two leaves
            have one name.
        TypeError: ``apply_fn`` isn't a function of params and inputs, a leaf of the mask isn't
            boolean, or it's traced.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["hidden"]) @ params["output"]
    >>> params = {"hidden": jnp.ones((4, 3)), "output": jnp.ones((3, 2))}
    >>> mask = {"hidden": jnp.arange(12).reshape(4, 3) < 5, "output": jnp.array(True)}
    >>> sf.multiplications(apply_fn, params, jnp.ones((8, 4)), mask)
    Multiplications(total=11, by_layer={'hidden': 5, 'output': 6})
    """
    check_callable("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    check_names(params)
    if mask is not None:
        check_values({"mask": mask}, "weights are counted on the host: call this outside")
        check_mask(mask, params)
        check_scalars(mask)
    program = called("apply_fn", lambda *args: wiring.traced(apply_fn, *args), params, inputs)
    leaves = named_leaves(params)
    masks = [True] * len(leaves) if mask is None else jax.tree.leaves(mask)
    values = program.inputs[: len(leaves)]
    products = wiring.multiplications(program, values, _everything(program))
    examples = wiring.batch_size(inputs)
    by_layer = {}
    for (name, leaf), own, value in zip(leaves, masks, values, strict=True):
        if whole := products[value].before:
            shape = jnp.shape(leaf)
            by_layer[name] = whole * kept_weights(own, shape) // (math.prod(shape) * examples)
    return Multiplications(sum(by_layer.values()), by_layer)


def _everything(program: wiring.Program) -> wiring.KeptOf:
    return lambda value: [np.ones(size, bool) for size in program.shape(value)]
