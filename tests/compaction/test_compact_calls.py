"""What a compact network's functions take and give, and what is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compact_checks import Case, assert_close, check_same, kept_places, sizes
from compact_images import batch_norm, conv
from compact_networks import Numbers, along_last, masked, mlp, relu
from flax import linen

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote", "wide")


@pytest.fixture
def both() -> tuple[Case, sf.Compact]:
    return masked(mlp(relu, -0.1), 3)


def test_under_jit_vmap_grad_and_another_batch_size(both: Any) -> None:
    case, small = both
    assert sizes(small.params) < sizes(case.params)
    whole, x = sf.apply_mask(case.mask, case.params), Numbers(1)(3, 7, 5)
    expected = case.apply_fn(whole, x.reshape(-1, 5))
    for found in (
        jax.vmap(small.apply_fn, (None, 0))(small.params, x),
        jax.jit(jax.vmap(small.of(case.apply_fn), (None, 0)))(small.params, x),
        jax.lax.map(lambda x: small.apply_fn(small.params, x), x),
    ):
        assert_close(found.reshape(-1, 3), expected, 1e-12, "outputs")

    def loss(fn: Any) -> Any:
        return lambda params: jnp.square(fn(params, x[0])).sum()

    moved = jax.tree.map(jnp.cos, small.params)
    moved = sf.apply_mask(small.mask, moved)
    second = jax.jvp(jax.grad(loss(small.apply_fn)), (small.params,), (moved,))[1]
    of_whole = jax.jvp(jax.grad(loss(case.apply_fn)), (whole,), (small.expand(moved),))[1]
    masked_second = sf.apply_mask(case.mask, of_whole)
    assert_close(
        small.expand(sf.apply_mask(small.mask, second)), masked_second, 1e-11, "second derivatives"
    )


def test_of_takes_any_arguments(both: Any) -> None:
    case, small = both

    def loss_fn(params: Any, x: Any, labels: Any, *, weight: Any) -> Any:
        logits = case.apply_fn(params, x)
        return weight * optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    whole, x = sf.apply_mask(case.mask, case.params), Numbers(1)(7, 5)
    labels = jnp.arange(7) % 3
    expected = loss_fn(whole, x, labels, weight=2.0)
    assert_close(small.of(loss_fn)(small.params, x, labels, weight=2.0), expected, 1e-12, "loss")
    gradient = jax.grad(small.of(loss_fn))(small.params, x, labels, weight=2.0)
    of_whole = jax.grad(loss_fn)(whole, x, labels, weight=2.0)
    again = small.expand(sf.apply_mask(small.mask, gradient))
    assert_close(again, sf.apply_mask(case.mask, of_whole), 1e-11, "gradient")


def test_dropout_draws_the_same_bits(both: Any) -> None:
    case, small = both

    def dropped(params: Any, x: Any, key: jax.Array) -> Any:
        layers, last = params[:-1], params[-1]
        for layer in layers:
            x = relu(x @ layer["w"] + along_last(layer["b"], 2))
            key, own = jax.random.split(key)
            x = jnp.where(jax.random.bernoulli(own, 0.7, x.shape), x / 0.7, 0)
        return x @ last["w"] + along_last(last["b"], 2)

    whole, key = sf.apply_mask(case.mask, case.params), jax.random.key(3)
    expected = dropped(whole, case.inputs, key)
    assert_close(small.of(dropped)(small.params, case.inputs, key), expected, 1e-12, "outputs")


def test_functions_that_use_what_was_removed_are_refused(both: Any) -> None:
    case, small = both

    def decayed(params: Any, x: Any) -> Any:
        return case.apply_fn(params, x).sum() + sum(
            jnp.square(leaf).sum() for leaf in jax.tree.leaves(params)
        )

    with pytest.raises(ValueError, match=r"units that were\s+removed"):
        small.of(decayed)(small.params, case.inputs)


def bn_network(bias: float, mean: float) -> tuple[Case, Any]:
    """A convolution and BatchNorm, whose first two channels nothing leads into."""
    n = Numbers(0)
    params = {"w": n(3, 3, 2, 5), "n_scale": jnp.ones(5), "n_bias": jnp.full(5, bias), "o": n(5, 3)}
    mask = jax.tree.map(lambda _: jnp.asarray(True), params)
    mask["w"] = jnp.broadcast_to(jnp.arange(5) > 1, (3, 3, 2, 5))

    def inference(params: Any, x: Any) -> Any:
        x = (conv(x, params["w"]) - mean) * along_last(params["n_scale"], 4)
        return relu(x + along_last(params["n_bias"], 4)).mean((1, 2)) @ params["o"]

    def training(params: Any, x: Any) -> Any:
        x = batch_norm(conv(x, params["w"]), params, "n")
        return relu(x).mean((1, 2)) @ params["o"], x.mean((0, 1, 2))

    return Case(inference, params, mask, n(4, 4, 4, 2)), training


@pytest.mark.parametrize(
    ("bias", "mean", "left"), [(0.0, 0.0, 3), (-0.1, 0.5, 3), (-0.1, -0.5, 5), (0.1, 0.0, 5)]
)
def test_batch_norm_in_both_modes(bias: float, mean: float, left: int) -> None:
    case, training = bn_network(bias, mean)
    small = check_same(case)
    assert small.params["w"].shape == (3, 3, 2, left)
    expected, means = training(sf.apply_mask(case.mask, case.params), case.inputs)
    found, own = small.of(training)(small.params, case.inputs)
    assert_close(found, expected, 1e-12, "outputs")
    assert_close(own, means[5 - left :], 1e-12, "statistics")


def test_units_dead_only_in_inference_are_refused_in_training() -> None:
    case, training = bn_network(0.1, 0.5)
    small = sf.compact(*case)
    with pytest.raises(ValueError, match="removed"):
        small.of(training)(small.params, case.inputs)
    together = Case(lambda params, x: (case.apply_fn(params, x), training(params, x)[0]), *case[1:])
    assert check_same(together).params["w"].shape[-1] == 5


def test_constants() -> None:
    case, _ = bn_network(0.1, 0.0)
    assert sf.compact(*case).report.constant == 2
    assert "2 units stay" in str(sf.compact(*case))
    dropped = sf.compact(*case, constants="drop")
    assert dropped.params["w"].shape[-1] == 3
    assert not dropped.report.constant
    n = Numbers(0)
    params = {"a": n(4, 5), "c": jnp.zeros(5), "b": n(5, 2)}
    mask = {"a": jnp.broadcast_to(jnp.arange(5) > 1, (4, 5)), "c": jnp.asarray(True)}
    mask["b"] = jnp.ones((5, 2), bool)

    def apply_fn(params: Any, x: Any) -> Any:
        return jnp.tanh(x @ params["a"] + along_last(params["c"], 2)) @ params["b"]

    x = n(3, 4)
    assert sf.compact(apply_fn, params, mask, x).params["a"].shape[1] == 5
    small = sf.compact(apply_fn, params, mask, x, constants="at_zero")
    assert small.params["a"].shape[1] == 3
    expected = apply_fn(sf.apply_mask(mask, params), x)
    assert_close(small.apply_fn(small.params, x), expected, 1e-12, "outputs")


@pytest.mark.parametrize("layer", ["a", "b"])
def test_a_mask_without_paths_names_the_layer(layer: str) -> None:
    n = Numbers(0)
    params = {"a": n(4, 5), "b": n(5, 2), "c": n(2, 3)}
    mask = sf.full_mask(params) | {layer: jnp.zeros(params[layer].shape, bool)}

    def apply_fn(params: Any, x: Any) -> Any:
        return relu(relu(x @ params["a"]) @ params["b"]) @ params["c"]

    with pytest.raises(ValueError, match=f"no path .* '{layer}'"):
        sf.compact(apply_fn, params, mask, n(3, 4))
    # Where nothing leads from one layer to the next.
    half = sf.full_mask(params) | {
        "a": jnp.broadcast_to(jnp.arange(5) > 2, (4, 5)),
        "b": jnp.broadcast_to((jnp.arange(5) <= 2)[:, None], (5, 2)),
    }
    with pytest.raises(ValueError, match=r"no path .* 'b'"):
        sf.compact(apply_fn, params, half, n(3, 4))


def test_masks_that_broadcast() -> None:
    n = Numbers(0)
    params = {"a": n(3, 3, 2, 6), "b": n(3, 3, 6, 4), "o": n(4, 3)}
    mask = {
        "a": jnp.arange(6).reshape(1, 1, 1, -1) % 3 > 0,
        "b": jnp.asarray([True, False, True, True]).reshape(1, 1, 1, -1),
        "o": jnp.asarray([True, True, False, True]).reshape(-1, 1),
    }

    def apply_fn(params: Any, x: Any) -> Any:
        return relu(conv(relu(conv(x, params["a"])), params["b"])).mean((1, 2)) @ params["o"]

    small = check_same(Case(apply_fn, params, mask, n(2, 4, 4, 2)))
    assert [leaf.shape for leaf in jax.tree.leaves(small.params)] == [
        (3, 3, 2, 4),
        (3, 3, 4, 2),
        (2, 3),
    ]
    whole_mask = small.expand(small.mask)
    assert_close(
        small.expand(small.params),
        sf.apply_mask(whole_mask, params),
        0,
        "a mask at full shape keeps nothing that was removed",
    )


def test_states_of_optimizers_shrink_and_expand(both: Any) -> None:
    case, small = both
    tx = optax.chain(optax.trace(0.9), optax.scale_by_adam())
    whole = jax.tree.map(lambda leaf: leaf + 1, tx.init(case.params))
    left = small.shrink(whole)
    for expected, found in zip(
        jax.tree.leaves(tx.init(small.params)), jax.tree.leaves(left), strict=True
    ):
        assert expected.shape == found.shape
    again = small.expand(left)
    kept = kept_places(small)
    for part in (again[0].trace, again[1].mu, again[1].nu):
        jax.tree.map(np.testing.assert_array_equal, part, jax.tree.map(lambda k: 1.0 * k, kept))
    with pytest.raises(ValueError, match="structure of params"):
        small.shrink({"other": jnp.ones(3)})


class Module(linen.Module):
    """A convolution with BatchNorm and dropout, and a dense layer."""

    @linen.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x = linen.Conv(5, (3, 3), use_bias=False, param_dtype=jnp.float64)(x)
        x = linen.BatchNorm(use_running_average=not train, param_dtype=jnp.float64)(x)
        x = linen.Dropout(0.3, deterministic=not train)(relu(x))
        return linen.Dense(3, param_dtype=jnp.float64)(x.mean((1, 2)))


def test_linen_with_all_collections() -> None:
    module, x = Module(), Numbers(0)(4, 4, 4, 2)
    variables = module.init(jax.random.key(0), x, train=False)
    variables = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), variables)
    mask = jax.tree.map(lambda _: jnp.asarray(True), variables)
    mask["params"]["Conv_0"]["kernel"] = jnp.broadcast_to(jnp.arange(5) > 1, (3, 3, 2, 5))

    def apply_fn(variables: Any, x: Any) -> Any:
        return module.apply(variables, x, train=False)

    def training(variables: Any, x: Any, key: Any) -> Any:
        rngs = {"dropout": key}
        return module.apply(variables, x, train=True, mutable=["batch_stats"], rngs=rngs)

    small = sf.compact(apply_fn, variables, mask, x)
    assert small.params["params"]["Conv_0"]["kernel"].shape == (3, 3, 2, 3)
    assert small.params["batch_stats"]["BatchNorm_0"]["mean"].shape == (3,)
    whole, key = sf.apply_mask(mask, variables), jax.random.key(1)
    expected, updated = training(whole, x, key)
    found, left = small.of(training)(small.params, x, key)
    assert_close(found, expected, 1e-12, "outputs")
    cut = small.shrink({**variables, **updated})["batch_stats"]
    assert_close(left["batch_stats"], cut, 1e-12, "statistics")
    new = {**small.params, **left}
    assert_close(
        small.apply_fn(new, x), apply_fn({**whole, **updated}, x), 1e-12, "with new statistics"
    )


def test_units_without_flow_are_those_removed() -> None:
    """SynFlow's scores are 0 on all weights of a unit exactly where it's removed."""
    case, small = masked(mlp(relu, None), 4)
    whole = sf.apply_mask(case.mask, case.params)
    scores = sf.synflow(case.apply_fn, jnp.ones((1, 5)))(whole, case.mask, None, None)
    places = kept_places(small)
    for before, after, own in zip(scores[:-1], scores[1:], places[:-1], strict=True):
        flows = (np.asarray(before["w"]) > 0).any(0)
        np.testing.assert_array_equal(flows, (np.asarray(after["w"]) > 0).any(1))
        np.testing.assert_array_equal(flows, np.asarray(own["w"]).any(0))
