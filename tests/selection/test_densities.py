"""Densities of Erdős-Rényi(-Kernel): by hand, against published sizes, and in `prune`."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import synflow_jax as sf
from synflow_jax.selection.densities import capped_densities

ERK = sf.erdos_renyi_kernel
SHAPES = st.lists(
    st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple), min_size=1, max_size=6
)
SEVERAL = st.lists(
    st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple), min_size=2, max_size=6
)


def by_hand(shapes: list[tuple[int, ...]], density: Fraction) -> list[Fraction]:
    """Exactly, by trying which layers are dense: the largest shares first."""
    sizes = [math.prod(shape) for shape in shapes]
    shares = [Fraction(sum(shape), size) for shape, size in zip(shapes, sizes, strict=True)]
    order = sorted(set(shares), reverse=True)
    for limit in [order[0] + 1, *order]:
        dense = [share >= limit for share in shares]
        left = density * sum(sizes) - sum(n for n, d in zip(sizes, dense, strict=True) if d)
        rest = sum(n * s for n, s, d in zip(sizes, shares, dense, strict=True) if not d)
        found = [Fraction(1) if d else left / rest * s for s, d in zip(shares, dense, strict=True)]
        if all(0 <= x <= 1 for x in found):
            return found
    raise AssertionError


@settings(max_examples=200, deadline=None)
@given(SHAPES, st.fractions(Fraction(1, 1000), Fraction(1)))
def test_against_fractions(shapes: list[tuple[int, ...]], density: Fraction) -> None:
    sizes = [math.prod(shape) for shape in shapes]
    shares = [sum(shape) / size for shape, size in zip(shapes, sizes, strict=True)]
    found = capped_densities(sizes, shares, float(density))
    np.testing.assert_allclose(found, [float(x) for x in by_hand(shapes, density)], rtol=1e-9)


@settings(max_examples=100, deadline=None)
@given(SEVERAL, st.floats(1, 100), st.integers(1, 5), st.sampled_from(["er", "erk", "igq"]))
def test_counts_fall_and_fill_the_budget(
    shapes: list, compression: float, rounds: int, rule: str
) -> None:
    densities = sf.exponential(compression, rounds)
    counts = {"er": sf.erdos_renyi, "erk": ERK, "igq": sf.igq}[rule].counts(shapes, densities)
    sizes = np.array([math.prod(shape) for shape in shapes])
    assert counts.shape == (rounds, len(shapes))
    assert counts.dtype == np.int64
    assert (np.diff(counts, axis=0) <= 0).all()
    totals = sf.global_top_k.counts(sizes.tolist(), densities)[:, 0]
    np.testing.assert_array_equal(counts.sum(1), totals)
    assert (counts <= sizes).all()
    assert ((counts >= 1) | (totals < len(shapes))[:, None]).all()


def test_a_layer_without_weights_keeps_none() -> None:
    np.testing.assert_array_equal(
        ERK.counts([(0, 5), (4, 4)], np.array([1.0, 0.5])), [[0, 16], [0, 8]]
    )
    np.testing.assert_array_equal(ERK.counts([(0,), (4, 4)], np.array([1.0])), [[0, 16]])


# Of ResNet-50 on images of 224x224: how many pixels wide the outputs of kernels are. RigL's program
# reads 230, the padded width, before the first one and pads that again: 115, not 112.
STEM, STAGES = 115, (56, 28, 14, 7)


def resnet50() -> tuple[list[tuple[int, ...]], list[int]]:
    """Shapes of its kernels in the zoo, and how often each is applied to one image."""
    model = jax.eval_shape(
        lambda: sf.models.create(
            "imagenet/resnet50", num_classes=1000, input_shape=(224, 224, 3), rngs=nnx.Rngs(0)
        )
    )
    shapes, positions = [], []
    stage_of = [stage for stage, depth in enumerate((3, 4, 6, 3)) for _ in range(depth)]
    for path, leaf in jax.tree_util.tree_leaves_with_path(nnx.state(model, nnx.Param)):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if leaf.ndim < 2:
            continue
        shapes.append(leaf.shape)
        if "blocks" not in name:
            positions.append(1 if leaf.ndim == 2 else STEM**2)
            continue
        block = int(name.split("/")[1])
        first_of_stage = block in (3, 7, 13)
        # The stride of a stage is that of its first 3x3 convolution, which the 1x1 comes before.
        before = first_of_stage and "conv1" in name
        positions.append(STAGES[stage_of[block] - before] ** 2)
    return shapes, positions


@pytest.mark.usefixtures("others_promote")
@pytest.mark.parametrize(
    ("sparsity", "megabytes", "operations"),
    [(0.8, 23.683, 0.42), (0.9, 13.499, 0.24), (0.95, 8.399, 0.12)],
)
def test_published_sizes_of_resnet50(sparsity: float, megabytes: float, operations: float) -> None:
    """Those of RigL's authors (github.com/google-research/rigl, README).

    Kept weights of 32 bits, one bit for each weight of a layer that isn't dense, and a bias for
    each channel, that BatchNorm is folded into. All 54 kernels, the first convolution's too, have
    Erdős-Rényi-Kernel densities. An output of v kept weights takes v multiplications, v - 1
    additions, one of the bias, and a ReLU.
    """
    shapes, positions = resnet50()
    assert len(shapes) == 54
    sizes = np.array([math.prod(shape) for shape in shapes])
    (kept,) = ERK.counts(shapes, np.array([1 - sparsity]))
    biases = sum(shape[-1] for shape in shapes)
    bits = 32 * (kept.sum() + biases) + sizes[kept < sizes].sum()
    # They print three digits, rounded or cut off.
    assert abs(bits / 8e6 - megabytes) <= 0.001
    outputs = sum(shape[-1] * times for shape, times in zip(shapes, positions, strict=True))
    dense, sparse = (int(2 * (n * np.array(positions)).sum() + outputs) for n in (sizes, kept))
    assert round(dense / 1e9, 1) == 8.2
    assert round(sparse / dense, 2) == operations


def test_prune_keeps_as_many_of_each_layer() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    shapes = ((3, 3, 4, 8), (32, 20), (20, 5))
    params = [jax.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True)]
    mask, history = sf.prune(sf.magnitude(), params, 10.0, rounds=3, select=ERK)
    expected = ERK.counts(shapes, sf.exponential(10.0, 3))
    np.testing.assert_array_equal(history.kept_by_layer, expected)
    for leaf, weights, kept in zip(mask, params, expected[-1], strict=True):
        lowest = np.sort(np.abs(np.ravel(weights)))[-kept]
        np.testing.assert_array_equal(leaf, jnp.abs(weights) >= lowest)
    again, _ = sf.prune(sf.magnitude(), params, 20.0, rounds=1, select=ERK, mask=mask)
    assert [int(m.sum()) for m in again] == ERK.counts(shapes, np.array([0.05]))[0].tolist()
