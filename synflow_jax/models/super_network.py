"""All networks of NAS-Bench-201 in one, whose operations are weighted by a choice."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from synflow_jax.models.cells import EDGES, OPERATIONS
from synflow_jax.models.nasbench201 import DEPTH, SIZES, WIDTHS, NASBench201, ReLUConv

ChoiceFn = Callable[[Any, Any, Any], jax.Array]
"""``fn(params, inputs, choice) -> outputs``."""


class SuperNetwork(NamedTuple):
    """NAS-Bench-201's networks with shared params; each function takes a choice ``(6, 5)``.

    Attributes:
        params: of all operations of all edges.
        apply_fn: ``apply_fn(params, inputs, choice) -> logits``, in inference mode.
        training_fn: the same with the batch's own statistics in BatchNorm.
        log2_flow_fn: log2 of R, the sum of the linear network's outputs, finite at any depth; -inf
            where no path is left. Biases, which start paths of their own, are left out.
        patterns_fn: ``(params, inputs, choice) -> (N, N)``: for each pair of inputs how many units
            are both open or both closed, with the batch's own statistics.
    """

    params: Any
    apply_fn: ChoiceFn
    training_fn: ChoiceFn
    log2_flow_fn: ChoiceFn
    patterns_fn: ChoiceFn


def nasbench201(
    *, num_classes: int, input_shape: tuple[int, int, int], rngs: nnx.Rngs
) -> SuperNetwork:
    """All 15,625 networks of NAS-Bench-201 as one function of a choice.

    An edge is the sum of its operations, each times its weight in the choice; a one-hot choice
    (`cell_choices`) gives the network that `create` makes of the cell's string.

    Args:
        num_classes: how many logits.
        input_shape: height, width and channels of an image; height and width multiples of 4.
        rngs: where the random numbers come from, such as ``nnx.Rngs(0)``.

    Returns:
        The `SuperNetwork`.

    Raises:
        ValueError: images are of another size.

    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> from synflow_jax.models import cell_choices, nasbench201
    >>> network = nasbench201(num_classes=10, input_shape=(8, 8, 1), rngs=nnx.Rngs(0))
    >>> choice = cell_choices(["|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"])[0]
    >>> network.apply_fn(network.params, jnp.ones((2, 8, 8, 1)), choice).shape
    (2, 10)
    """
    operations = [OPERATIONS] * len(EDGES)
    model = NASBench201(operations, input_shape, num_classes, rngs=rngs)
    _, params, others = nnx.split(model, nnx.Param, ...)
    inference, training = (nnx.view(model, use_running_average=flag) for flag in (True, False))
    linear = linearized(inference)

    def function(module: Any) -> Callable[..., tuple[jax.Array, jax.Array]]:
        structure = nnx.graphdef(module)

        def watched(params: Any, inputs: Any, *options: Any) -> tuple[jax.Array, jax.Array]:
            return nnx.merge(structure, params, others, copy=True).watched(inputs, *options)

        return watched

    def log2_flow(params: Any, inputs: Any, choice: Any) -> jax.Array:
        outputs, exponents = paths(nonnegative(params), inputs, choice)
        return log2_or_none(jnp.sum(outputs)) + exponents

    real, batch, paths = map(function, (inference, training, linear))
    return SuperNetwork(
        params,
        lambda params, inputs, choice: real(params, inputs, choice)[0],
        lambda params, inputs, choice: batch(params, inputs, choice)[0],
        log2_flow,
        lambda params, inputs, choice: batch(params, inputs, choice, agreement)[1],
    )


def linearized(model: NASBench201) -> NASBench201:
    """A copy with the identity in place of ReLU, whose cells' outputs don't overflow."""
    copy = nnx.clone(model)
    for _, module in nnx.iter_modules(copy):
        if isinstance(module, ReLUConv | NASBench201):
            module.activation = _identity
    copy.settle = settled
    return copy


def _identity(x: jax.Array) -> jax.Array:
    return x


def nonnegative(params: Any) -> Any:
    """Params in absolute value, and biases 0."""

    def of_leaf(path: Any, leaf: jax.Array) -> jax.Array:
        is_bias = any(getattr(step, "key", None) == "bias" for step in path)
        return jnp.zeros_like(leaf) if is_bias else jnp.abs(leaf)

    return jax.tree_util.tree_map_with_path(of_leaf, params)


def settled(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``x`` divided by the power of two below its largest number, and that power's exponent."""
    largest = lax.stop_gradient(jnp.max(x))
    exponent = jnp.floor(jnp.log2(jnp.where(largest > 0, largest, 1)))
    return x * jnp.exp2(-exponent), exponent


