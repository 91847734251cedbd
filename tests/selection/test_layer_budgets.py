"""Layers with densities of their own: against published programs, exactly, and in order."""

import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden_networks import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st

import synflow_jax as sf
from synflow_jax.selection.budgets import exact_counts, whole_shares
from synflow_jax.selection.by_depth import smart_ratio_densities, uniform_plus_densities
from synflow_jax.selection.densities import erdos_renyi_densities, erdos_renyi_kernel_densities
from synflow_jax.selection.igq import igq_densities
from synflow_jax.types import Selection

SELECTIONS = {
    "erdos_renyi": sf.erdos_renyi,
    "erdos_renyi_kernel": sf.erdos_renyi_kernel,
    "uniform_plus": sf.uniform_plus,
    "igq": sf.igq,
    "smart_ratio": sf.smart_ratio,
}
RULES = {
    "erk": (erdos_renyi_kernel_densities, sf.erdos_renyi_kernel),
    "igq": (igq_densities, sf.igq),
    "uniform_plus": (uniform_plus_densities, sf.uniform_plus),
}
QUOTAS = json.loads((GOLDEN / "layer_densities.json").read_text())
CASES = [
    (network, sparsity, rule)
    for network, cases in QUOTAS.items()
    for sparsity in ("0.9", "0.99", "0.999")
    for rule in cases[sparsity]
]


def sizes_of(shapes: Any) -> np.ndarray:
    return np.array([math.prod(shape) for shape in shapes])


@pytest.mark.parametrize(("network", "sparsity", "rule"), CASES)
def test_published_programs(network: str, sparsity: str, rule: str) -> None:
    shapes = [tuple(shape) for shape in QUOTAS[network]["shapes"]]
    densities, select = RULES[rule]
    expected = 1 - np.array(QUOTAS[network][sparsity][rule])
    sizes = sizes_of(shapes)
    # By IGQ they search for the total, and end before it's met exactly.
    reached = (expected * sizes).sum() / sizes.sum()
    assert reached == pytest.approx(1 - float(sparsity), rel=5e-3 if rule == "igq" else 1e-9)
    np.testing.assert_allclose(densities(shapes, reached), expected, rtol=1e-9)
    (counts,) = select.counts(shapes, np.array([reached]))
    assert np.abs(counts - expected * sizes).max() < 2


def test_cases_of_jaxpruner() -> None:
    shapes = [(2, 4), (3, 6), (2, 4, 6)]
    kernel = 1 - erdos_renyi_kernel_densities(shapes, 0.5)
    np.testing.assert_allclose(kernel, [0, 0.31, 0.655], atol=0.005)
    plain = 1 - erdos_renyi_densities(shapes, 0.5)
    np.testing.assert_allclose(plain, [0.21, 0.47, 0.56], atol=0.005)


def test_smart_ratio_by_hand() -> None:
    """Of 4 layers k^2 + k is 20, 12, 6, 2, and the last keeps 0.3."""
    shapes = [(3, 3, 2, 5), (3, 3, 5, 10), (3, 3, 10, 20), (20, 10)]
    sizes = sizes_of(shapes)
    found = smart_ratio_densities(shapes, 0.2)
    factor = (0.2 * sizes.sum() - 0.3 * 200) / (90 * 20 + 450 * 12 + 1800 * 6)
    np.testing.assert_allclose(found, [20 * factor, 12 * factor, 6 * factor, 0.3])
    found = smart_ratio_densities(shapes, 0.5)  # of which the first would exceed 1
    factor = (0.5 * sizes.sum() - 0.3 * 200 - 90) / (450 * 12 + 1800 * 6)
    np.testing.assert_allclose(found, [1, 12 * factor, 6 * factor, 0.3])
    np.testing.assert_allclose(smart_ratio_densities(shapes, 1.0), 1)


def test_uniform_plus_of_little_pruning_is_uniform_but_for_the_first() -> None:
    shapes = [(3, 3, 1, 10), (3, 3, 10, 10), (10, 10)]
    found = uniform_plus_densities(shapes, 0.5)
    np.testing.assert_allclose(found, [1, *[(0.5 * 1090 - 90) / 1000] * 2])
    of_two = uniform_plus_densities([(8, 8), (8, 8)], 0.15)
    np.testing.assert_allclose(of_two, [0.1, 0.2])


