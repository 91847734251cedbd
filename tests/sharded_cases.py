"""Pruning of sharded params on all devices of all processes, against one device.

A program for a subprocess: its first argument is how many processes there are, the second which
one this is, the third a port. It prints ``same`` at its end.
"""

import re
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import synflow_jax as sf

SHAPES = {
    "both": ((256, 512), P("data", "model")),
    "columns": ((512, 256), P(None, "model")),
    "conv": ((3, 3, 64, 64), P(None, None, "model", "data")),
    "flat": ((256, 128), P(("data", "model"))),
    "replicated": ((128, 64), P()),
}


def whole(x: jax.Array) -> np.ndarray:
    return np.asarray(multihost_utils.process_allgather(x, tiled=True))


def placed(tree: Any, mesh: Mesh) -> Any:
    return {
        name: jax.device_put(leaf, NamedSharding(mesh, SHAPES[name][1]))
        for name, leaf in tree.items()
    }


def made(key: jax.Array, dtype: Any = jnp.float32) -> dict[str, jax.Array]:
    keys = jax.random.split(key, len(SHAPES))
    return {
        name: jax.random.normal(k, shape, dtype) / 10
        for k, (name, (shape, _)) in zip(keys, SHAPES.items(), strict=True)
    }


def apply_fn(params: Any, x: jax.Array) -> jax.Array:
    x = jax.nn.relu(x @ params["both"])
    x = jax.nn.relu(x @ params["columns"]).reshape(-1, 2, 2, 64)
    x = jax.nn.relu(
        jax.lax.conv_general_dilated(
            x, params["conv"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
    )
    return jax.nn.relu(x.reshape(-1, 256) @ params["flat"]) @ params["replicated"]


def check_same(ours: Any, theirs: Any) -> None:
    for name in SHAPES:
        np.testing.assert_array_equal(whole(ours[name]), np.asarray(theirs[name]), name)


def check_shardings(tree: Any, params: Any) -> None:
    for name in SHAPES:
        assert tree[name].sharding.is_equivalent_to(params[name].sharding, tree[name].ndim), name


def check_selection(mesh: Mesh) -> None:
    params = made(jax.random.key(0))
    ties = jax.tree.map(lambda leaf: jnp.round(leaf * 8), params)
    key = jax.random.key(1)
    for tree, score_fn, select in (
        (params, sf.magnitude(), sf.global_top_k),
        (params, sf.magnitude(), sf.local_top_k),
        (params, sf.random(), sf.global_top_k),
        (ties, sf.magnitude(), sf.global_top_k),
        (ties, sf.magnitude(), sf.block_top_k((5, 16))),
        (ties, sf.magnitude(), sf.n_m_top_k(1, 10)),
    ):
        mask, history = sf.prune(
            score_fn, placed(tree, mesh), 10.0, rounds=3, key=key, select=select
        )
        expected, other = sf.prune(score_fn, tree, 10.0, rounds=3, key=key, select=select)
        check_same(mask, expected)
        check_shardings(mask, placed(tree, mesh))
        np.testing.assert_array_equal(history.kept, other.kept)


def check_collectives(mesh: Mesh) -> None:
    """Selection exchanges counts: nothing of a parameter's size, and nothing gathered."""
    params = placed(made(jax.random.key(0)), mesh)
    mask = sf.full_mask(params)
    counts = sf.round_counts(mask, 10.0, 2, sf.exponential, sf.global_top_k)
    run = jax.jit(sf.prune_rounds, static_argnums=0)
    text = run.lower(sf.magnitude(), params, mask, counts).compile().as_text()
    moved = re.findall(
        r"= (.*?) (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)", text
    )
    assert moved
    for shape, kind in moved:
        sizes = [int(n) for dims in re.findall(r"\[([\d,]+)\]", shape) for n in dims.split(",")]
        assert kind == "all-reduce", (kind, shape)
        assert max(sizes, default=1) <= 16, (kind, shape)


def check_synflow(mesh: Mesh) -> None:
    inputs = jnp.ones((1, 256))
    score_fn = sf.synflow(apply_fn, inputs)
    params = made(jax.random.key(2))
    scores, expected = (
        jax.jit(score_fn)(tree, sf.full_mask(tree), None, None)
        for tree in (placed(params, mesh), params)
    )
    for name in SHAPES:
        theirs = np.asarray(expected[name])
        np.testing.assert_allclose(whole(scores[name]), theirs, rtol=0, atol=1e-5 * theirs.max())
    mask, history = sf.prune(score_fn, placed(params, mesh), 100.0)
    _, other = sf.prune(score_fn, params, 100.0)
    check_shardings(mask, placed(params, mesh))
    assert history.kept[-1] == other.kept[-1]
    ours, theirs = (np.asarray(each.kept_by_layer[-1]) for each in (history, other))
    large = theirs > 100
    np.testing.assert_allclose(ours[large], theirs[large], rtol=0.15)


def check_synflow_float64(mesh: Mesh) -> None:
    with jax.enable_x64(True):
        params = made(jax.random.key(2), jnp.float64)
        score_fn = sf.synflow(apply_fn, jnp.ones((1, 256)), dtype=jnp.float64)
        mask, _ = sf.prune(score_fn, placed(params, mesh), 100.0)
        check_same(mask, sf.prune(score_fn, params, 100.0)[0])


def check_data_scores(mesh: Mesh) -> None:
    params = made(jax.random.key(3))
    x = jax.random.normal(jax.random.key(4), (64, 256))
    y = jax.random.randint(jax.random.key(5), (64,), 0, 64)
    batch = x, y
    spread = jax.device_put(batch, NamedSharding(mesh, P(("data", "model"))))
    loss_fn = sf.cross_entropy(apply_fn)
    for score_fn in (sf.snip(loss_fn), sf.grasp(sf.cross_entropy(apply_fn, temperature=200.0))):
        scores, expected = (
            jax.jit(score_fn)(tree, sf.full_mask(tree), data, None)
            for tree, data in ((placed(params, mesh), spread), (params, batch))
        )
        for name in SHAPES:
            theirs = np.asarray(expected[name])
            atol = 1e-4 * np.abs(theirs).max()
            np.testing.assert_allclose(whole(scores[name]), theirs, rtol=0, atol=atol)
        options = {"rounds": 1, "batch": spread}
        _, history = sf.prune(score_fn, placed(params, mesh), 10.0, **options)
        _, other = sf.prune(score_fn, params, 10.0, rounds=1, batch=batch)
        assert history.kept[-1] == other.kept[-1]


def check_optimizer(mesh: Mesh) -> None:
    params = placed(made(jax.random.key(6)), mesh)
    mask, _ = sf.prune(sf.magnitude(), params, 10.0, rounds=1)
    optimizer = sf.keep_params_sparse(optax.adam(1e-3), mask)
    sparse = sf.apply_mask(mask, params)
    check_shardings(sparse, params)
    state = jax.jit(optimizer.init)(sparse)
    updates, _ = jax.jit(optimizer.update)(params, state, sparse)
    stepped = optax.apply_updates(sparse, updates)
    check_shardings(stepped, params)
    for name in SHAPES:
        assert not np.any(whole(stepped[name])[~whole(mask[name])])


def check_changing_masks(mesh: Mesh) -> None:
    """The masks of one device, with ties, in the shardings of the params."""
    chosen = ("both", "conv")
    params = {name: jnp.round(8 * leaf) for name, leaf in made(jax.random.key(8)).items()}
    params = {name: params[name] for name in chosen}
    gradient = {name: made(jax.random.key(9))[name] for name in chosen}
    mask, _ = sf.prune(sf.magnitude(), params, 4.0, rounds=1)
    gradual = {"begin": 0, "end": 2, "every": 1}
    for tx in (
        sf.prune_gradually(optax.adam(1e-3), sf.magnitude(), 10.0, **gradual),
        sf.rewire(optax.adam(1e-3), mask, every=1, end=3),
    ):
        found = []
        for tree, own in ((params, gradient), (placed(params, mesh), placed(gradient, mesh))):
            state, now, update = jax.jit(tx.init)(tree), tree, jax.jit(tx.update)
            for _ in range(3):
                updates, state = update(own, state, now)
                now = optax.apply_updates(now, updates)
            found.append(state.mask)
        for name in chosen:
            np.testing.assert_array_equal(np.asarray(found[0][name]), whole(found[1][name]))
            assert found[1][name].sharding.is_equivalent_to(now[name].sharding, now[name].ndim)


def check_never_whole(mesh: Mesh) -> None:
    """A deep and wide network made in pieces: no device ever holds more than its part."""
    sharding = NamedSharding(mesh, P("data", "model"))
    make = jax.jit(
        lambda key: [jax.random.normal(k, (128, 128)) / 8 for k in jax.random.split(key, 60)],
        out_shardings=[sharding] * 60,
    )

    def deep(params: Any, x: jax.Array) -> jax.Array:
        for kernel in params:
            x = jax.nn.relu(x @ kernel)
        return x

    params = make(jax.random.key(7))
    mask, history = sf.prune(sf.synflow(deep, jnp.ones((1, 128))), params, 10.0, rounds=10)
    assert history.kept[-1] == 60 * 128 * 128 - int(0.9 * 60 * 128 * 128)
    for leaf in mask:
        assert leaf.sharding.is_equivalent_to(sharding, 2)
        assert leaf.addressable_shards[0].data.size == 128 * 128 // 8


def main() -> None:
    processes, process, port = (int(each) for each in sys.argv[1:])
    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", processes, process)
    devices = np.asarray(jax.devices()).reshape(-1, 2)
    mesh = Mesh(devices, ("data", "model"), axis_types=(AxisType.Auto,) * 2)

    check_selection(mesh)
    check_synflow_float64(mesh)
    if processes == 1:
        check_collectives(mesh)
        check_synflow(mesh)
        check_data_scores(mesh)
        check_optimizer(mesh)
        check_changing_masks(mesh)
        check_never_whole(mesh)
    print("same")


if __name__ == "__main__":
    main()
