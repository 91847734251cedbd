"""Half of all inner channels: sizes and multiply-adds that another library publishes.

Torch-Pruning's README: ResNet-18 from 11,689,512 params and 1.822 G multiply-adds to 3,055,880
and 0.487 G, ViT-B/32 from 88,224,232 and 4.416 G to 22,878,952 and 1.146 G. It counts more than the
products of layers: two for each element of a normalization, one for each of an activation, of what
is pooled and of a softmax, and biases.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import synflow_jax as sf
from synflow_jax.units.layout import exact
from synflow_jax.units.targets import Target, class_counts

pytestmark = pytest.mark.usefixtures("others_promote")

WHOLE, HALF = 1, 2


def halved(units: sf.Units, whole: set[str]) -> tuple[int, int]:
    """Weights and multiplications with half of the units of each class, but for some."""
    sizes = np.array([own.size for own in units.classes])
    least = np.where([own.name in whole for own in units.classes], sizes, 1)
    layout = units._layout
    counts = class_counts(Target("units", 0.5), layout, least)
    position = np.arange(units.size) - layout.starts[layout.class_of]
    alive = position < counts[layout.class_of]
    costs = (layout.weights, layout.multiplications)
    weights, products = (int(exact(cost, layout, alive)) for cost in costs)
    return weights, products


def test_resnet18() -> None:
    model = nnx.eval_shape(
        lambda: sf.models.create(
            "imagenet/resnet18", num_classes=1000, input_shape=(224, 224, 3), rngs=nnx.Rngs(0)
        )
    )
    graph, params, others = nnx.split(model, nnx.Param, ...)

    def apply_fn(state: Any, x: jax.Array) -> jax.Array:
        running = {"use_running_average": True, "raise_if_not_found": False}
        return nnx.view(nnx.merge(graph, *state, copy=True), **running)(x)

    def of_params(params: Any, inputs: Any) -> jax.Array:
        numbers = jax.tree.map(lambda own: jnp.ones(own.shape, own.dtype), others)
        return apply_fn((params, numbers), inputs)

    inputs = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    units = sf.units(of_params, params, inputs)
    # By stage: the elements of an image in one channel, channels, normalizations, activations.
    stages = [(112**2, 64, 1, 1), (56**2, 64, 4, 4), (28**2, 128, 5, 4), (14**2, 256, 5, 4)]
    stages += [(7**2, 512, 5, 4)]
    for counts, part, expected in (
        ((units.weights, units.multiplications), WHOLE, (11_689_512, "1.822")),
        (halved(units, set()), HALF, (3_055_880, "0.487")),
    ):
        elements = sum(area * width * (2 * n + a) for area, width, n, a in stages)
        pooled = 112**2 * 64 + 7**2 * 512
        others_counted = (elements + pooled) // part + 1000  # and the biases of the outputs
        assert counts[0] == expected[0]
        assert f"{(counts[1] + others_counted) / 1e9:.3f}" == expected[1]
    assert units.multiplications == 1_814_073_344


WIDTH, HEADS, INNER, LAYERS, TOKENS = 768, 12, 3072, 12, 50


def attention(own: Any, x: jax.Array) -> jax.Array:
    q, k, v = (
        jnp.einsum("nte,ehd->nthd", x, own[name]) + own[f"{name}_bias"][None, None]
        for name in ("query", "key", "value")
    )
    weights = jax.nn.softmax(jnp.einsum("nthd,nshd->nhts", q, k), -1)
    mixed = jnp.einsum("nhts,nshd->nthd", weights, v)
    return jnp.einsum("nthd,hde->nte", mixed, own["out"]) + own["out_bias"][None, None]


def normalized(own: Any, x: jax.Array) -> jax.Array:
    centered = x - x.mean(-1, keepdims=True)
    scaled = centered * jax.lax.rsqrt(jnp.square(centered).mean(-1, keepdims=True) + 1e-6)
    return scaled * own["scale"][None, None] + own["bias"][None, None]


def vit(params: Any, images: jax.Array) -> jax.Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(
        images, params["patches"], (32, 32), "VALID", dimension_numbers=numbers
    )
    x = x.reshape(len(x), -1, x.shape[-1]) + params["patches_bias"][None, None]
    first = jnp.broadcast_to(params["class"], (len(x), 1, x.shape[-1]))
    x = jnp.concatenate([first, x], 1) + params["positions"]
    for own in params["layers"]:
        x = x + attention(own, normalized(own["norm1"], x))
        inner = jax.nn.gelu(normalized(own["norm2"], x) @ own["up"] + own["up_bias"][None, None])
        x = x + inner @ own["down"] + own["down_bias"][None, None]
    return normalized(params["norm"], x)[:, 0] @ params["output"] + params["output_bias"][None]


def vit_params() -> Any:
    def shape(*sizes: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sizes, jnp.float32)

    def norm() -> Any:
        return {"scale": shape(WIDTH), "bias": shape(WIDTH)}

    head = (HEADS, WIDTH // HEADS)
    layer = {
        **{name: shape(WIDTH, *head) for name in ("query", "key", "value")},
        **{f"{name}_bias": shape(*head) for name in ("query", "key", "value")},
        **{"out": shape(*head, WIDTH), "out_bias": shape(WIDTH), "norm1": norm(), "norm2": norm()},
        **{"up": shape(WIDTH, INNER), "up_bias": shape(INNER)},
        **{"down": shape(INNER, WIDTH), "down_bias": shape(WIDTH)},
    }
    return {
        **{"patches": shape(32, 32, 3, WIDTH), "patches_bias": shape(WIDTH)},
        **{"class": shape(1, 1, WIDTH), "positions": shape(1, TOKENS, WIDTH)},
        **{"layers": [layer] * LAYERS, "norm": norm()},
        **{"output": shape(WIDTH, 1000), "output_bias": shape(1000)},
    }


def test_vit_b32() -> None:
    inputs = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    units = sf.units(vit, vit_params(), inputs)
    heads = {own.name for own in units.classes if own.size == HEADS}
    assert len(heads) == LAYERS
    (stream,) = (own for own in units.classes if own.averaged)
    assert stream.size == WIDTH
    for counts, part, expected in (
        ((units.weights, units.multiplications), WHOLE, (88_224_232, "4.416")),
        (halved(units, heads), HALF, (22_878_952, "1.146")),
    ):
        width, inner = WIDTH // part, INNER // part
        # Scaled queries, products of attention, its softmax, four biases.
        each = TOKENS * width + 2 * TOKENS**2 * width + HEADS * TOKENS**2 + 4 * TOKENS * width
        each += inner + width + TOKENS * inner  # biases of two layers, the activation
        more = LAYERS * each + (2 * LAYERS + 1) * 2 * TOKENS * width  # normalizations
        more += (TOKENS - 1) * width + 1000  # biases of patches and outputs
        assert counts[0] == expected[0]
        assert f"{(counts[1] + more) / 1e9:.3f}" == expected[1]
