"""Pruned weights stay at zero through any inner transformation, loop and checkpoint."""

from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from flax import linen, nnx
from flax.training.train_state import TrainState

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")
INNER = {
    "nesterov": lambda: optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adamw": lambda: optax.adamw(0.1, weight_decay=0.1),
    "lamb": lambda: optax.lamb(0.1),
    "weight decay": lambda: optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.1, 0.9)),
    "multi steps": lambda: optax.MultiSteps(optax.adam(0.1), 3).gradient_transformation(),
    "injected": lambda: optax.inject_hyperparams(optax.adamw)(learning_rate=0.1),
    "clipped": lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)),
}
PARAMS = {"kernel": jnp.linspace(-3.0, 2.0, 12).reshape(4, 3), "bias": jnp.ones(3)}
MASK = {"kernel": jnp.arange(12).reshape(4, 3) % 3 == 0, "bias": jnp.array(True)}


def loss_fn(params: Any, x: jax.Array) -> jax.Array:
    return jnp.mean((x @ params["kernel"] + params["bias"].reshape(1, 3) - 1) ** 2)


def pruned_values(params: Any) -> np.ndarray:
    return np.asarray(params["kernel"])[~np.asarray(MASK["kernel"])]


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_zero_after_every_step(name: str, dtype: Any) -> None:
    params = jax.tree.map(lambda leaf: leaf.astype(dtype), PARAMS)
    tx = sf.keep_params_sparse(INNER[name](), MASK)
    state = tx.init(params)

    @jax.jit
    def step(params: Any, state: Any, x: jax.Array) -> tuple[Any, Any]:
        updates, state = tx.update(jax.grad(loss_fn)(params, x), state, params)
        return optax.apply_updates(params, updates), state

    start = params
    for i in range(7):
        params, state = step(params, state, jnp.full((2, 4), 0.5 + i, dtype))
        np.testing.assert_array_equal(pruned_values(params), 0)
    assert step._cache_size() == 1
    chex.assert_trees_all_equal_shapes_and_dtypes(params, start)
    assert bool(jnp.any(params["bias"] != start["bias"]))


def test_inner_sees_only_what_is_kept() -> None:
    seen = {}

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        seen.update(updates=updates, params=params, extra=extra)
        return updates, state

    inner = optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update)
    tx = sf.keep_params_sparse(inner, MASK)
    gradient = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), PARAMS)
    tx.update(gradient, tx.init(PARAMS), PARAMS, value=3.0)
    np.testing.assert_array_equal(pruned_values(seen["updates"]), 0)
    np.testing.assert_array_equal(pruned_values(seen["params"]), 0)
    assert seen["extra"] == {"value": 3.0}


def test_kept_weights_train_as_without_mask() -> None:
    everything = jax.tree.map(lambda _: jnp.array(True), PARAMS)
    bare, wrapped = optax.adamw(0.1), sf.keep_params_sparse(optax.adamw(0.1), everything)
    results = []
    for tx in (bare, wrapped):
        params, state = PARAMS, tx.init(PARAMS)
        for _ in range(5):
            updates, state = tx.update(jax.grad(loss_fn)(params, jnp.ones((2, 4))), state, params)
            params = optax.apply_updates(params, updates)
        results.append(params)
    chex.assert_trees_all_equal(*results)


def test_mask_can_be_swapped() -> None:
    tx = sf.keep_params_sparse(optax.sgd(0.1), MASK)
    swapped = {"kernel": ~MASK["kernel"], "bias": jnp.array(True)}
    state = tx.init(PARAMS)._replace(mask=swapped)
    updates, state = tx.update(PARAMS, state, PARAMS)
    params = optax.apply_updates(PARAMS, updates)
    np.testing.assert_array_equal(params["kernel"][MASK["kernel"]], 0)
    chex.assert_trees_all_equal(state.mask, swapped)


def test_donating_the_state_leaves_the_mask_alone() -> None:
    mask = jax.tree.map(jnp.copy, MASK)
    tx = sf.keep_params_sparse(optax.sgd(0.1), mask)
    state = tx.init(PARAMS)
    step = jax.jit(lambda state: tx.update(PARAMS, state, PARAMS)[1], donate_argnums=0)
    step(step(state))
    chex.assert_trees_all_equal(mask, MASK)
    tx.init(PARAMS)


