"""Rewiring: while a network trains, weak weights of each layer give way to new ones."""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from synflow_jax.checks import (
    check_bool,
    check_key,
    check_mask,
    check_number,
    check_scalars,
    check_values,
    shown,
)
from synflow_jax.copies import own_copy
from synflow_jax.masks import apply_mask, is_kernel
from synflow_jax.rounds import start_mask
from synflow_jax.scores import random
from synflow_jax.selection import count
from synflow_jax.sparse_training.exchange import exchanged
from synflow_jax.sparse_training.masked import (
    check_update,
    checked_inner,
    masked_step,
    zero_where_pruned,
)
from synflow_jax.sparse_training.momenta import without_momenta
from synflow_jax.sparse_training.states import ChangingState
from synflow_jax.sparse_training.steps import Steps, changes_before
from synflow_jax.types import Mask, Params, Scores


def rewire(
    inner: optax.GradientTransformation,
    mask: Mask,
    *,
    every: int,
    end: int,
    fraction: float | Callable[[int], float] = 0.3,
    grow: Literal["gradient", "random"] = "gradient",
    begin: int = 0,
    skip_step: bool = False,
    key: jax.Array | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Wraps ``inner`` so that it trains a sparse network whose connections change.

    In every ``every``-th step t between ``begin`` and ``end`` each layer drops the ``n`` lowest
    magnitudes among its kept weights, and takes in ``n`` others: those with the largest gradient
    (RigL: Evci et al. 2020, arXiv:1911.11134, algorithm 1), or random ones (SET: Mocanu et al.
    2018, arXiv:1707.04780). Of ``a`` kept weights that are ``n = floor(f * a)``, with ``f =
    fraction / 2 * (1 + cos(pi * (t - begin) / (end - begin)))``, or as many as are pruned if
    that's fewer. New weights start at 0, and so do their momenta, and take part in that same step.
    In between, and after, it's `keep_params_sparse`: pruned weights are exactly 0 after every step,
    and each layer keeps exactly as many as in ``mask``. Put it outermost.

    The authors' program differs in four ways. It may grow again what it just dropped; here both
    sets are disjoint, so that ``n`` weights do change. It adds noise to magnitudes, so that chance
    decides between equal ones; here their positions do (the first stay, the first come), so that a
    mask doesn't depend on a seed. It takes no gradient step when it rewires; here it does, since
    the gradients are there, unless ``skip_step``. And it rewires in step ``begin`` too, when
    magnitudes are still those of initialization; here it's first in ``begin + every``.

    Gradients must be those of all weights at the masked params, as ``jax.grad`` of a loss gives
    them. Another mask compiles nothing anew.

    Args:
        inner: any optax transformation. Whatever in its state is like the params is taken for
            momenta.
        mask: where to start: a pytree like the params of booleans that broadcast against its
            leaves, such as one of ``prune(sf.random(), ..., select=sf.erdos_renyi_kernel)`` or of
            `synflow`. Scalar ``True`` stays dense.
        every: steps from one change to the next; steps are counted from 0.
        end: the step from which on nothing changes.
        fraction: of a layer's kept weights to exchange, between 0 and 1; or your own function of
            the step, called on the host.
        grow: ``"gradient"`` or ``"random"``.
        begin: the step in which ``fraction`` starts to fall.
        skip_step: leave out the gradient step, and the inner transformation, when rewiring.
        key: a ``jax.random.key`` for ``"random"``; each change folds in its step.

    Returns:
        A transformation with a `ChangingState`. ``update`` requires ``params``, which must be
        finite where pruned. Updates have the params' shapes, in the wider of the types of the inner
        update and the parameter.

    Raises:
        ValueError: begin, end, every or fraction are out of range, ``grow`` is another word, or a
            key is missing; in ``init``, mask and params don't match; in ``update``, params are
            missing, or gradients or params don't match the mask.
        TypeError: an argument is of another kind, or the mask is traced; in ``init``, a leaf of the
            mask isn't boolean; in ``update``, the state isn't a `ChangingState`.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.array([[1.0, 4.0, 0.0, 0.0]])}
    >>> mask = {"kernel": jnp.array([[True, True, False, False]])}
    >>> tx = sf.rewire(optax.sgd(0.1), mask, every=1, end=3, fraction=1.0)
    >>> state = tx.init(params)
    >>> for _ in range(2):
    ...     gradients = {"kernel": jnp.array([[1.0, 1.0, 2.0, 3.0]])}
    ...     updates, state = tx.update(gradients, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> sf.mask_of(state)["kernel"]  # floor(0.75 * 2) = 1 was exchanged
    Array([[False,  True, False,  True]], dtype=bool)
    """
    inner = checked_inner(inner, "rewire(optax.adam(1e-3), mask, every=100, end=7_500)")
    changes = changes_before(begin, end, every)
    fractions = _fractions(fraction, begin, end, changes)
    _check_growth(grow, key)
    check_bool("skip_step", skip_step)
    parts = _counted(mask)

    @functools.cache
    def numbers_of(sizes: tuple[int, ...]) -> np.ndarray:
        # An element that broadcasts stands for several weights.
        kept = [some * (n // max(1, size)) for (some, size), n in zip(parts, sizes, strict=True)]
        return np.floor(np.outer(fractions, kept)).astype(np.int32)

    def init(params: Params) -> ChangingState:
        own = own_copy(start_mask(params, mask, is_kernel))
        inner_state = inner.init(apply_mask(own, params))
        return ChangingState(own, jnp.zeros((), jnp.int32), own_copy(key), inner_state)

    # Made once, so that a call outside of jit compiles nothing anew.
    def change(
        state: ChangingState, updates: optax.Updates, params: Params
    ) -> tuple[Mask, optax.OptState]:
        sizes = tuple(leaf.size for leaf in jax.tree.leaves(state.mask) if leaf.ndim)
        row = jnp.asarray(numbers_of(sizes))[changes.place(state.step)]
        new = exchanged(state.mask, params, _growth(grow, state, updates), row)
        where = jax.tree.map(jnp.not_equal, state.mask, new)
        return new, without_momenta(state.inner, where, params)

    def update(
        updates: optax.Updates, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, ChangingState]:
        check_update("rewire", ChangingState, updates, state, params)
        now = changes.include(state.step)
        mask, inner_state = lax.cond(now, change, _as_it_is, state, updates, params)
        take = functools.partial(masked_step, inner, mask, updates, inner_state, params, **extra)
        new, inner_state = _step_unless(now, take, inner_state) if skip_step else take()
        step = jnp.asarray(optax.safe_increment(state.step))
        state = ChangingState(mask, step, state.key, inner_state)
        return zero_where_pruned(mask, new, params), state

    return optax.GradientTransformationExtraArgs(init, update)


def _as_it_is(
    state: ChangingState, updates: optax.Updates, params: Params
) -> tuple[Mask, optax.OptState]:
    del updates, params
    return state.mask, state.inner


def _step_unless(now: jax.Array, step: Callable[[], Any], inner_state: optax.OptState) -> Any:
    """What the step returns, or updates of 0 and the state as it is."""
    like, _ = jax.eval_shape(step)
    zeros = functools.partial(jax.tree.map, lambda x: jnp.zeros(x.shape, x.dtype), like)
    return lax.cond(now, lambda: (zeros(), inner_state), step)


def _growth(grow: str, state: ChangingState, updates: optax.Updates) -> Scores:
    if grow == "gradient":
        return jax.tree.map(jnp.abs, updates)
    return random()(updates, state.mask, None, jax.random.fold_in(state.key, state.step))


def _counted(mask: Mask) -> list[tuple[int, int]]:
    """Of each prunable leaf, how many of its elements are True, and how many there are."""
    if mask is None:
        raise TypeError("mask must be a pytree like the params, got mask=None; pass sf.prune's")
    check_values({"mask": mask}, "its weights are counted on the host: call sf.rewire outside")
    check_mask(mask, mask)
    check_scalars(mask)
    leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(mask)]
    return [(int(count(leaf)), leaf.size) for leaf in leaves if leaf.ndim]


def _fractions(fraction: Any, begin: int, end: int, changes: Steps) -> np.ndarray:
    """What part to exchange in each of the steps, float64."""
    steps = [changes.first + k * changes.every for k in range(changes.number)]
    if callable(fraction):
        return np.array([_checked_fraction(fraction(t)) for t in steps])
    half = _checked_fraction(fraction) / 2
    return np.array([half * (1 + math.cos(math.pi * (t - begin) / (end - begin))) for t in steps])


def _checked_fraction(fraction: Any) -> float:
    number = check_number("fraction", fraction, "a number such as 0.3")
    if not 0 <= number <= 1:
        raise ValueError(f"fraction must be between 0 and 1, got fraction={number:g}")
    return number


def _check_growth(grow: Any, key: Any) -> None:
    check_key(key)
    if grow not in ("gradient", "random"):
        raise ValueError(f'grow must be "gradient" or "random", got grow={shown(grow)}')
    if grow == "random" and key is None:
        raise ValueError('grow="random" needs a key, got key=None; pass key=jax.random.key(0)')
