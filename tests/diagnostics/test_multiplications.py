"""Multiply-adds, by hand and as published."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import lax

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote")

Shape = jax.ShapeDtypeStruct
NHWC = ("NHWC", "HWIO", "NHWC")
IMAGE = (2, 8, 6, 4)


def shapes(**leaves: tuple[int, ...]) -> dict[str, Shape]:
    return {name: Shape(shape, jnp.float32) for name, shape in leaves.items()}


def conv(params: Any, x: jax.Array, **options: Any) -> jax.Array:
    options = {"window_strides": (1, 1), "padding": "SAME", **options}
    return lax.conv_general_dilated(x, params["w"], dimension_numbers=NHWC, **options)


def attention(params: Any, x: jax.Array) -> jax.Array:
    """Two heads of 3 dimensions; of its products only those with the kernels count."""
    q, k, v = jnp.moveaxis((x @ params["qkv"]).reshape(*x.shape[:2], 3, 2, 3), 2, 0)
    weights = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k))
    return jnp.einsum("bhqk,bkhd,hde->bqe", weights, v, params["out"])


def scanned(params: Any, x: jax.Array) -> jax.Array:
    return lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, params["w"])[0]


BY_HAND = {
    "dense": (lambda p, x: x @ p["w"], {"w": (5, 7)}, (3, 5), {"w": 35}),
    "tokens": (lambda p, x: x @ p["w"] + p["b"], {"w": (5, 7), "b": (7,)}, (3, 11, 5), {"w": 385}),
    "used twice": (lambda p, x: x @ p["w"] @ p["w"].T, {"w": (5, 7)}, (1, 5), {"w": 70}),
    "conv": (conv, {"w": (3, 3, 4, 5)}, IMAGE, {"w": 8 * 6 * 9 * 4 * 5}),
    "stride": (
        lambda p, x: conv(p, x, window_strides=(2, 3)),
        {"w": (3, 3, 4, 5)},
        IMAGE,
        {"w": 4 * 2 * 9 * 4 * 5},
    ),
    "dilated, valid": (
        lambda p, x: conv(p, x, rhs_dilation=(2, 1), padding="VALID"),
        {"w": (3, 3, 4, 5)},
        IMAGE,
        {"w": 4 * 4 * 9 * 4 * 5},
    ),
    "groups": (
        lambda p, x: conv(p, x, feature_group_count=2),
        {"w": (3, 3, 2, 6)},
        IMAGE,
        {"w": 8 * 6 * 9 * 2 * 6},
    ),
    "depthwise": (
        lambda p, x: conv(p, x, feature_group_count=4),
        {"w": (3, 3, 1, 4)},
        IMAGE,
        {"w": 8 * 6 * 9 * 4},
    ),
    "transposed": (
        lambda p, x: conv(p, x, lhs_dilation=(2, 2), padding=((1, 1), (1, 1))),
        {"w": (3, 3, 4, 5)},
        IMAGE,
        {"w": 8 * 6 * 9 * 4 * 5},
    ),
    "attention": (
        attention,
        {"qkv": (7, 18), "out": (2, 3, 5)},
        (2, 10, 7),
        {"qkv": 10 * 7 * 18, "out": 10 * 6 * 5},
    ),
    "scan": (scanned, {"w": (4, 5, 5)}, (2, 5), {"w": 100}),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case: str) -> None:
    apply_fn, leaves, inputs, expected = BY_HAND[case]
    found = sf.multiplications(apply_fn, shapes(**leaves), Shape(inputs, jnp.float32))
    assert found.by_layer == expected
    assert found.total == sum(expected.values())


@pytest.mark.parametrize("case", BY_HAND)
def test_a_mask_counts_each_kept_weight_as_often_as_it_is_used(case: str) -> None:
    apply_fn, leaves, inputs, expected = BY_HAND[case]
    params = shapes(**leaves)
    keys = jax.random.split(jax.random.key(0), len(params))
    mask = {
        name: jax.random.bernoulli(k, 0.3, leaf.shape) if name != "b" else jnp.array(True)
        for k, (name, leaf) in zip(keys, params.items(), strict=True)
    }
    found = sf.multiplications(apply_fn, params, Shape(inputs, jnp.float32), mask)
    kept = {name: int(mask[name].sum()) for name in expected}
    uses = {name: expected[name] // params[name].size for name in expected}
    assert found.by_layer == {name: kept[name] * uses[name] for name in expected}


def test_a_mask_of_channels_and_arrays_in_place_of_shapes() -> None:
    params = {"w": jnp.ones((3, 3, 4, 5))}
    mask = {"w": jnp.array([True, False, True, False, False]).reshape(1, 1, 1, 5)}
    found = sf.multiplications(conv, params, jnp.ones(IMAGE), mask)
    assert found == (8 * 6 * 9 * 4 * 2, {"w": 8 * 6 * 9 * 4 * 2})


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("imagenet/vgg16", 15.47),
        ("imagenet/vgg19", 19.63),
        ("imagenet/resnet18", 1.81),
        ("imagenet/resnet50", 4.09),
    ],
)
def test_published(name: str, billions: float) -> None:
    """Counted from shapes; the sizes are those of torchvision's table of models."""

    def create() -> nnx.Module:
        given = {"num_classes": 1000, "input_shape": (224, 224, 3), "rngs": nnx.Rngs(0)}
        model = sf.models.create(name, **given)
        return nnx.view(model, use_running_average=True, raise_if_not_found=False)

    graph, state = nnx.split(nnx.eval_shape(create))
    images = Shape((1, 224, 224, 3), jnp.float32)
    found = sf.multiplications(lambda s, x: nnx.merge(graph, s)(x), state, images)
    assert round(found.total / 1e9, 2) == billions
    assert sum(found.by_layer.values()) == found.total


def test_refused() -> None:
    params, x = shapes(w=(3, 2)), Shape((1, 3), jnp.float32)
    apply_fn = lambda p, x: x @ p["w"]  # noqa: E731
    with pytest.raises(TypeError, match="apply_fn must be a function"):
        sf.multiplications(params, params, x)
    with pytest.raises(ValueError, match=r"apply_fn\(params, \.\.\.\) failed"):
        sf.multiplications(apply_fn, params, Shape((1, 4), jnp.float32))
    with pytest.raises(ValueError, match="mask has no leaf 'w'"):
        sf.multiplications(apply_fn, params, x, {})
    with pytest.raises(TypeError, match="traced"):
        jax.jit(lambda m: sf.multiplications(apply_fn, params, x, {"w": m}))(jnp.ones((3, 2), bool))