KERNELS = st.lists(
    st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple), min_size=2, max_size=6
)


@settings(max_examples=200, deadline=None)
@given(KERNELS, st.floats(1, 50), st.integers(1, 4), st.sampled_from(sorted(SELECTIONS)))
def test_totals_are_exact(shapes: list, compression: float, rounds: int, name: str) -> None:
    densities = sf.exponential(compression, rounds)
    sizes = sizes_of(shapes)
    totals = sf.global_top_k.counts(sizes.tolist(), densities)[:, 0]
    try:
        counts = SELECTIONS[name].counts(shapes, densities)
    except ValueError:
        assert name in {"uniform_plus", "smart_ratio"}
        return
    np.testing.assert_array_equal(counts.sum(1), totals)
    assert (np.diff(counts, axis=0) <= 0).all()
    assert (counts <= sizes).all()
    assert ((counts >= 1) | (totals < len(shapes))[:, None]).all()
    if name == "uniform_plus":
        first = next((i for i, shape in enumerate(shapes) if len(shape) > 2), None)
        assert first is None or (counts[:, first] == sizes[first]).all()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(0, 1),
)
def test_whole_shares_are_near(layers: list[tuple[int, float]], part: float) -> None:
    most = np.array([size for size, _ in layers])
    total = int(part * most.sum())
    wanted = most * np.array([own for _, own in layers])
    shares = wanted * total / wanted.sum() if wanted.sum() else np.zeros(len(most))
    shares = np.minimum(shares, most)
    found = whole_shares(shares, total, most)
    assert found.sum() == total
    assert ((found >= 0) & (found <= most)).all()
    if shares.sum() == pytest.approx(total) and (shares >= 1).all():
        assert np.abs(found - shares).max() < 1 + 1e-6


def test_the_remainder_goes_to_the_largest_and_then_to_the_first() -> None:
    most = np.array([9, 9, 9, 9])
    found = whole_shares(np.array([2.5, 2.75, 2.5, 2.25]), 10, most)
    np.testing.assert_array_equal(found, [3, 3, 2, 2])
    np.testing.assert_array_equal(whole_shares(np.array([2.9, 0.05, 0.05]), 3, most[:3]), [1, 1, 1])
    np.testing.assert_array_equal(whole_shares(np.array([1.9, 0.1]), 1, most[:2]), [1, 0])


def test_no_layer_grows_again() -> None:
    """A rule that wants another layer in each round gets what the one before left."""
    wanted = iter([[0.9, 0.3], [0.1, 0.9]])
    counts = exact_counts(
        "turning", lambda shapes, density: np.array(next(wanted)), [(10, 10)] * 2, [0.6, 0.5]
    )
    np.testing.assert_array_equal(counts, [[90, 30], [70, 30]])


@pytest.mark.parametrize("name", SELECTIONS)
def test_prune_keeps_so_many_of_each_layer(name: str) -> None:
    select, keys = SELECTIONS[name], jax.random.split(jax.random.key(0), 3)
    shapes = ((3, 3, 4, 8), (32, 20), (20, 5))
    params = [jax.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True)]
    rounds = {"rounds": 3, "select": select}
    mask, history = sf.prune(sf.magnitude(), params, 2.5, **rounds)
    expected = select.counts(shapes, sf.exponential(2.5, 3))
    np.testing.assert_array_equal(history.kept_by_layer, expected)
    np.testing.assert_array_equal(history.kept, sf.prune(sf.lamp(), params, 2.5, rounds=3)[1].kept)
    for leaf, weights, kept in zip(mask, params, expected[-1], strict=True):
        np.testing.assert_array_equal(
            leaf, jnp.abs(weights) >= np.sort(np.abs(weights), None)[-kept]
        )
    swept, _ = sf.sweep(sf.magnitude(), params, [2.0, 2.5], **rounds)
    assert all(jax.tree.map(lambda a, b: bool((a[1] == b).all()), swept, mask))