def test_refused() -> None:
    tx = sf.keep_params_sparse(optax.sgd(0.1), MASK)
    with pytest.raises(ValueError, match="needs the params"):
        tx.update(PARAMS, tx.init(PARAMS))
    with pytest.raises(ValueError, match="no leaf 'other'"):
        tx.init({**PARAMS, "other": jnp.ones(2)})
    with pytest.raises(TypeError, match="'bias' must be boolean"):
        sf.keep_params_sparse(optax.sgd(0.1), {**MASK, "bias": jnp.ones(3)}).init(PARAMS)


def restored(tree: Any, path: Path) -> Any:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path / "checkpoint", tree)
        checkpointer.wait_until_finished()
        return checkpointer.restore(
            path / "checkpoint", jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
        )


def test_survives_orbax(tmp_path: Path) -> None:
    tx = sf.keep_params_sparse(optax.adamw(0.1), MASK)
    state = tx.init(PARAMS)
    updates, state = tx.update(jax.grad(loss_fn)(PARAMS, jnp.ones((2, 4))), state, PARAMS)
    back = restored({"params": optax.apply_updates(PARAMS, updates), "state": state}, tmp_path)
    chex.assert_trees_all_equal(back["state"], state)
    updates, _ = tx.update(PARAMS, back["state"], back["params"])
    np.testing.assert_array_equal(pruned_values(optax.apply_updates(back["params"], updates)), 0)


def test_nnx_optimizer(tmp_path: Path) -> None:
    model = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    apply_fn, params = sf.from_nnx(model)
    mask, _ = sf.prune(sf.synflow(apply_fn, jnp.ones((1, 4))), params, 3.0)
    optimizer = nnx.Optimizer(model, sf.keep_params_sparse(optax.adamw(0.1), mask), wrt=nnx.Param)
    traced = 0

    @nnx.jit
    def step(model: nnx.Linear, optimizer: nnx.Optimizer, x: jax.Array) -> None:
        nonlocal traced
        traced += 1
        optimizer.update(model, nnx.grad(lambda model: jnp.mean((model(x) - 1) ** 2))(model))

    keep = np.asarray(jax.tree.leaves(mask["kernel"])[0])
    for _ in range(3):
        step(model, optimizer, jnp.ones((2, 4)))
        np.testing.assert_array_equal(np.asarray(model.kernel[...])[~keep], 0)
    assert traced == 1
    assert np.count_nonzero(np.asarray(model.kernel[...])) == keep.sum() == 4

    state = nnx.state(optimizer)
    pure = nnx.to_pure_dict(state)
    nnx.replace_by_pure_dict(state, restored(pure, tmp_path))
    nnx.update(optimizer, state)
    step(model, optimizer, jnp.ones((2, 4)))
    np.testing.assert_array_equal(np.asarray(model.kernel[...])[~keep], 0)
    assert traced == 1


def test_linen_train_state() -> None:
    module = linen.Dense(3)
    variables = module.init(jax.random.key(0), jnp.ones((1, 4)))
    apply_fn, params = sf.from_linen(module, variables)
    mask, _ = sf.prune(sf.synflow(apply_fn, jnp.ones((1, 4))), params, 3.0)
    state = TrainState.create(
        apply_fn=module.apply, params=params, tx=sf.keep_params_sparse(optax.adamw(0.1), mask)
    )

    @jax.jit
    def step(state: TrainState, x: jax.Array) -> TrainState:
        gradient = jax.grad(lambda p: jnp.mean((state.apply_fn({"params": p}, x) - 1) ** 2))
        return state.apply_gradients(grads=gradient(state.params))

    for _ in range(3):
        state = step(state, jnp.ones((2, 4)))
        np.testing.assert_array_equal(
            np.asarray(state.params["kernel"])[~np.asarray(mask["kernel"])], 0
        )
    # The step counter starts as a Python int and is an array after the first step.
    assert step._cache_size() <= 2
