"""NNX models made smaller behave like any other; Linen's and sharded params; bad calls."""

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


class Images(nnx.Module):
    """All kinds of layers of an image network."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.stem = nnx.Conv(3, 8, (3, 3), use_bias=False, rngs=rngs)
        self.stem_norm = nnx.BatchNorm(8, rngs=rngs)
        self.depthwise = nnx.Conv(8, 16, (3, 3), feature_group_count=8, rngs=rngs)
        self.grouped = nnx.Conv(16, 16, (1, 1), feature_group_count=4, rngs=rngs)
        self.group_norm = nnx.GroupNorm(16, num_groups=4, rngs=rngs)
        self.up = nnx.ConvTranspose(16, 6, (2, 2), strides=(2, 2), rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.output = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.stem_norm(self.stem(x)))
        x = nnx.relu(self.depthwise(x))
        x = nnx.relu(self.group_norm(self.grouped(x)))
        x = nnx.relu(self.up(x))
        return self.output(self.dropout(x.mean((1, 2))))


class Tokens(nnx.Module):
    """Attention and its neighbors."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.embed = nnx.Embed(7, 8, rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(
            num_heads=4, in_features=8, qkv_features=16, decode=False, rngs=rngs
        )
        self.up = nnx.Linear(8, 12, rngs=rngs)
        self.down = nnx.Einsum("bth,hd->btd", (12, 8), (8,), rngs=rngs)
        self.output = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.embed(tokens)
        x = x + self.attention(self.norm(x))
        return self.output((x + self.down(nnx.relu(self.up(x)))).mean(1))


CASES = {
    "images": (Images, jax.random.normal(jax.random.key(1), (4, 6, 6, 3))),
    "tokens": (Tokens, jax.random.randint(jax.random.key(1), (4, 5), 0, 7)),
}


def without(mask: Any, names: dict[str, Any]) -> Any:
    """A mask with more of some leaves cut."""

    def cut(path: Any, leaf: jax.Array) -> jax.Array:
        name = jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value")
        return leaf.at[names[name]].set(False) if name in names else leaf

    return jax.tree_util.tree_map_with_path(cut, mask)


def made(name: str) -> tuple[Any, Any, jax.Array]:
    """A model, a mask with units without a path of each kind, and inputs."""
    make, inputs = CASES[name]
    model = make(rngs=nnx.Rngs(0))
    mask = sf.full_mask(nnx.state(model, nnx.Param))
    all_but = slice(None)
    cuts = {
        "images": {
            "stem/kernel": (..., slice(2)),
            "grouped/kernel": (..., slice(8, 12)),
            "output/kernel": (slice(2, 4),),
        },
        "tokens": {
            "attention/value/kernel": (all_but, 1),
            "attention/out/kernel": (1,),
            "down/kernel": (slice(3, 8),),
        },
    }
    return model, without(mask, cuts[name]), inputs


@pytest.mark.parametrize("name", CASES)
def test_small_models_compute_what_masked_ones_do(name: str) -> None:
    model, mask, inputs = made(name)
    arrays = nnx.Any(nnx.Param, nnx.BatchStat)
    before = jax.tree.map(jnp.copy, nnx.state(model, arrays))
    small, small_mask = sf.compact_nnx(model, mask, inputs)
    fn, params = sf.from_nnx(model)
    small_fn, small_params = sf.from_nnx(small)
    expected = jax.jit(fn)(sf.apply_mask(mask, params), inputs)
    found = jax.jit(small_fn)(small_params, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-6 * float(jnp.abs(expected).max()))
    assert jax.tree.structure(small_mask) == jax.tree.structure(small_params)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, before, nnx.state(model, arrays))))
    pointers = {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(params)}
    assert pointers.isdisjoint(x.unsafe_buffer_pointer() for x in jax.tree.leaves(small_params))


def test_layers_say_their_new_sizes() -> None:
    model, mask, inputs = made("images")
    small, _ = sf.compact_nnx(model, mask, inputs)
    # Of four groups of two channels of the stem, one has nothing leading in, one nothing out.
    assert (small.stem.out_features, small.stem.kernel_shape) == (4, (3, 3, 3, 4))
    assert small.stem_norm.num_features == 4
    assert small.depthwise.feature_group_count == small.depthwise.in_features == 4
    assert small.depthwise.out_features == small.grouped.in_features == 8
    assert small.grouped.feature_group_count == small.group_norm.num_groups == 2
    assert small.up.in_features == 8
    assert (small.up.out_features, small.output.in_features) == (4, 4)
    model, mask, inputs = made("tokens")
    small, _ = sf.compact_nnx(model, mask, inputs)
    assert small.attention.num_heads == 3
    assert small.attention.query.out_features == (3, 4)
    assert small.attention.qkv_features == 12
    assert small.up.out_features == small.down.kernel_shape[0] == 7
    assert small.norm.num_features == 8


