"""SynFlow: how much of the network's flow passes through a weight."""

from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from synflow_jax.checks import (
    called,
    check_alive,
    check_bool,
    check_float_output,
    check_params,
    check_params_fn,
    check_whole,
)
from synflow_jax.homogeneous import (
    Scaled,
    branching_outputs,
    linear_outputs,
    sum_of_all,
    widened,
)
from synflow_jax.masks import apply_mask
from synflow_jax.types import ApplyFn, Mask, Params, PathScores, ScoreFn, Scores

Through = Literal["attention"] | None
"""What else than positively homogeneous operations the flow goes through; see `synflow`."""


class Flow(NamedTuple):
    """The value ``mantissa * 2 ** exponent``, which may lie beyond a float's range.

    Attributes:
        mantissa: nonnegative floating-point scalar, 0 where no path is left.
        exponent: int32 scalar.
    """

    mantissa: jax.Array
    exponent: jax.Array

    @property
    def log2(self) -> jax.Array:
        """Logarithm to base 2, a floating-point scalar; -inf where no path is left.

        Its gradient is finite at any depth, and 0 where no path is left: ``loss - strength *
        flow(...).log2`` keeps flow in a network while it's trained and pruned.
        """
        mantissa = self.mantissa.astype(jnp.promote_types(self.mantissa.dtype, jnp.float32))
        some = mantissa > 0
        logarithm = jnp.log2(jnp.where(some, mantissa, 1)) + self.exponent.astype(mantissa.dtype)
        return jnp.where(some, logarithm, -jnp.inf)


