"""Weights on paths: against graphs that are searched, golden counts, and at any depth."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from networks import dense_apply, dense_params
from path_graphs import Graph
from path_networks import CASES, IMAGE, conv, plain, pooled

import synflow_jax as sf
from synflow_jax.checks import leaf_name, named_leaves

GOLDEN = Path(__file__).parents[1] / "golden" / "effective.json"


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("by", ["flow", "topology"])
def test_against_searched_graphs(name: str, by: Any) -> None:
    case, kept, lost = CASES[name], 0, 0
    params = {key: jnp.zeros(shape) for key, shape in {**case.shapes, **case.others}.items()}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        mask = {key: rng.random(shape) < case.density for key, shape in case.shapes.items()}
        graph = Graph(mask, positions=by == "flow")
        inputs = graph.new(*IMAGE)
        expected = graph.used(inputs, case.graph(graph, inputs))
        masks = {key: jax.device_put(flags) for key, flags in mask.items()}
        masks |= dict.fromkeys(case.others, jnp.array(True))
        found = sf.effective(case.apply_fn, params, masks, jnp.ones((1, *IMAGE)), by=by)
        for key, flags in mask.items():
            np.testing.assert_array_equal(found[key], expected[key], f"{key}, seed {seed}")
            kept += int(expected[key].sum())
            lost += int((flags & ~expected[key]).sum())
        assert all(found[key].shape == () and bool(found[key]) for key in case.others)
    assert kept > 20
    assert lost > 20


@pytest.mark.parametrize("by", ["flow", "topology"])
@pytest.mark.parametrize("index", range(5))
def test_golden_counts(index: int, by: Any) -> None:
    count = json.loads(GOLDEN.read_text())["counts"][index]
    rng = np.random.RandomState(count["seed"])
    layers = zip([(30, 20), (20, 16), (16, 5)], (0.03, 0.05, 0.1), strict=True)
    mask = [jax.device_put(rng.rand(*shape) < density) for shape, density in layers]
    assert [int(leaf.sum()) for leaf in mask] == count["direct"]

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return jax.nn.relu(jax.nn.relu(x @ params[0]) @ params[1]) @ params[2]

    params = [jnp.zeros(leaf.shape) for leaf in mask]
    found = sf.effective(apply_fn, params, mask, jnp.ones((1, 30)), by=by)
    assert [int(leaf.sum()) for leaf in found] == count["effective"]


def deep(params: Any, x: jax.Array) -> jax.Array:
    return lax.scan(lambda x, kernel: (jax.nn.relu(x @ kernel), None), x, params["layers"])[0]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_one_path_beside_more_than_a_float_counts(dtype: Any) -> None:
    """15 ** 300 paths lead through 15 units of each layer, and one through the last."""
    mask = jnp.ones((300, 16, 16), bool).at[:, 15].set(False).at[:, :, 15].set(False)
    mask = {"layers": mask.at[:, 15, 15].set(True)}
    params, x = {"layers": jnp.ones((300, 16, 16), dtype)}, jnp.ones((1, 16), dtype)
    found = sf.effective(deep, params, mask, x)
    np.testing.assert_array_equal(found["layers"], mask["layers"])
    # SynFlow's scores of the mask, one power of two for all, don't tell.
    scores = sf.synflow(deep, x)(params, mask, None, None)
    assert float(scores["layers"][0, 15, 15]) == 0
    cut = {"layers": mask["layers"].at[299, 15, 15].set(False)}
    found = sf.effective(deep, params, cut, x)
    assert int(found["layers"].sum()) == 300 * 15 * 15
    assert not bool(found["layers"][:, 15, 15].any())


def test_layers_that_are_written_out_count_as_scanned_ones_do() -> None:
    def written_out(params: Any, x: jax.Array) -> jax.Array:
        for i in range(40):
            x = jax.nn.relu(x @ params["layers"][i])
        return x

    mask = jnp.ones((40, 16, 16), bool).at[:, 15].set(False).at[:, :, 15].set(False)
    mask, params = {"layers": mask.at[:39, 15, 15].set(True)}, {"layers": jnp.ones((40, 16, 16))}
    for by in ("flow", "topology"):
        found = sf.effective(written_out, params, mask, jnp.ones((1, 16)), by=by)
        np.testing.assert_array_equal(found["layers"], mask["layers"].at[:, 15, 15].set(False))


@pytest.mark.usefixtures("wide")
def test_what_synflow_scores_above_0() -> None:
    params = dense_params(biases=True, dtype=jnp.float64)
    score_fn = sf.synflow(dense_apply, jnp.ones((1, 6)), biases=False)
    for seed in range(5):
        mask, _ = sf.prune(sf.random(), params, 6.0, rounds=1, key=jax.random.key(seed))
        scores = score_fn(jax.tree.map(jnp.ones_like, params), mask, None, None)
        found = sf.effective(dense_apply, params, mask, jnp.ones((1, 6)))
        for used, score in zip(jax.tree.leaves(found), jax.tree.leaves(scores), strict=True):
            np.testing.assert_array_equal(used, (score > 0) if used.ndim else True)


CHOICES = {
    "pooling": lambda x: pooled(x, 2),
    "smallest of a window": lambda x: pooled(x, 2, (lax.min, jnp.inf)),
    "largest": lambda x: jnp.max(x, (1, 2)),
    "smallest": lambda x: jnp.min(x, (1, 2)),
    "larger": lambda x: jnp.maximum(x[:, 0], x[:, 1]).max(1),
    "largest so far": lambda x: lax.cummax(lax.cummax(x, 1), 2)[:, 1, 1],
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("same", [True, False])
def test_paths_lead_through_all_that_may_be_chosen(choice: str, same: bool) -> None:
    """A 3x3 kernel on 2x2 pixels: each position sees four other weights, and one is chosen."""
    params, mask = {"w": jnp.ones((3, 3, 1, 1))}, {"w": jnp.ones((3, 3, 1, 1), bool)}
    factor = jnp.ones((1, 2, 2, 1)) if same else jnp.arange(1.0, 5).reshape(1, 2, 2, 1)
    found = sf.effective(
        lambda p, x: CHOICES[choice](conv(p, "w", x) * factor), params, mask, jnp.ones((1, 2, 2, 1))
    )
    assert bool(found["w"].all())


def test_a_corner_that_sees_padding_counts_by_topology_alone() -> None:
    params = {"w": jnp.ones((3, 3, 1, 1))}
    apply_fn = lambda p, x: conv(p, "w", x)  # noqa: E731
    mask, x = sf.full_mask(params), jnp.ones((1, 1, 1, 1))
    assert int(sf.effective(apply_fn, params, mask, x)["w"].sum()) == 1
    assert int(sf.effective(apply_fn, params, mask, x, by="topology")["w"].sum()) == 9


def test_small_and_negative_factors_are_factors() -> None:
    """Constants, fixed kernels and a learning rate of weights enter by their place alone."""
    fixed = jnp.array([[1e-30, 0.0], [-1e-30, 2.0]])

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        x = (x @ (params["a"] * 1e-20)) @ fixed * -1e-30
        return x @ -params["b"] - jnp.ones((1, 2))

    params = {"a": jnp.ones((2, 2)), "b": jnp.ones((2, 2))}
    mask = {
        "a": jnp.array([[True, True], [False, False]]),
        "b": jnp.array([[False, False], [True, False]]),
    }
    found = sf.effective(apply_fn, params, mask, jnp.ones((1, 2)))
    np.testing.assert_array_equal(found["a"], [[False, True], [False, False]])
    np.testing.assert_array_equal(found["b"], mask["b"])


def test_biases_start_no_path() -> None:
    params = dense_params(biases=True)
    mask = sf.full_mask(params, lambda path, leaf: True)
    mask["dense0"]["kernel"] = jnp.zeros((6, 5), bool).at[:, 0].set(True)
    mask["dense2"]["kernel"] = jnp.zeros((4, 3), bool).at[1:, 2].set(True)
    for by, biases in (("flow", [0, 0, 0]), ("topology", [1, 3, 3])):
        found = sf.effective(dense_apply, params, mask, jnp.ones((1, 6)), by=by)
        assert [int(layer["bias"].sum()) for layer in found.values()] == biases
        used = np.outer(np.arange(5) == 0, np.arange(4) > 0)
        np.testing.assert_array_equal(found["dense1"]["kernel"], used)


@pytest.mark.parametrize("by", ["flow", "topology"])
def test_without_a_path_nothing_is_left(by: Any) -> None:
    params = dense_params()
    mask = sf.full_mask(params)
    mask["dense1"]["kernel"] = jnp.zeros((5, 4), bool)
    found = sf.effective(dense_apply, params, mask, jnp.ones((1, 6)), by=by)
    assert not any(bool(leaf.any()) for leaf in jax.tree.leaves(found))


def test_masks_of_channels_shapes_and_batches() -> None:
    case = CASES["plain"]
    shapes = {
        k: jax.ShapeDtypeStruct(s, jnp.float32) for k, s in (case.shapes | case.others).items()
    }
    mask = dict.fromkeys(shapes, jnp.array(True))
    mask["a"] = jnp.array([True, False, True, False]).reshape(1, 1, 1, 4)
    mask["b"] = jnp.array([True, True, False, False]).reshape(1, 1, 4, 1)
    for by in ("flow", "topology"):
        for inputs in (jnp.zeros((7, *IMAGE)), jax.ShapeDtypeStruct((1, *IMAGE), jnp.float32)):
            found = sf.effective(plain, shapes, mask, inputs, by=by)
            np.testing.assert_array_equal(
                found["a"], jnp.broadcast_to(jnp.arange(4).reshape(1, 1, 1, 4) == 0, (3, 3, 3, 4))
            )
            assert bool(found["b"][:, :, 0].any())
            assert not bool(found["b"][:, :, 1:].any())


class Attention(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.embed = nnx.Embed(11, 8, rngs=rngs)
        self.place = nnx.Param(jnp.ones((1, 5, 8)))
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.attend = nnx.MultiHeadAttention(2, 8, rngs=rngs, decode=False)
        self.inner, self.outer = nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 8, rngs=rngs)
        self.head = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.embed(tokens) + self.place[...]
        x = x + self.attend(self.norm(x))
        x = x + self.outer(nnx.gelu(self.inner(x)))
        return self.head(x.mean(1))


@pytest.mark.usefixtures("others_promote")
def test_transformers_by_topology() -> None:
    apply_fn, params = sf.from_nnx(Attention(nnx.Rngs(0)))
    tokens = jnp.zeros((1, 5), jnp.int32)
    # The second head's values, two hidden units, and a direction of the stream at its end.
    cut = {
        "attend/value/kernel": np.s_[:, 1],
        "inner/kernel": np.s_[:, 3],
        "outer/kernel": np.s_[5],
        "head/kernel": np.s_[2],
    }

    def left(path: Any, leaf: jax.Array) -> jax.Array:
        name = leaf_name(path)
        return leaf.at[cut[name]].set(False) if name in cut else leaf

    mask = jax.tree_util.tree_map_with_path(left, sf.full_mask(params))
    found = sf.effective(apply_fn, params, mask, tokens, by="topology")
    layers = {name: np.asarray(leaf) for name, leaf in named_leaves(found)}
    for name, axis in (("out", 0), ("query", 1)):
        heads = np.moveaxis(layers[f"attend/{name}/kernel"], axis, 0)
        assert heads[0].all()
        assert not heads[1].any()
    assert layers["embed/embedding"].all()
    hidden, stream = ~np.isin(range(16), [3, 5]), np.arange(8) != 2
    np.testing.assert_array_equal(layers["inner/kernel"], np.outer(np.ones(8), hidden))
    np.testing.assert_array_equal(layers["outer/kernel"], np.outer(hidden, stream))
    with pytest.raises(TypeError, match=r"floating-point.*by='topology'"):
        sf.effective(apply_fn, params, mask, tokens)


def test_refused() -> None:
    params, x = {"w": jnp.ones((3, 2))}, jnp.ones((1, 3))
    mask, apply_fn = sf.full_mask(params), lambda p, x: x @ p["w"]
    with pytest.raises(ValueError, match="by must be 'flow' or 'topology', got by='units'"):
        sf.effective(apply_fn, params, mask, x, by="units")
    with pytest.raises(sf.NonHomogeneousError, match="tanh"):
        sf.effective(lambda p, x: jnp.tanh(x @ p["w"]), params, mask, x)
    for by in ("flow", "topology"):
        with pytest.raises(ValueError, match=r"apply_fn\(params, \.\.\.\) failed"):
            sf.effective(apply_fn, params, mask, jnp.ones((1, 4)), by=by)
    looped = lambda p, x: lax.while_loop(lambda y: y.sum() < 9, lambda y: y + 1, x @ p["w"])  # noqa: E731
    with pytest.raises(ValueError, match=r"apply_fn\(params, \.\.\.\) failed.*while_loop"):
        sf.effective(looped, params, mask, x, by="topology")
    with pytest.raises(ValueError, match="mask has no leaf 'w'"):
        sf.effective(apply_fn, params, {}, x)
    with pytest.raises(TypeError, match="apply_fn must be a function"):
        sf.effective(params, params, mask, x)
    with pytest.raises(TypeError, match="traced by jit"):
        jax.jit(lambda m: sf.effective(apply_fn, params, m, x))(mask)
    with pytest.raises(ValueError, match="apply_fn=apply_fn, inputs=inputs, effective=True"):
        sf.layer_table(mask, params, effective=True)


def test_layer_table_shows_both_densities() -> None:
    params = dense_params(biases=True)
    mask = sf.full_mask(params)
    mask["dense1"]["kernel"] = jnp.zeros((5, 4), bool).at[0, 0].set(True)
    table = sf.layer_table(
        mask, params, apply_fn=dense_apply, inputs=jnp.ones((1, 6)), effective=True
    )
    assert table.rows[0] == ("dense0/kernel", (6, 5), 30, 30, 1.0, 6, 0.2)
    assert [row.effective for row in table.rows] == [6, 1, 3]
    assert (table.size, table.kept, table.effective) == (62, 43, 10)
    lines = str(table).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == "layer shape size kept density effective effective density".split()
    assert lines[-1].split() == ["total", "62", "43", "0.6935", "10", "0.1613"]
    assert sf.layer_table(mask, params).effective is None
    by_units = sf.layer_table(
        mask, params, apply_fn=dense_apply, inputs=jnp.ones((1, 6)), effective="topology"
    )
    assert by_units == table