def test_small_models_train_split_and_save(tmp_path: Path) -> None:
    model, mask, inputs = made("images")
    small, small_mask = sf.compact_nnx(model, mask, inputs)
    optimizer = nnx.Optimizer(
        small, sf.keep_params_sparse(optax.sgd(0.1, momentum=0.9), small_mask), wrt=nnx.Param
    )

    @nnx.jit
    def step(model: Any, optimizer: Any) -> jax.Array:
        loss, grads = nnx.value_and_grad(lambda model: jnp.mean(model(inputs) ** 2))(model)
        optimizer.update(model, grads)
        return loss

    small.train()
    mean = jnp.copy(small.stem_norm.mean[...])
    losses = [float(step(small, optimizer)) for _ in range(3)]
    assert losses[2] < losses[0]
    assert not np.array_equal(mean, small.stem_norm.mean[...])
    small.eval()
    graph, state = nnx.split(small)
    expected = nnx.merge(graph, state)(inputs)
    np.testing.assert_array_equal(small(inputs), expected)
    arrays = nnx.state(small, nnx.Any(nnx.Param, nnx.BatchStat))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "small", arrays)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "small", jax.tree.map(jnp.zeros_like, arrays))
    other, _ = sf.compact_nnx(model, mask, inputs)
    nnx.update(other, restored)
    other.eval()
    np.testing.assert_array_equal(other(inputs), expected)


