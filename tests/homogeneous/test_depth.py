"""SynFlow on deep networks: against plain float32 bit for bit, and plain float64."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import synflow_jax as sf
from synflow_jax import models

pytestmark = [pytest.mark.usefixtures("others_promote"), pytest.mark.optimized]


def model_case(name: str, input_shape: tuple[int, int, int]) -> tuple[Any, Any, jax.Array]:
    model = models.create(name, num_classes=10, input_shape=input_shape, rngs=nnx.Rngs(0))
    return (*sf.from_nnx(model), jnp.ones((1, *input_shape)))


def resnet50_case(*, side: int = 224, by_products: bool = False) -> tuple[Any, Any, jax.Array]:
    shape = (side, side, 3)
    rngs = nnx.Rngs(0)
    model = models.create("imagenet/resnet50", num_classes=10, input_shape=shape, rngs=rngs)
    for _, module in nnx.iter_modules(model):
        if by_products and isinstance(module, nnx.Conv):
            module.conv_general_dilated = product_of_patches
    return (*sf.from_nnx(model), jnp.ones((1, *shape)))


def product_of_patches(
    x: jax.Array, kernel: jax.Array, strides: Any, padding: Any, **_: Any
) -> jax.Array:
    """A convolution as one matrix product, which is several times faster in float64 on a CPU."""
    (rows, columns), features = kernel.shape[:2], kernel.shape[-1]
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    down, across = strides
    height, width = (x.shape[1] - rows) // down + 1, (x.shape[2] - columns) // across + 1
    patches = [
        x[:, i : i + (height - 1) * down + 1 : down, j : j + (width - 1) * across + 1 : across]
        for i in range(rows)
        for j in range(columns)
    ]
    return jnp.concatenate(patches, -1) @ kernel.reshape(-1, features)


def mlp_case(depth: int = 60, width: int = 512) -> tuple[Any, Any, jax.Array]:
    keys = jax.random.split(jax.random.key(0), depth)
    params = [jax.random.normal(key, (width, width)) * (2 / width) ** 0.5 for key in keys]

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for kernel in params[:-1]:
            x = jax.nn.relu(x @ kernel)
        return x @ params[-1]

    return apply_fn, params, jnp.ones((1, width))


CASES = {
    "resnet56": functools.partial(model_case, "lottery/resnet56", (32, 32, 3)),
    "resnet110": functools.partial(model_case, "lottery/resnet110", (32, 32, 3)),
    "resnet50": resnet50_case,
    "mlp60": mlp_case,
}
# Smaller images and layers take a fraction of plain differentiation's time, and are as deep.
SMALLER = {
    "resnet56": functools.partial(model_case, "lottery/resnet56", (16, 16, 3)),
    "resnet110": functools.partial(model_case, "lottery/resnet110", (16, 16, 3)),
    "resnet50": functools.partial(resnet50_case, side=64),
    "mlp60": functools.partial(mlp_case, width=256),
}


def plain(apply_fn: Any, inputs: jax.Array) -> Any:
    """SynFlow by plain differentiation of the network in the type of its params."""

    def score_fn(params: Any, mask: Any, *_: Any) -> Any:
        magnitudes = jax.tree.map(jnp.abs, sf.apply_mask(mask, params))
        dtype = jax.tree.leaves(params)[0].dtype

        def flow(params: Any) -> jax.Array:
            return jnp.sum(apply_fn(params, inputs.astype(dtype)))

        return jax.tree.map(jnp.multiply, magnitudes, jax.grad(flow)(magnitudes))

    return score_fn


def scores_and_power(apply_fn: Any, params: Any, inputs: jax.Array) -> tuple[Any, int]:
    """SynFlow's scores and the exponent that they are divided by, as one program."""
    mask = sf.full_mask(params)

    @jax.jit
    def both(params: Any) -> tuple[Any, jax.Array]:
        scores = sf.synflow(apply_fn, inputs)(params, mask, None, None)
        return scores, sf.flow(apply_fn, params, inputs).exponent

    scores, power = both(params)
    return scores, int(power)


def kernels(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree) if leaf.ndim > 1]


def wide(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)


@pytest.mark.slow
def test_plain_float32_overflows_where_ours_is_finite() -> None:
    apply_fn, params, inputs = model_case("lottery/resnet44", (32, 32, 3))
    mask = sf.full_mask(params)
    overflowed = jax.jit(plain(apply_fn, inputs))(params, mask, None, None)
    assert not all(np.all(np.isfinite(leaf)) for leaf in kernels(overflowed))
    ours = jax.jit(sf.synflow(apply_fn, inputs))(params, mask, None, None)
    assert all(np.all(np.isfinite(leaf)) for leaf in kernels(ours))


@pytest.mark.parametrize(
    "name", ["resnet20", "vgg11-bn", pytest.param("vgg16-bn", marks=pytest.mark.slow)]
)
def test_as_exact_as_float32_can_be(name: str) -> None:
    # Plain float32 is off by up to 1.4e-6 here: convolutions add up in another order.
    apply_fn, params, inputs = model_case(f"lottery/{name}", (32, 32, 3))
    mask = sf.full_mask(params)
    ours, power = scores_and_power(apply_fn, params, inputs)
    with jax.enable_x64(True):
        exact = jax.jit(plain(apply_fn, inputs))(wide(params), mask, None, None)
        for a, b in zip(kernels(ours), kernels(exact), strict=True):
            ours64 = np.ldexp(a.astype(np.float64), power)
            np.testing.assert_allclose(ours64, b, rtol=0, atol=1e-6 * b.max())


