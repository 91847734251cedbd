"""PHEW: the weights that random walks from inputs to outputs pass."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from synflow_jax import wiring
from synflow_jax.checks import (
    called,
    check_callable,
    check_compression,
    check_key,
    check_params,
    check_values,
    named_leaves,
)
from synflow_jax.masks import full_mask, is_kernel, prunable_leaves
from synflow_jax.selection import kept_counts
from synflow_jax.types import ApplyFn, Mask, Params, Prunable
from synflow_jax.walks.graph import Graph, live
from synflow_jax.walks.reading import graph_of
from synflow_jax.walks.values import Still
from synflow_jax.walks.visiting import visited


def phew(
    apply_fn: ApplyFn,
    params: Params,
    compression: float,
    key: jax.Array,
    inputs: Any,
    *,
    prunable: Prunable = is_kernel,
) -> Mask:
    """A mask of the weights that random walks pass: paths with higher edge weights.

    Walks go by turns from an input to an output and from an output to an input, starting from each
    input (output) once before any starts again. From a unit, a channel or neuron, a walk takes one
    of the weights that lead out of it (that enter it) with a chance of ``|w| / sum of |v|`` over
    all of these, v; of a convolution's these are the weights of all channels and positions. Once
    the walks have passed ``N - floor((1 - 1 / compression) * N)`` of all N prunable weights, these
    are kept (Patil and Dovrolis 2021, arXiv:2010.11354). Neither data nor gradients are needed. A
    kept weight always lies on a path of kept weights from an input to an output.

    The paths are read off the function. A sum of two branches is entered from both, over edges
    of weight 1, so that a residual connection is taken like a weight of that size.

    The authors' program differs in four ways. It starts from inputs in their order; here in a
    random one. It keeps all of the last walk, which is often too many; here single weights between
    units that walks have passed are drawn instead, one by one by the chance that a walk passes
    them. At residual connections, and where a convolution meets a dense layer, it takes all ways
    with one chance. It walks to the end, which takes forever where nearly all weights are to be
    kept; here, once less than a tenth of all steps find new weights, the others are drawn as the
    last ones are, or where that isn't enough, walks go through weights so drawn.

    Args:
        apply_fn: ``apply_fn(params, inputs)``, the network in inference mode, of dense and
            convolutional layers, activations element by element, normalization by constants,
            pooling and sums.
        params: a pytree of floating-point arrays.
        compression: prunable weights before / weights after, finite and at least 1.
        key: a ``jax.random.key``; equal ones give equal masks.
        inputs: an example, or its shapes as ``jax.ShapeDtypeStruct``; the numbers don't matter.
        prunable: ``prunable(path, leaf) -> bool``; by default two dimensions or more. Walks pass
            what isn't prunable too.

    Returns:
        The mask: boolean leaves of the parameter's shape where prunable, scalar ``True`` elsewhere.

    Raises:
        ValueError: compression is out of range, ``apply_fn`` fails or does something that can't be
            followed, which is named with its line; a prunable leaf is the kernel of no layer or
            isn't finite; fewer weights are asked for than a path has, or more than are on paths and
            aren't 0.
        TypeError: an argument is of another kind, or it's called under ``jit``.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> def apply_fn(params, x):
    ...     return jax.nn.relu(x @ params["hidden"]) @ params["output"]
    >>> params = {"hidden": jnp.array([[9.0, 1e-6]]), "output": jnp.array([[1e-6, 9.0], [1, 1]])}
    >>> sf.phew(apply_fn, params, 3.0, jax.random.key(0), jnp.ones((1, 1)))["output"]
    Array([[False,  True],
           [False, False]], dtype=bool)
    """
    check_callable("apply_fn", apply_fn, "params, inputs", "sf.from_nnx(model)[0]")
    check_values({"params": params, "key": key}, "walks are done on the host: call this outside")
    check_params(params)
    compression = check_compression(compression)
    if key is None:
        raise ValueError("walks are random; pass key=jax.random.key(0)")
    check_key(key)
    layers = _layers(params, full_mask(params, prunable))
    program = called("apply_fn", lambda *args: wiring.traced(apply_fn, *args), params, inputs)
    graph = graph_of(program, layers.values)
    _check_found(graph, layers)
    (target,) = kept_counts(layers.starts[-1], [1 / compression])
    kept = visited(live(graph), layers.starts[-1], int(target), _generator(key))
    return layers.mask_of(kept)


class _Layers(NamedTuple):
    """The params with numbers for their prunable weights.

    Attributes:
        values: the leaves, each weight of a prunable one with its number.
        names: of all leaves.
        mask: which leaves are prunable: boolean ones of full shape, and scalar ones.
        starts: the number of the first weight of each prunable leaf, and that of all.
    """

    values: list[Still]
    names: list[str]
    mask: Mask
    starts: list[int]

    def mask_of(self, kept: np.ndarray) -> Mask:
        """The mask of these weights."""
        leaves, structure = jax.tree.flatten(self.mask)
        parts = iter(np.split(kept, self.starts[1:-1]))
        return structure.unflatten(
            [jax.device_put(next(parts).reshape(m.shape)) if m.ndim else m for m in leaves]
        )


def _layers(params: Params, mask: Mask) -> _Layers:
    values, names, starts = [], [], [0]
    for (name, leaf), is_layer in zip(named_leaves(params), prunable_leaves(mask), strict=True):
        array = np.asarray(leaf)
        if not np.isfinite(array.astype(np.float64)).all():
            raise ValueError(f"params leaf '{name}' isn't finite; look for inf or NaN")
        numbers = None
        if is_layer:
            numbers = starts[-1] + np.arange(array.size, dtype=np.int32).reshape(array.shape)
            starts.append(starts[-1] + array.size)
        values.append(Still(leaf, numbers))
        names.append(name)
    return _Layers(values, names, mask, starts)


def _check_found(graph: Graph, layers: _Layers) -> None:
    """Each prunable leaf is the kernel of some layer."""
    found = np.zeros(layers.starts[-1] + 1, bool)
    found[graph.edges.weights] = True
    named = [
        name
        for name, own in zip(layers.names, layers.values, strict=True)
        if own.weights is not None
    ]
    for name, start, end in zip(named, layers.starts[:-1], layers.starts[1:], strict=True):
        if start < end and not found[start:end].any():
            raise ValueError(
                f"params leaf '{name}' isn't the kernel of a dense or convolutional layer, so that "
                "no walk can pass it; let prunable(path, leaf) be False there"
            )


def _generator(key: jax.Array) -> np.random.Generator:
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    words = np.asarray(jax.random.key_data(key) if typed else key)
    return np.random.default_rng(words.astype(np.uint32).ravel().tolist())
