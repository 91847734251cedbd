"""What must hold of a compact network: it is the masked one, at its params and at trained ones."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import synflow_jax as sf

QUICK_TO_COMPILE = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


class Case(NamedTuple):
    """A network with its mask, in float64."""

    apply_fn: Any
    params: Any
    mask: Any
    inputs: Any


def sizes(tree: Any) -> int:
    return sum(np.size(leaf) for leaf in jax.tree.leaves(tree))


def kept_places(small: sf.Compact) -> Any:
    """Where the whole params have something left, bool, like the whole params."""
    return small.expand(jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), small.params))


def removed_zeroed(small: sf.Compact, tree: Any) -> Any:
    """A whole tree with zeros in place of what was removed."""
    return jax.tree.map(lambda own, leaf: jnp.where(own, leaf, 0), kept_places(small), tree)


def trained_anyhow(small: sf.Compact, case: Case) -> tuple[Any, Any]:
    """Params whose kept weights are others, as after training, whole and small.

    Weights that were removed have no gradient, so they are what they were.
    """
    rng = np.random.default_rng(7)

    def other(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return leaf + np.asarray(0.5 * rng.random(leaf.shape), leaf.dtype)

    params = sf.apply_mask(small.mask, jax.tree.map(other, small.params))
    before = sf.apply_mask(case.mask, case.params)
    both = (kept_places(small), small.expand(params), before)
    return jax.tree.map(lambda own, new, old: np.where(own, new, old), *both), params


def assert_close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """Within a tolerance of the largest of all elements."""
    pairs = list(zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    assert [np.shape(f) for f, _ in pairs] == [np.shape(e) for _, e in pairs], what
    arrays = [(np.asarray(f, np.float64), np.asarray(e, np.float64)) for f, e in pairs]
    largest = max((np.abs(e).max(initial=0) for _, e in arrays), default=0)
    assert np.isfinite(largest), what
    off = max((np.abs(f - e).max(initial=0) for f, e in arrays), default=0)
    assert off <= tolerance * largest, f"{what}: off by {off} of {largest}"


def check_same(case: Case, small: sf.Compact | None = None, *, trained: bool = True) -> sf.Compact:
    """Outputs and gradients are those of the masked network, whatever training makes of it."""
    small = small or sf.compact(*case)
    apply_fn, params, mask, inputs = case

    def value_and_gradient(fn: Any, params: Any) -> Any:
        def loss(params: Any) -> Any:
            outputs = fn(params, inputs)
            return sum(jax.tree.leaves(jax.tree.map(_weighted, outputs))), outputs

        gradient, outputs = jax.grad(loss, has_aux=True, allow_int=True)(params)
        return outputs, gradient

    def both(whole: Any, left: Any) -> Any:
        expected, gradient = value_and_gradient(apply_fn, whole)
        found, small_gradient = value_and_gradient(small.apply_fn, left)
        return expected, gradient, found, small_gradient

    compiled = jax.jit(both, compiler_options=QUICK_TO_COMPILE)
    points = [("", sf.apply_mask(mask, params), small.params)]
    points += [("trained ", *trained_anyhow(small, case))] if trained else []
    for name, whole, left in points:
        expected, gradient, found, small_gradient = compiled(whole, left)
        assert_close(found, expected, 1e-12, f"{name}outputs")
        masked = sf.apply_mask(mask, _floats(gradient, whole))
        again = small.expand(sf.apply_mask(small.mask, _floats(small_gradient, left)))
        assert_close(again, masked, 1e-11, f"{name}gradients")
    return small


def _weighted(output: jax.Array) -> jax.Array:
    weights = np.cos(np.arange(output.size, dtype=np.float64)).reshape(output.shape)
    return jnp.sum(output.astype(jnp.float64) * weights)


def _floats(gradient: Any, params: Any) -> Any:
    """Zeros for leaves that have no gradient."""
    return jax.tree.map(
        lambda g, p: g if jnp.issubdtype(p.dtype, jnp.floating) else np.zeros_like(p),
        gradient,
        params,
    )


def check_shrink_and_expand(small: sf.Compact) -> None:
    """What is left, at full shape and back; at full shape a mask broadcasts no more."""
    for tree in (small.params, small.mask):
        again = small.shrink(small.expand(tree))
        for found, expected in zip(*map(jax.tree.leaves, (again, tree)), strict=True):
            np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


def check_nothing_more_goes(small: sf.Compact, inputs: Any) -> None:
    again = sf.compact(small.apply_fn, small.params, small.mask, inputs)
    shapes = [[leaf.shape for leaf in jax.tree.leaves(each.params)] for each in (small, again)]
    assert shapes[0] == shapes[1]


def check_report(small: sf.Compact, case: Case) -> None:
    """It counts what is there."""
    report = small.report
    assert report.total[:2] == (sizes(case.params), sizes(small.params))
    assert report.total[2] >= report.total[3]
    kept = [
        np.broadcast_to(np.asarray(own), leaf.shape).sum()
        for leaf, own in zip(*map(jax.tree.leaves, (small.params, small.mask)), strict=True)
        if leaf.ndim > 1
    ]
    assert sum(layer.kept for layer in report.layers if len(layer.shape) > 1) == sum(kept)
    for layer in report.layers:
        assert layer.name in str(small)
