"""Path exclusion: the flow of squared weights along the paths that the data opens."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax.checks import called, check_float_output, check_params_fn
from synflow_jax.homogeneous import Scaled, linear_outputs, normalized, sum_of_all, widened
from synflow_jax.losses import first_axis
from synflow_jax.masks import apply_mask
from synflow_jax.types import ApplyFn, Mask, Params, PathScores, ScoreFn, Scores


def path_exclusion(apply_fn: ApplyFn) -> ScoreFn:
    """Score ``w^2 * dP/d(w^2)`` with ``P = sum over examples and outputs of z1 * z2``.

    z1 are the outputs with all weights 1 on squared inputs, each ReLU letting through what it lets
    through in the network itself on those inputs; z2 those with squared weights on ones, ReLUs the
    identity. Both leave out all that is added. P is an upper bound of the trace of the neural
    tangent kernel, path by path, and the scores of each layer, and of a hidden unit's incoming and
    outgoing weights, add up to it (Iurada et al. 2024, arXiv:2406.01820).

    As with `synflow` values are held with exponents, so that no depth leaves a float's range, and
    the scores come out divided by one common power of two. Normalization's constants enter in
    absolute value.

    Args:
        apply_fn: ``apply_fn(params, inputs) -> outputs``, the network in inference mode. Of
            activations it may have ReLUs alone, and none within a loop.

    Returns:
        A score function that needs a batch, ``(inputs, integer labels)``, whose labels don't
        matter, or inputs alone; examples are along the first axis. It needs no key. The scores
        have the params' shapes, are nonnegative, and 0 where pruned.

    Raises:
        ValueError: when the score function is called, the batch is None or its arrays haven't the
            same first axis, ``apply_fn`` fails, or mask and params don't match.
        TypeError: ``apply_fn`` isn't a function of params and inputs; when the score function is
            called, inputs or outputs aren't floating-point or a leaf of the mask isn't boolean.
        NonHomogeneousError: when the score function is called, the network has no ReLU, or does
            something that a linear network with ReLUs can't. A ValueError that names the operation
            and its line.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["a"]) @ params["b"]
    >>> params = {"a": jnp.array([[1.0, -1.0]]), "b": jnp.array([[2.0], [3.0]])}
    >>> scores = sf.path_exclusion(apply_fn)(params, sf.full_mask(params), jnp.ones((1, 1)), None)
    >>> scores["b"] / scores["b"].max()  # of z1 = 1: the second unit is closed, and still in z2
    Array([[0.44444445],
           [1.        ]], dtype=float32)
    """
    check_params_fn("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")

    def checked(params: Params, inputs: Any) -> Any:
        outputs = called("apply_fn", apply_fn, params, inputs)
        check_float_output("apply_fn", outputs)
        return outputs

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del key
        first_axis("path_exclusion", batch, "examples")
        inputs = _inputs(batch)
        masked = jax.tree.map(widened, apply_mask(mask, params))
        ones = apply_mask(mask, jax.tree.map(jnp.ones_like, masked))
        squares = jax.tree.map(jnp.square, inputs)
        opened = linear_outputs(checked, ones, squares, biases=False, real=(masked, inputs))
        weights = [_summed(output) for output in opened]
        one = jax.tree.map(lambda x: np.ones((1, *x.shape[1:]), x.dtype), inputs)

        def mantissa(squared: Params) -> jax.Array:
            outputs = linear_outputs(checked, squared, one, biases=False)
            return sum_of_all(
                [_times(*pair) for pair in zip(outputs, weights, strict=True)]
            ).mantissa

        squared = jax.tree.map(jnp.square, masked)
        return jax.tree.map(jnp.multiply, squared, jax.grad(mantissa)(squared))

    return PathScores(score_fn)


def _inputs(batch: Any) -> Any:
    """Without labels, if there are some."""
    if isinstance(batch, tuple | list) and len(batch) == 2:
        kind = getattr(batch[1], "dtype", np.dtype(float))
        if jnp.issubdtype(kind, jnp.integer):
            batch = batch[0]
    for leaf in jax.tree.leaves(batch):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"path_exclusion takes floating-point inputs, got {jnp.result_type(leaf)}; pass "
                "batch=(inputs, labels) or inputs"
            )
    return jax.tree.map(lambda x: widened(jnp.asarray(x)), batch)


def _summed(output: Scaled) -> Scaled:
    """Over examples."""
    return normalized(replace(output, mantissa=output.mantissa.sum(0, keepdims=True)))


def _times(output: Scaled, weight: Scaled) -> Scaled:
    mantissa = output.mantissa * weight.mantissa
    return replace(output, mantissa=mantissa, exponent=output.exponent + weight.exponent)