def synflow(
    apply_fn: ApplyFn,
    inputs: Any,
    *,
    dtype: jax.typing.DTypeLike | None = None,
    biases: bool | None = None,
    power: int = 1,
    times: Literal["power", "weight"] = "power",
    through: Through = None,
) -> ScoreFn:
    """Score ``|w| * dR/d|w|``, with R the sum of the linear network's outputs.

    The linear network is the network with all parameters in absolute value on nonnegative
    inputs, where a ReLU or any other activation that stands for the positive part is the
    identity. R is the sum over all paths from input to output of the products of their weights,
    and a weight's score is the part of R that passes through it. Without biases the scores of
    every layer, and of every hidden unit's incoming and outgoing weights, add up to R
    (Tanaka et al. 2020, arXiv:2006.05467, equation 2 and theorem 1).

    R grows by the layer and soon leaves a float's range. Intermediate values are therefore held
    as mantissa * 2 ** exponent, and the scores come out divided by one common power of two: they
    are finite at any depth, and their order is exact down to 2 ** -126 of the largest (2 ** -1022
    in float64). Smaller scores are 0; `prune` refuses if all of a layer's are, such as those of an
    early exit beside a deep network. Each weight and each factor between layers is taken to be 0 or
    within 2 ** +-40 (float32 and bfloat16; 2 ** +-320 in float64).

    Constants of the network enter in absolute value, also those that are added. A large negative
    number that hides elements (-10,000 or less if added, any negative number if filled in) is
    refused.

    ``through="attention"`` extends it, so that R is of degree one in the weights of each layer:

    - LayerNorm, RMSNorm and GroupNorm: statistics are held constant, so that the flow is multiplied
      by the scale; the mean's subtraction is left out, the shift is a bias.
    - Attention: values carry the flow. Its weights are ``|q| |k|^T`` of the linear network, 0 at
      masked positions, divided by the sums of their rows; the inputs of q and k and those sums are
      held constant.
    - Gates (GLU, SwiGLU, squeeze-excitation, experts): of two branches that are multiplied the one
      without the activation carries the flow; the other is divided by its mean (a softmax by its
      sum), and that mean and what both branches come from are held constant.
    - Integer inputs choose rows of embeddings, which start the flow. What is added to it, such as
      position embeddings, is a bias.

    Then, by Euler's theorem, without biases the scores of the query, key, value and output kernels
    of an attention layer each add up to the flow through it, and so do those of both kernels before
    a gate.

    Args:
        apply_fn: ``apply_fn(params, inputs) -> outputs``, the network in inference mode.
        inputs: a batch of one with the shape of the network's input, nonnegative, such as
            ``jnp.ones((1, 32, 32, 3))``, which is the paper's; a ``jax.ShapeDtypeStruct`` stands
            for ones of its shape. Equal rows and columns, as in ones, are computed once, unless
            the numbers are known only when the program runs.
        dtype: floating-point type to compute in; the params' own by default, but float32 for
            float16, which has too few exponents. ``jnp.float64`` (with x64 enabled) gives the
            same masks after many rounds on every platform.
        biases: whether biases, BatchNorm shifts and running means (all that is added to the
            flow) take part, in absolute value, as in the paper's program and by default. They start
            paths inside the network, so R is then more than the scores of a layer add up to. With
            ``False`` they are left out of the linear network and conservation is exact; it's the
            default of ``through="attention"``, where positions and the class's token would start
            paths past the input. What is held constant there has them in either case.
        power: 2 takes R of the squared params, and scores ``w^2 * dR/d(w^2)``: the sum over paths
            of squared products of weights, which belongs to the path kernel (Gebhart et al. 2021,
            arXiv:2103.12166). It's conserved in the same way. A factor is then within 2 ** +-40 if
            a weight is within 2 ** +-20.
        through: ``"attention"`` takes the linear network of networks with attention, normalization
            over units and gates; see below. By default they are refused.
        times: with ``power=2``, ``"weight"`` scores ``|w| * dR/d(w^2)`` instead, which isn't
            conserved, as public programs of that method do.

    Returns:
        A score function that needs neither batch nor key. The scores have the params' shapes, are
        nonnegative, and 0 where pruned; their dtype is ``dtype``.

    Raises:
        ValueError: inputs are empty, negative or not finite, ``dtype`` is float64 without x64,
            power isn't 1 or 2, or ``times`` is another; when the score function is called,
            ``apply_fn`` fails, or mask and params don't match.
        TypeError: ``apply_fn`` isn't a function of params and inputs, inputs or ``dtype`` aren't
            floating-point, or ``biases`` isn't a bool; when the score function is called, the
            outputs aren't floating-point or a leaf of the mask isn't boolean.
        NonHomogeneousError: when the score function is called, the network isn't linear once
            everything is nonnegative. A ValueError that names the operation and its line.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0, -2.0], [3.0, 4.0]])}
    >>> score_fn = sf.synflow(lambda params, inputs: inputs @ params["kernel"], jnp.ones((1, 2)))
    >>> scores = score_fn(params, {"kernel": jnp.array(True)}, None, None)["kernel"]
    >>> scores / scores.max()
    Array([[0.25, 0.5 ],
           [0.75, 1.  ]], dtype=float32)
    """
    biases = through is None if biases is None else biases
    inputs = _checked(apply_fn, inputs, dtype, biases, through)
    if check_whole("power", power) not in (1, 2) or times not in ("power", "weight"):
        raise ValueError(
            f"power must be 1 or 2 and times 'power' or 'weight', got power={power}, "
            f"times={times!r}"
        )

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del batch, key
        sizes = _absolute(apply_mask(mask, params), dtype)
        weights = jax.tree.map(jnp.square, sizes) if power == 2 else sizes
        flow_fn = partial(
            _flow_of, apply_fn, inputs=inputs, dtype=dtype, biases=biases, through=through
        )
        gradient = jax.grad(lambda w: flow_fn(w).mantissa)
        factors = weights if times == "power" else sizes
        return jax.tree.map(jnp.multiply, factors, gradient(weights))

    return PathScores(score_fn)


def flow(
    apply_fn: ApplyFn,
    params: Params,
    inputs: Any,
    *,
    dtype: jax.typing.DTypeLike | None = None,
    biases: bool | None = None,
    through: Through = None,
) -> Flow:
    """R, the sum of the linear network's outputs.

    It's the sum over all paths from input to output of the products of their weights in absolute
    value (Tanaka et al. 2020, arXiv:2006.05467, equation 2); `synflow` says how it's computed.

    Args:
        apply_fn: ``apply_fn(params, inputs) -> outputs``, the network in inference mode.
        params: a pytree of floating-point arrays; mask them first for the flow that is left.
        inputs: nonnegative arrays of the network's input shape, such as
            ``jnp.ones((1, 32, 32, 3))``, or a ``jax.ShapeDtypeStruct`` for ones of its shape.
        dtype: floating-point type to compute in; the params' own by default, but float32 for
            float16.
        biases: whether all that is added to the flow takes part, in absolute value; by default
            it does, but not through attention.
        through: as for `synflow`.

    Returns:
        R as ``mantissa * 2 ** exponent``, with its ``log2``.

    Raises:
        ValueError: inputs are empty, negative or not finite, ``apply_fn`` fails on them, or
            ``dtype`` is float64 without x64.
        TypeError: ``apply_fn`` isn't a function of params and inputs, ``biases`` isn't a bool, or
            params, inputs, outputs or ``dtype`` aren't floating-point.
        NonHomogeneousError: the network isn't linear once everything is nonnegative. A ValueError
            that names the operation and its line.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def deep(params, x):
    ...     for _ in range(100):
    ...         x = x @ params
    ...     return x
    >>> sf.flow(deep, jnp.full((4, 4), -16.0), jnp.ones((1, 4))).log2  # (4 * 16) ** 100 * 4
    Array(602., dtype=float32)
    """
    biases = through is None if biases is None else biases
    inputs = _checked(apply_fn, inputs, dtype, biases, through)
    if params is None or jax.tree.leaves(params):
        check_params(params)
    weights = _absolute(params, dtype)
    result = _flow_of(apply_fn, weights, inputs=inputs, dtype=dtype, biases=biases, through=through)
    return Flow(result.mantissa, result.exponent)