class Averaged(nnx.Module):
    """Its code uses a size as a number, which a smaller one changes."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.first, self.second = nnx.Linear(3, 8, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.first(x))
        return self.second(x / x.shape[-1])


def test_code_that_uses_sizes_is_refused() -> None:
    model = Averaged(rngs=nnx.Rngs(0))
    mask = sf.full_mask(nnx.state(model, nnx.Param))
    mask = without(mask, {"second/kernel": (slice(3),)})
    with pytest.raises(
        ValueError, match=r"on smaller arrays what it does on whole ones.*sf.compact"
    ):
        sf.compact_nnx(model, mask, jnp.ones((1, 3)))
    fn, params = sf.from_nnx(model)
    small = sf.compact(fn, params, mask, jnp.ones((1, 3)))
    x = jax.random.normal(jax.random.key(0), (2, 3))
    expected = fn(sf.apply_mask(mask, params), x)
    np.testing.assert_allclose(small.apply_fn(small.params, x), expected, rtol=1e-6)
    assert small.params["first"]["kernel"].shape == (3, 5)


class LinenNet(linen.Module):
    """Linen checks shapes against what is written in it."""

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = linen.Conv(8, (3, 3), use_bias=False)(x)
        x = linen.relu(linen.BatchNorm(use_running_average=not train)(x))
        return linen.Dense(3)(x.reshape(len(x), -1))


def test_linen_with_all_collections() -> None:
    module, inputs = LinenNet(), jax.random.normal(jax.random.key(1), (4, 4, 4, 3))
    variables = module.init(jax.random.key(0), inputs)
    mask = {
        "params": sf.full_mask(variables["params"]),
        "batch_stats": jax.tree.map(lambda _: jnp.array(True), variables["batch_stats"]),
    }
    mask = without(mask, {"params/Conv_0/kernel": (..., slice(3))})
    small = sf.compact(lambda v, x: module.apply(v, x), variables, mask, inputs)
    assert small.params["params"]["Dense_0"]["kernel"].shape == (4 * 4 * 5, 3)
    assert small.params["batch_stats"]["BatchNorm_0"]["mean"].shape == (5,)
    whole = sf.apply_mask(mask, variables)

    def training(variables: Any, x: jax.Array) -> Any:
        return module.apply(variables, x, True, mutable=["batch_stats"])

    logits, updated = jax.jit(small.of(training))(small.params, inputs)
    expected, statistics = jax.jit(training)(whole, inputs)
    np.testing.assert_allclose(logits, expected, atol=1e-6)
    kept = statistics["batch_stats"]["BatchNorm_0"]["var"][3:]
    np.testing.assert_allclose(updated["batch_stats"]["BatchNorm_0"]["var"], kept, rtol=1e-6)
    state = TrainState.create(
        apply_fn=small.apply_fn,
        params=small.params["params"],
        tx=sf.keep_params_sparse(optax.adamw(0.01), small.mask["params"]),
    )

    def loss_fn(params: Any) -> jax.Array:
        given = {"params": params, "batch_stats": small.params["batch_stats"]}
        return jnp.mean(state.apply_fn(given, inputs) ** 2)

    losses = []
    for _ in range(3):
        loss, grads = jax.value_and_grad(loss_fn)(state.params)
        state = state.apply_gradients(grads=grads)
        losses.append(float(loss))
    assert losses[2] < losses[0]


def mlp(params: Any, x: jax.Array) -> jax.Array:
    return jax.nn.relu(x @ params["a"]) @ params["b"]


PARAMS = {"a": jnp.ones((3, 4)), "b": jnp.ones((4, 2))}
MASK = sf.full_mask(PARAMS)
X = jnp.ones((1, 3))


def scaled(params: Any, x: jax.Array) -> jax.Array:
    return mlp(params, x)[: int(x[0, 0])]


BAD = {
    "mask doesn't fit": (
        lambda: sf.compact(mlp, PARAMS, {"a": jnp.ones((3, 5), bool), "b": MASK["b"]}, X),
        ValueError,
        "mask leaf 'a' has shape",
    ),
    "mask not boolean": (lambda: sf.compact(mlp, PARAMS, PARAMS, X), TypeError, "must be boolean"),
    "inputs don't fit": (
        lambda: sf.compact(mlp, PARAMS, MASK, jnp.ones((1, 5))),
        ValueError,
        r"apply_fn\(params, ...\) failed on data of float32\[1, 5\]",
    ),
    "shapes depend on values": (
        lambda: sf.compact(scaled, PARAMS, MASK, X),
        ValueError,
        "apply_fn.*failed",
    ),
    "no path": (
        lambda: sf.compact(mlp, PARAMS, {"a": MASK["a"], "b": ~MASK["b"]}, X),
        ValueError,
        "no path from the inputs to the outputs: nothing gets through 'b'",
    ),
    "outputs without inputs": (
        lambda: sf.compact(lambda params, x: params["b"], PARAMS, MASK, X),
        ValueError,
        "the outputs don't depend on the inputs",
    ),
    "constants": (
        lambda: sf.compact(mlp, PARAMS, MASK, X, constants="away"),
        ValueError,
        "constants must be 'keep', 'at_zero' or 'drop', got 'away'",
    ),
    "under jit": (
        lambda: jax.jit(lambda params: sf.compact(mlp, params, MASK, X).params)(PARAMS),
        TypeError,
        "call this outside",
    ),
    "no model": (
        lambda: sf.compact_nnx(mlp, MASK, X),
        TypeError,
        "compact_nnx takes a flax.nnx.Module",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls(name: str) -> None:
    call, error, match = BAD[name]
    with pytest.raises(error, match=match):
        call()


def test_bad_uses_of_what_is_left() -> None:
    mask = {"a": MASK["a"], "b": MASK["b"].at[1].set(False)}
    small = sf.compact(mlp, PARAMS, mask, X)
    with pytest.raises(ValueError, match="params leaf 'a' must have the shape that is left"):
        small.apply_fn(PARAMS, X)
    with pytest.raises(ValueError, match=r"must have the structure of small\.params"):
        small.apply_fn({"a": small.params["a"]}, X)
    with pytest.raises(ValueError, match="no part of the tree has the structure of params"):
        small.shrink(jnp.ones(3))
    # The sum of absolute values looks at what was removed.
    with pytest.raises(ValueError, match=r"'reduce_sum' at .*test_compact_nnx.py:\d+ .*removed"):
        small.of(lambda params: jnp.sum(jnp.abs(params["a"])))(small.params)
    with pytest.raises(TypeError, match="fn must be a function"):
        small.of(3)


def test_a_leaf_that_is_never_used_stays_whole() -> None:
    params = {**PARAMS, "unused": jnp.ones((2, 2))}
    mask = sf.full_mask(params)
    mask["b"] = mask["b"].at[1].set(False)
    small = sf.compact(mlp, params, mask, X)
    assert small.params["unused"].shape == (2, 2)
    assert small.params["a"].shape == (3, 3)


def test_constants_stay_or_go_as_asked() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return jnp.tanh(x @ params["a"] + params["c"]) @ params["b"]

    params = {**PARAMS, "c": jnp.array([1.0, 0.5, 0.0, 0.0])}
    mask = sf.full_mask(params)
    mask["a"] = mask["a"].at[:, 1:3].set(False)  # units 1 and 2 hold tanh(0.5) and 0
    small = {
        constants: sf.compact(apply_fn, params, mask, X, constants=constants)
        for constants in ("keep", "at_zero", "drop")
    }
    widths = [each.params["c"].shape[0] for each in small.values()]
    assert widths == [4, 3, 2]
    assert "2 units stay for a constant that they hold" in str(small["keep"])
    expected = apply_fn(sf.apply_mask(mask, params), X)
    for name in ("keep", "at_zero"):
        found = small[name].apply_fn(small[name].params, X)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    dropped = small["drop"].apply_fn(small["drop"].params, X)
    np.testing.assert_allclose(expected - dropped, np.tanh(0.5), rtol=1e-5)


def test_the_report_says_what_is_held_back_and_where() -> None:
    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        return jnp.sort(x @ params["a"], axis=-1) @ params["b"]

    mask = {"a": MASK["a"], "b": MASK["b"].at[1].set(False)}
    small = sf.compact(apply_fn, PARAMS, mask, X)
    assert small.params["a"].shape == (3, 4)
    text = str(small)
    # What is sorted, and the row that nothing leads out of.
    assert "5 units held back by 'sort' at" in text
    assert "test_compact_nnx.py" in text
    assert small.report.total == (20, 20, 20, 20)