def log2_or_none(x: jax.Array) -> jax.Array:
    """log2 of a nonnegative number, -inf at 0, where its derivative is 0."""
    return jnp.where(x > 0, jnp.log2(jnp.where(x > 0, x, 1)), -jnp.inf)


def agreement(x: jax.Array, weight: jax.Array | float) -> jax.Array:
    """For each pair of examples how many units are above 0 in both or in neither."""
    opened = (x > 0).reshape(len(x), -1).astype(jnp.float32)
    closed = 1 - opened
    return weight * (opened @ opened.T + closed @ closed.T)


def cell_sizes(choices: np.ndarray, *, num_classes: int = 10, channels: int = 3) -> np.ndarray:
    """Trainable parameters of the networks of one-hot choices, int64 of shape ``(N,)``.

    Args:
        choices: one-hot, of shape ``(N, 6, 5)``, from `cell_choices`.
        num_classes: how many logits.
        channels: of an image.

    Returns:
        int64 of shape ``(N,)``.

    Raises:
        ValueError: choices are of another shape.

    >>> from synflow_jax.models import cell_choices, cell_sizes
    >>> sizes = cell_sizes(cell_choices())
    >>> int(sizes.min()), int(sizes.max())
    (73306, 1531546)
    """
    first, last = WIDTHS[0], WIDTHS[-1]
    fixed = 9 * channels * first + 2 * first + 2 * last + (last + 1) * num_classes
    fixed += sum(2 * w * (9 * w + 2 * 9 * w + w) + 2 * 2 * 2 * w for w in WIDTHS[:-1])
    return fixed + _convolutions(choices, lambda size, w, _: (size * size * w + 2) * w)


def cell_multiplications(
    choices: np.ndarray, *, num_classes: int = 10, input_shape: tuple[int, int, int] = (32, 32, 3)
) -> np.ndarray:
    """Multiply-adds of convolutions and classifier for one image, int64 of shape ``(N,)``.

    Args:
        choices: one-hot, of shape ``(N, 6, 5)``, from `cell_choices`.
        num_classes: how many logits.
        input_shape: height, width and channels of an image.

    Returns:
        int64 of shape ``(N,)``.

    Raises:
        ValueError: choices are of another shape.

    >>> from synflow_jax.models import cell_choices, cell_multiplications
    >>> int(cell_multiplications(cell_choices()).max())
    220119680
    """
    height, width, channels = input_shape
    places = [(height >> n) * (width >> n) for n in range(len(WIDTHS))]
    fixed = 9 * channels * WIDTHS[0] * places[0] + WIDTHS[-1] * num_classes
    fixed += sum(
        2 * w * (9 * w + 2 * 9 * w + w) * p for w, p in zip(WIDTHS[:-1], places[1:], strict=True)
    )
    return fixed + _convolutions(choices, lambda size, w, n: size * size * w * w * places[n])


def _convolutions(choices: np.ndarray, cost: Callable[[int, int, int], int]) -> np.ndarray:
    """The sum over the cells' convolutions of ``cost(size, width, stage)``."""
    if np.shape(choices)[1:] != (6, 5):
        raise ValueError(
            f"choices must be of shape (N, 6, 5), got {np.shape(choices)}; pass cell_choices(cells)"
        )
    counts = np.round(np.sum(np.asarray(choices), axis=-2)).astype(np.int64)
    return sum(
        counts[..., OPERATIONS.index(name)]
        * sum(DEPTH * cost(size, width, stage) for stage, width in enumerate(WIDTHS))
        for name, size in SIZES.items()
    )  # pyright: ignore[reportReturnType]