def test_too_small_counts_and_single_layers_are_refused() -> None:
    shapes = [(3, 3, 1, 10), (3, 3, 10, 10), (10, 10)]
    for select in (sf.uniform_plus, sf.smart_ratio):
        with pytest.raises(ValueError, match=r"of \(10, 10\).*a compression of at most"):
            select.counts(shapes, np.array([0.01]))
    with pytest.raises(ValueError, match=r"100% of \(3, 3, 1, 10\) and 20% of \(10, 10\)"):
        sf.uniform_plus.counts(shapes, np.array([0.1]))
    for network in ("lenet5", "resnet20_lottery"):  # where that program's sparsities exceed 1
        with pytest.raises(ValueError, match="uniform_plus keeps"):
            sf.uniform_plus.counts(QUOTAS[network]["shapes"], np.array([0.001]))
    for name, select in SELECTIONS.items():
        with pytest.raises(ValueError, match=f"{name} gives layers densities of their own"):
            sf.prune(sf.magnitude(), {"kernel": jnp.ones((4, 4))}, 2.0, select=select)


def test_the_compression_in_the_message_can_be_met() -> None:
    shapes = [(3, 3, 1, 10), (3, 3, 10, 10), (10, 10)]
    for select, most in ((sf.uniform_plus, 1090 / 111), (sf.smart_ratio, 1090 / 32)):
        with pytest.raises(ValueError, match=f"at most {most:.4g}"):
            select.counts(shapes, np.array([1 / 1000]))
        select.counts(shapes, np.array([1 / (most * 0.999)]))


@pytest.mark.usefixtures("others_promote")
def test_layer_order_of_a_residual_network() -> None:
    """ResNet-20 of the zoo, whose first convolution isn't the first by name."""
    model = sf.models.create(
        "lottery/resnet20", num_classes=10, input_shape=(32, 32, 3), rngs=nnx.Rngs(0)
    )
    apply_fn, params = sf.from_nnx(model)
    order = sf.layer_order(apply_fn, params, jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
    shapes = [leaf.shape for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    expected = [tuple(shape) for shape in QUOTAS["resnet20_lottery"]["shapes"]]
    assert sorted(order) == list(range(len(shapes)))
    assert [shapes[place] for place in order] == expected
    (counts,) = sf.in_order(sf.uniform_plus, order).counts(shapes, np.array([0.1]))
    assert counts[0] == 3 * 3 * 3 * 16
    (by_name,) = sf.uniform_plus.counts(shapes, np.array([0.1]))
    assert by_name[order[0]] < 3 * 3 * 3 * 16


def test_in_order_prunes_as_the_selection_of_sorted_layers() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    shapes = {"a": (20, 5), "b": (3, 3, 4, 8), "c": (32, 20)}
    params = {k: jax.random.normal(key, shapes[k]) for k, key in zip("abc", keys, strict=True)}
    select = sf.in_order(sf.smart_ratio, (1, 2, 0))
    assert select == sf.in_order(sf.smart_ratio, [1, 2, 0])
    assert hash(select) == hash(sf.in_order(sf.smart_ratio, [1, 2, 0]))
    mask, _ = sf.prune(sf.magnitude(), params, 3.0, rounds=2, select=select)
    named = {"1": params["b"], "2": params["c"], "3": params["a"]}
    other, _ = sf.prune(sf.magnitude(), named, 3.0, rounds=2, select=sf.smart_ratio)
    for own, name in zip("bca", "123", strict=True):
        np.testing.assert_array_equal(mask[own], other[name])


BAD_ORDERS: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "repeated": (sf.igq, (0, 0, 1), ValueError, "each of 0 to 2 once"),
    "a name": (sf.igq, "abc", TypeError, "sequence of whole numbers"),
    "a float": (sf.igq, (0.0, 1), TypeError, r"order\[0\] must be a whole number"),
    "no selection": (sf.random(), (0, 1), TypeError, "select must be"),
}


@pytest.mark.parametrize("name", BAD_ORDERS)
def test_bad_orders(name: str) -> None:
    select, order, error, words = BAD_ORDERS[name]
    with pytest.raises(error, match=words):
        sf.in_order(select, order)


def test_bad_calls() -> None:
    select: Selection = sf.in_order(sf.igq, (1, 0, 2))
    with pytest.raises(ValueError, match="order has 3 places, but 2 leaves"):
        select.counts([(2, 2), (3, 3)], np.array([0.5]))
    params = {"kernel": jnp.ones((4, 3)), "scale": jnp.ones((1, 3))}
    with pytest.raises(ValueError, match="'scale' is a side of no matrix product"):
        sf.layer_order(lambda p, x: x @ p["kernel"] * p["scale"], params, jnp.ones((1, 4)))
