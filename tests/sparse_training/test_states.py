"""The state of changing masks: jitted once, killed and resumed, and inside of Optax and Flax."""

from pathlib import Path
from typing import Any

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
KEY = jax.random.key(3)
INNER = {
    "nesterov": lambda: optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adamw": lambda: optax.adamw(0.1, weight_decay=0.1),
    "multi steps": lambda: optax.MultiSteps(optax.adam(0.1), 3).gradient_transformation(),
    "injected": lambda: optax.inject_hyperparams(optax.sgd)(learning_rate=0.1, momentum=0.9),
}
PARAMS = {"kernel": jnp.linspace(-3.0, 2.0, 12).reshape(4, 3), "bias": jnp.ones(3)}
MASK = {"kernel": jnp.arange(12).reshape(4, 3) % 3 == 0, "bias": jnp.array(True)}


def gradual(inner: Any) -> Any:
    return sf.prune_gradually(inner, sf.random(), 6.0, begin=0, end=6, every=2, key=KEY)


def rewired(inner: Any) -> Any:
    return sf.rewire(inner, MASK, every=2, end=8, fraction=0.6, grow="random", key=KEY)


WRAPPERS = {"gradual": gradual, "rewired": rewired}


def loss_fn(params: Any, x: jax.Array) -> jax.Array:
    return jnp.mean((x @ params["kernel"] + params["bias"].reshape(1, 3) - 1) ** 2)


def step_of(tx: Any) -> Any:
    def step(params: Any, state: Any, x: jax.Array) -> tuple[Any, Any]:
        updates, state = tx.update(jax.grad(loss_fn)(params, x), state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(step, donate_argnums=(0, 1))


def batch(step: int, dtype: Any = jnp.float32) -> jax.Array:
    return jnp.full((2, 4), 0.5 + step, dtype)


def copied(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)


def check_zeros(params: Any, mask: Any) -> None:
    np.testing.assert_array_equal(np.asarray(params["kernel"])[~np.asarray(mask["kernel"])], 0)


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_zero_after_every_step_and_compiled_once(wrapper: str, name: str, dtype: Any) -> None:
    tx = WRAPPERS[wrapper](INNER[name]())
    params = jax.tree.map(lambda leaf: jnp.array(leaf, dtype, copy=True), PARAMS)
    state, step = tx.init(params), step_of(tx)
    masks = []
    for i in range(9):
        params, state = step(params, state, batch(i, dtype))
        mask = sf.mask_of(state)
        check_zeros(params, mask)
        masks.append(np.asarray(mask["kernel"]))
    assert step._cache_size() == 1
    assert params["kernel"].dtype == dtype
    assert len({mask.tobytes() for mask in masks}) >= 3
    sizes = [mask.sum() for mask in masks]
    assert sizes == ([12] * 2 + [5] * 2 + [3] * 2 + [2] * 3 if wrapper == "gradual" else [4] * 9)


def saved(tree: Any, path: Path) -> Any:
    """What comes back from disk."""
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path / "checkpoint", tree)
        checkpointer.wait_until_finished()
        return checkpointer.restore(
            path / "checkpoint", jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
        )


def bits(tree: Any) -> list[bytes]:
    def of(leaf: jax.Array) -> bytes:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf).tobytes()

    return [of(leaf) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_killed_and_resumed_to_the_same_bits(wrapper: str, tmp_path: Path) -> None:
    tx = WRAPPERS[wrapper](optax.adamw(0.1))
    params, state, step = copied(PARAMS), tx.init(PARAMS), step_of(tx)
    for i in range(4):
        params, state = step(params, state, batch(i))
    kept = saved({"params": params, "state": state}, tmp_path)
    for i in range(4, 9):
        params, state = step(params, state, batch(i))
    again = WRAPPERS[wrapper](optax.adamw(0.1))
    other, own, step = kept["params"], kept["state"], step_of(again)
    for i in range(4, 9):
        other, own = step(other, own, batch(i))
    assert bits((params, state)) == bits((other, own))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_inside_of_optax(wrapper: str) -> None:
    """Accumulated gradients, a chain, and a part of the params."""
    wrap = WRAPPERS[wrapper]
    labels = {"kernel": "sparse", "bias": "dense"}
    around = {
        "accumulated": optax.MultiSteps(wrap(optax.adam(0.1)), 2).gradient_transformation(),
        "chain": optax.chain(optax.clip(1.0), wrap(optax.adam(0.1))),
    }
    if wrapper == "gradual":
        parts = {"sparse": wrap(optax.adam(0.1)), "dense": optax.sgd(0.1)}
        around["part"] = optax.partition(parts, labels)
    for name, tx in around.items():
        params, state, step = copied(PARAMS), tx.init(PARAMS), step_of(tx)
        for i in range(18 if name == "accumulated" else 9):
            params, state = step(params, state, batch(i))
            if name != "accumulated" or i % 2:
                check_zeros(params, sf.mask_of(state))
        assert int(sf.mask_of(state)["kernel"].sum()) == (2 if wrapper == "gradual" else 4)


def test_state_is_made_under_jit_and_as_shapes() -> None:
    for wrap in WRAPPERS.values():
        tx = wrap(optax.adam(0.1))
        shapes, state = jax.eval_shape(tx.init, PARAMS), jax.jit(tx.init)(PARAMS)
        assert jax.tree.structure(shapes) == jax.tree.structure(state)
        step_of(tx)(copied(PARAMS), state, batch(0))


def test_many_networks_at_once() -> None:
    """Under ``vmap`` each has its own mask."""
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1]]), PARAMS)
    tx = sf.prune_gradually(optax.sgd(0.1), sf.magnitude(), 6.0, begin=0, end=2, every=1)
    states = jax.vmap(tx.init)(many)
    x = jnp.ones((2, 4))
    for _ in range(3):
        grads = jax.vmap(jax.grad(loss_fn), in_axes=(0, None))(many, x)
        updates, states = jax.vmap(tx.update)(grads, states, many)
        many = optax.apply_updates(many, updates)
    kept = np.asarray(states.mask["kernel"])
    assert kept.sum((1, 2)).tolist() == [2, 2]
    assert (kept[0] != kept[1]).any()


