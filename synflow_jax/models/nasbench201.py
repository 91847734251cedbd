"""The networks of NAS-Bench-201, one by one and as one super network."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from synflow_jax.models.cells import EDGES, OPERATIONS
from synflow_jax.models.layers import (
    KAIMING_FAN_IN,
    UNIFORM_FAN_IN,
    Activation,
    conv,
    dense,
    norm,
)

WIDTHS = (16, 32, 64)
DEPTH = 5
SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}

Watch = Callable[[jax.Array, jax.Array | float], jax.Array]
"""Makes an array of what enters a ReLU and of its weight, which is 1 or that of the operation."""

Settle = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
"""What a cell of a super network puts out, divided by some power of two, and that power."""


def _nothing(x: jax.Array, weight: jax.Array | float) -> jax.Array:
    del x, weight
    return jnp.zeros(())


class ReLUConv(nnx.Module):
    """ReLU, convolution, BatchNorm."""

    def __init__(
        self,
        features: tuple[int, int],
        size: int,
        *,
        stride: int = 1,
        activation: Activation,
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        self.conv = conv(features, size, KAIMING_FAN_IN, stride=stride, rngs=rngs)
        self.norm = norm(features[1], rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.conv(self.activation(x)))


class Edge(nnx.Module):
    """The weighted sum of some operations; those with weights of their own are modules here."""

    def __init__(
        self, width: int, operations: Sequence[str], *, activation: Activation, rngs: nnx.Rngs
    ):
        self.operations = tuple(operations)
        self.convs = nnx.Dict(
            {
                name: ReLUConv((width, width), SIZES[name], activation=activation, rngs=rngs)
                for name in operations
                if name in SIZES
            }
        )

    def __call__(
        self, x: jax.Array, weights: jax.Array | None, watch: Watch
    ) -> tuple[jax.Array, jax.Array]:
        total, seen = 0.0 * x, jnp.zeros(())
        for name in self.operations:
            if weights is None:
                total = total if name == "none" else total + self._apply(name, x)
                seen = seen + watch(x, 1.0) if name in SIZES else seen
            elif name != "none":
                weight = weights[OPERATIONS.index(name)]
                total = total + weight * self._apply(name, x)
                seen = seen + watch(x, weight) if name in SIZES else seen
        return total, seen

    def _apply(self, name: str, x: jax.Array) -> jax.Array:
        if name == "skip_connect":
            return x
        return average(x) if name == "avg_pool_3x3" else self.convs[name](x)


def average(x: jax.Array) -> jax.Array:
    """The mean over 3x3 positions, at the border over those that there are."""
    rows, columns = (places_inside(length) for length in x.shape[1:3])
    shares = jnp.asarray(1 / np.outer(rows, columns)[None, :, :, None], x.dtype)
    return window_sums(x, 3, 1, "SAME") * shares


def window_sums(x: jax.Array, size: int, stride: int, padding: str) -> jax.Array:
    """Sums over ``size`` x ``size`` positions."""
    return lax.reduce_window(x, 0.0, lax.add, (1, size, size, 1), (1, stride, stride, 1), padding)


def places_inside(length: int) -> np.ndarray:
    """How many of the three places around each of so many lie among them."""
    places = np.arange(length)
    return np.minimum(places + 1, length - 1) - np.maximum(places - 1, 0) + 1


class Cell(nnx.Module):
    """Four nodes, each the sum of its edges from those before; the last one is put out."""

    def __init__(
        self,
        width: int,
        operations: Sequence[Sequence[str]],
        *,
        activation: Activation,
        rngs: nnx.Rngs,
    ):
        self.edges = nnx.List(
            [Edge(width, names, activation=activation, rngs=rngs) for names in operations]
        )

    def __call__(
        self, x: jax.Array, choice: jax.Array | None, watch: Watch
    ) -> tuple[jax.Array, jax.Array]:
        nodes, seen = {0: x}, jnp.zeros(())
        for index, (source, node) in enumerate(EDGES):
            weights = None if choice is None else choice[index]
            value, more = self.edges[index](nodes[source], weights, watch)
            nodes[node] = nodes[node] + value if node in nodes else value
            seen = seen + more
        return nodes[3], seen


def apply_cells(
    cells: Sequence[Cell],
    x: jax.Array,
    choice: jax.Array | None,
    watch: Watch,
    settle: Settle | None,
) -> tuple[jax.Array, jax.Array]:
    """Equal cells one after another; those of a super network in a scan, which compiles faster.

    What BatchNorm's averages become in the scan is dropped.
    """
    if choice is None:
        seen = jnp.zeros(())
        for cell in cells:
            x, more = cell(x, choice, watch)
            seen = seen + more
        return x, seen
    graph, _ = nnx.split(cells[0])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(nnx.state, cells))

    def step(x: jax.Array, state: nnx.State) -> tuple[jax.Array, jax.Array]:
        x, seen = nnx.merge(graph, state)(x, choice, watch)
        return (x, seen) if settle is None else settle(x)

    x, seen = lax.scan(step, x, stacked)
    return x, jnp.sum(seen, axis=0)


class Reduction(nnx.Module):
    """A residual block that halves the size and doubles the width."""

    def __init__(self, width: int, *, activation: Activation, rngs: nnx.Rngs):
        inner, outer = (width, 2 * width), (2 * width, 2 * width)
        self.first = ReLUConv(inner, 3, stride=2, activation=activation, rngs=rngs)
        self.second = ReLUConv(outer, 3, activation=activation, rngs=rngs)
        self.shortcut = conv(inner, 1, KAIMING_FAN_IN, rngs=rngs)

    def __call__(self, x: jax.Array, watch: Watch) -> tuple[jax.Array, jax.Array]:
        inner = self.first(x)
        seen = watch(x, 1.0) + watch(inner, 1.0)
        return self.second(inner) + self.shortcut(window_sums(x, 2, 2, "VALID") / 4), seen


class NASBench201(nnx.Module):
    """Three stages of five equal cells at 16, 32 and 64 channels, residual blocks between them.

    Dong & Yang 2020, arXiv:2001.00326. Convolutions are Kaiming normal with fan-in, the classifier
    uniform within +-1 / sqrt(fan_in).

    Args:
        operations: the operations of each edge: one for a network, all for the super network.
        input_shape: height, width and channels of an image; height and width multiples of 4.
        num_classes: how many logits.
        activation: of all ReLUs.
        dense_classifier: leave the last layer unpruned, as in `create`.
        settle: is called behind each cell of a super network, and what it returns second is added
            to what is watched.
        rngs: where the random numbers come from.
    """

    def __init__(
        self,
        operations: Sequence[Sequence[str]],
        input_shape: tuple[int, int, int],
        num_classes: int,
        *,
        activation: Activation = jax.nn.relu,
        dense_classifier: bool = False,
        settle: Settle | None = None,
        rngs: nnx.Rngs,
    ):
        if input_shape[0] % 4 or input_shape[1] % 4:
            raise ValueError(
                "NAS-Bench-201's networks halve images twice: height and width must be multiples "
                f"of 4, got input_shape={input_shape}"
            )
        given = {"activation": activation, "rngs": rngs}
        self.activation, self.settle = activation, settle
        self.conv = conv((input_shape[-1], WIDTHS[0]), 3, KAIMING_FAN_IN, rngs=rngs)
        self.norm = norm(WIDTHS[0], rngs=rngs)
        self.stages = nnx.List(
            [nnx.List([Cell(w, operations, **given) for _ in range(DEPTH)]) for w in WIDTHS]
        )
        self.reductions = nnx.List([Reduction(width, **given) for width in WIDTHS[:-1]])
        self.last_norm = norm(WIDTHS[-1], rngs=rngs)
        last = (WIDTHS[-1], num_classes)
        self.output = dense(last, UNIFORM_FAN_IN, pruned=not dense_classifier, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        return self.watched(inputs)[0]

    def watched(
        self, inputs: jax.Array, choice: jax.Array | None = None, watch: Watch = _nothing
    ) -> tuple[jax.Array, jax.Array]:
        """The logits, and the sum of what ``watch`` makes of each ReLU's input.

        Args:
            inputs: images.
            choice: of a super network: ``(6, 5)`` weights of the edges' operations.
            watch: makes arrays of one shape.
        """
        x, seen = self.norm(self.conv(inputs)), jnp.zeros(())
        for index, stage in enumerate(self.stages):
            if index:
                x, more = self.reductions[index - 1](x, watch)
                seen = seen + more
            x, more = apply_cells(stage, x, choice, watch, self.settle)
            seen = seen + more
        x = self.last_norm(x)
        seen = seen + watch(x, 1.0)
        return self.output(jnp.mean(self.activation(x), axis=(1, 2))), seen