@pytest.mark.skipif(
    jax.__version_info__ < (0, 10, 2),
    reason="jaxlib 0.10.0 adds up both programs in orders of their own (0.10.1 not tried)",
)
def test_same_bits_as_plain_float32() -> None:
    keys = jax.random.split(jax.random.key(0), 8)
    params = [jax.random.normal(key, (40, 40)) for key in keys]
    inputs = jnp.ones((1, 40))

    def apply_fn(params: Any, x: jax.Array) -> jax.Array:
        for kernel in params:
            x = jax.nn.relu(x @ kernel)
        return x

    mask = sf.full_mask(params)
    ours, power = scores_and_power(apply_fn, params, inputs)
    theirs = jax.jit(plain(apply_fn, inputs))(params, mask, None, None)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.ldexp(np.asarray(a, np.float64), power), b)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_scores_and_one_round_against_float64(name: str) -> None:
    apply_fn, params, inputs = CASES[name]()
    mask = sf.full_mask(params)
    ours, power = scores_and_power(apply_fn, params, inputs)
    ours = kernels(ours)
    with jax.enable_x64(True):
        expected = kernels(jax.jit(plain(apply_fn, inputs))(wide(params), mask, None, None))
    for a, b in zip(ours, expected, strict=True):
        assert np.abs(np.ldexp(a.astype(np.float64), power) - b).max() <= 1e-4 * b.max()
    total = sum(leaf.size for leaf in ours)
    for compression in (10, 100, 1000):
        kept = [highest(scores, total // compression) for scores in (ours, expected)]
        assert np.sum(kept[0] & ~kept[1]) <= 0.001 * (total // compression)


def highest(scores: list[np.ndarray], k: int) -> np.ndarray:
    flat = np.concatenate([leaf.ravel() for leaf in scores])
    keep = np.zeros(flat.size, bool)
    keep[np.argpartition(-flat, k)[:k]] = True
    return keep


def hundred_rounds(score_fn: Any, params: Any) -> list[np.ndarray]:
    """100 rounds to 100x, each round a call: convolutions within a loop are slow on a CPU."""
    mask = sf.full_mask(params)
    counts = sf.round_counts(mask, 100.0, 100, sf.exponential, sf.global_top_k)
    step = jax.jit(lambda mask, row: sf.prune_rounds(score_fn, params, mask, row)[0])
    for row in counts:
        mask = step(mask, row[None])
    return kernels(mask)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_hundred_rounds_against_float64(name: str) -> None:
    apply_fn, params, inputs = SMALLER[name]()
    narrow = hundred_rounds(sf.synflow(apply_fn, inputs), params)
    if name == "resnet50":
        apply_fn, *_ = resnet50_case(side=inputs.shape[1], by_products=True)
    with jax.enable_x64(True):
        scaled = hundred_rounds(sf.synflow(apply_fn, inputs, dtype=jnp.float64), params)
        expected = hundred_rounds(plain(apply_fn, inputs), wide(params))
    for a, b in zip(scaled, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(narrow, expected, strict=True):
        if b.sum() > 100:
            assert abs(int(a.sum()) - int(b.sum())) <= 0.15 * b.sum()


@pytest.mark.slow
def test_resnet1202_is_finite_and_conserved() -> None:
    apply_fn, params, inputs = model_case("lottery/resnet1202", (32, 32, 3))
    scores = jax.jit(sf.synflow(apply_fn, inputs))(params, sf.full_mask(params), None, None)
    assert all(np.all(np.isfinite(leaf)) for leaf in kernels(scores))
    flow = sf.flow(apply_fn, params, inputs)
    assert float(flow.log2) > 1024  # beyond float64

    def total(layer: Any) -> float:
        return float(jnp.sum(layer["kernel"][...], dtype=jnp.float32))

    everything = [total(scores["conv"]), total(scores["output"])]
    for block in scores["blocks"].values():
        np.testing.assert_allclose(total(block["conv1"]), total(block["conv2"]), rtol=1e-3)
        if "shortcut" in block:
            everything.append(total(block["shortcut"]) + total(block["conv2"]))
    assert len(everything) == 4
    np.testing.assert_allclose(everything, float(flow.mantissa), rtol=1e-3)


@pytest.mark.slow
def test_bfloat16_is_finite_with_exact_counts(capsys: pytest.CaptureFixture[str]) -> None:
    apply_fn, params, inputs = model_case("lottery/resnet32", (32, 32, 3))
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    score_fn = sf.synflow(apply_fn, inputs.astype(jnp.bfloat16))
    scores = jax.jit(score_fn)(half, sf.full_mask(half), None, None)
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(scores))
    mask, history = sf.prune(score_fn, half, 10.0, rounds=3)
    total = sum(leaf.size for leaf in kernels(mask))
    expected = total - np.floor((1 - sf.exponential(10.0, 3)) * total)
    np.testing.assert_array_equal(history.kept, expected)
    reference, _ = sf.prune(sf.synflow(apply_fn, inputs), params, 10.0, rounds=3)
    differ = sum(np.sum(a & ~b) for a, b in zip(kernels(mask), kernels(reference), strict=True))
    with capsys.disabled():
        share = differ / int(history.kept[-1])
        print(f"\n{share:.1%} of the weights that bfloat16 keeps aren't kept in float32")