def test_donating_the_state_leaves_the_arguments_alone() -> None:
    mask, key = copied(MASK), jnp.copy(KEY)
    tx = sf.rewire(optax.sgd(0.1), mask, every=1, end=9, grow="random", key=key)
    step = step_of(tx)
    step(*step(copied(PARAMS), tx.init(PARAMS), batch(0)), batch(1))
    tx.init(PARAMS)
    jax.random.split(key)


def network() -> nnx.Module:
    return nnx.Sequential(
        nnx.Linear(4, 6, rngs=nnx.Rngs(0)), nnx.relu, nnx.Linear(6, 3, rngs=nnx.Rngs(1))
    )


@pytest.mark.parametrize("wrapper", ["gradual", "rewired"])
def test_nnx_optimizer(wrapper: str) -> None:
    model: Any = network()
    apply_fn, params = sf.from_nnx(model)
    synflow = sf.synflow(apply_fn, jnp.ones((1, 4)))
    if wrapper == "gradual":
        tx = sf.prune_gradually(optax.adamw(0.1), synflow, 6.0, begin=0, end=4, every=1)
    else:
        tx = sf.rewire(optax.adamw(0.1), sf.prune(synflow, params, 6.0)[0], every=1, end=5)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    traced = 0

    @nnx.jit
    def step(model: Any, optimizer: nnx.Optimizer, x: jax.Array) -> None:
        nonlocal traced
        traced += 1
        optimizer.update(model, nnx.grad(lambda model: jnp.mean((model(x) - 1) ** 2))(model))

    mask = params = None
    for i in range(6):
        step(model, optimizer, batch(i) / 9)
        mask = sf.mask_of(nnx.as_pure(optimizer.opt_state))
        params = nnx.as_pure(nnx.state(model, nnx.Param))
        for keep, kernel in zip(*map(jax.tree.leaves, (mask, params)), strict=True):
            assert not np.any(np.asarray(kernel)[~np.broadcast_to(keep, kernel.shape)])
    assert traced == 1
    assert sf.layer_table(mask, params).kept == 42 // 6
    momenta = nnx.as_pure(optimizer.opt_state).inner[0].mu
    assert jax.tree.structure(momenta) == jax.tree.structure(params)


def test_linen_train_state() -> None:
    module = linen.Dense(3)
    variables = module.init(jax.random.key(0), jnp.ones((1, 4)))
    mask, _ = sf.prune(sf.magnitude(), variables["params"], 3.0, rounds=1)
    tx = sf.rewire(optax.adamw(0.1), mask, every=1, end=9)
    state = TrainState.create(apply_fn=module.apply, params=variables["params"], tx=tx)

    @jax.jit
    def step(state: TrainState, x: jax.Array) -> TrainState:
        gradient = jax.grad(lambda p: jnp.mean((state.apply_fn({"params": p}, x) - 1) ** 2))
        return state.apply_gradients(grads=gradient(state.params))

    for i in range(4):
        state = step(state, batch(i))
        assert int(sf.mask_of(state)["kernel"].sum()) == 4
        check_zeros(state.params, sf.mask_of(state))
    assert step._cache_size() <= 2


def test_mask_of() -> None:
    for tx in (sf.keep_params_sparse(optax.adam(0.1), MASK), gradual(optax.sgd(0.1))):
        state = optax.chain(optax.clip(1.0), tx, optax.identity()).init(PARAMS)
        assert sf.mask_of({"a": [state]})["kernel"].shape == (4, 3)
    with pytest.raises(ValueError, match="got 0 in tuple"):
        sf.mask_of(optax.adam(0.1).init(PARAMS))
    with pytest.raises(ValueError, match="got 2 in tuple"):
        sf.mask_of((state, state))
