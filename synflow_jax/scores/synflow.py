"""SynFlow: how much of the network's flow passes through a weight."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.checks import called, check_float_output
from synflow_jax.masks import apply_mask
from synflow_jax.types import ApplyFn, Mask, Params, ScoreFn, Scores


def synflow(
    apply_fn: ApplyFn, inputs: Any, *, dtype: jax.typing.DTypeLike | None = None
) -> ScoreFn:
    """Score ``|w| * dR/d|w|``, with R the sum of ``apply_fn(|params|, inputs)``.

    With all parameters in absolute value and nonnegative inputs the network is linear in each of
    its layers, and R is the sum over all paths from input to output of the products of their
    weights. A weight's score is the part of R that passes through it. Without biases the scores
    of every layer, and of every hidden unit's incoming and outgoing weights, add up to R
    (Tanaka et al. 2020, equation 2 and theorem 1).

    Args:
        apply_fn: ``apply_fn(params, inputs) -> outputs``, the network in inference mode.
        inputs: a batch of one with the shape of the network's input, such as
            ``jnp.ones((1, 32, 32, 3))``, which is the paper's.
        dtype: floating-point type to compute in; the params' own by default. ``jnp.float64``
            (with x64 enabled) gives the same masks after many rounds on every platform.

    Returns:
        A score function that needs neither batch nor key.

    Raises:
        ValueError: when called, ``apply_fn`` fails on the inputs.
        TypeError: when called, the outputs aren't floating-point.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0, -2.0], [3.0, 4.0]])}
    >>> score_fn = sf.synflow(lambda params, inputs: inputs @ params["kernel"], jnp.ones((1, 2)))
    >>> score_fn(params, {"kernel": jnp.array(True)}, None, None)["kernel"]
    Array([[1., 2.],
           [3., 4.]], dtype=float32)
    """

    def flow(params: Params) -> jax.Array:
        outputs = called("apply_fn", apply_fn, params, _cast(inputs, dtype))
        check_float_output("apply_fn", outputs)
        return jax.tree.reduce(jnp.add, jax.tree.map(jnp.sum, outputs))

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del batch, key
        magnitudes = jax.tree.map(jnp.abs, _cast(apply_mask(mask, params), dtype))
        return jax.tree.map(jnp.multiply, magnitudes, jax.grad(flow)(magnitudes))

    return score_fn


def _cast(tree: Any, dtype: jax.typing.DTypeLike | None) -> Any:
    if dtype is None:
        return tree
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)