def _flow_of(
    apply_fn: ApplyFn, weights: Params, *, inputs: Any, dtype: Any, biases: bool, through: Through
) -> Scaled:
    def checked(params: Params, inputs: Any) -> Any:
        outputs = called("apply_fn", apply_fn, params, inputs)
        check_float_output("apply_fn", outputs)
        return outputs

    # Cast now, not in the program: which slices are equal is only known of concrete numbers.
    with jax.ensure_compile_time_eval():
        inputs = _cast(inputs, dtype)
    outputs = branching_outputs if through == "attention" else linear_outputs
    return sum_of_all(outputs(checked, weights, inputs, biases=biases))


def _absolute(params: Params, dtype: Any) -> Params:
    return jax.tree.map(jnp.abs, _cast(params, dtype))


def _cast(tree: Any, dtype: Any) -> Any:
    def cast(leaf: Any) -> Any:
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            return leaf
        return widened(leaf if dtype is None else jnp.asarray(leaf, dtype))

    return jax.tree.map(cast, tree)


def _checked(apply_fn: Any, inputs: Any, dtype: Any, biases: Any, through: Any) -> Any:
    """The inputs, ones in place of shapes, after the checks of all arguments."""
    check_params_fn("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    check_bool("biases", biases)
    if through not in (None, "attention"):
        raise ValueError(f"through must be None or 'attention', got through={through!r}")
    _check_dtype(dtype)
    inputs = jax.tree.map(_ones_for_shape, inputs)
    leaves = jax.tree.leaves(inputs)
    for leaf in leaves:
        check_alive("inputs", leaf)
    if not leaves or any(np.size(leaf) == 0 for leaf in leaves):
        raise ValueError(
            f"inputs must not be empty, got shapes {[np.shape(leaf) for leaf in leaves]}; "
            "the paper's are jnp.ones(shape) with a batch of one"
        )
    for leaf in leaves:
        if through is None or not jnp.issubdtype(jnp.result_type(leaf), jnp.integer):
            _check_input(leaf)
    return inputs


def _ones_for_shape(leaf: Any) -> Any:
    is_shape = isinstance(leaf, jax.ShapeDtypeStruct)
    return np.ones(leaf.shape, leaf.dtype) if is_shape else leaf


def _check_input(leaf: Any) -> None:
    if not isinstance(leaf, (jax.Array, np.ndarray, float)):
        raise TypeError(f"inputs must be arrays, got {leaf!r}; the paper's are jnp.ones(shape)")
    if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
        raise TypeError(
            f"inputs must be floating-point, got {jnp.result_type(leaf)}; the paper's are "
            "jnp.ones(shape); through='attention' takes token ids"
        )
    if isinstance(leaf, Tracer):
        return
    if not np.all(np.isfinite(np.asarray(leaf, np.float64))):
        raise ValueError("inputs must be finite, got inf or NaN; the paper's are jnp.ones(shape)")
    if not np.all(np.asarray(leaf) >= 0):
        raise ValueError(
            f"inputs must be nonnegative, got a smallest value of {np.min(leaf):g}; "
            "the paper's are jnp.ones(shape)"
        )


def _check_dtype(dtype: Any) -> None:
    if dtype is None:
        return
    try:
        dtype = jnp.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be a floating-point type, got dtype={dtype!r}") from None
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"dtype must be a floating-point type, got dtype={dtype}")
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise ValueError(f"dtype={dtype} needs x64; call jax.config.update('jax_enable_x64', True)")
