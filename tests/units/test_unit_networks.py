"""Units of networks of many kinds: what a mask of some of them leaves is removed, to the number."""

from typing import Any, NamedTuple

import compact_attention
import compact_images
import compact_networks
import compact_recipes
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compact_checks import assert_close
from drawn_compact import network
from flax import nnx

import synflow_jax as sf
from experiments.networks.small import SmallVGG
from synflow_jax.units.layout import exact, leaf_masks

pytestmark = [pytest.mark.usefixtures("others_promote", "wide"), pytest.mark.unoptimized]

NETWORKS = (
    compact_networks.NETWORKS
    | compact_images.NETWORKS
    | compact_attention.NETWORKS
    | compact_recipes.NETWORKS
)
# Sums over units that aren't averages, and loops of unknown length.
WITHOUT_UNITS = {"of a dict", "branches", "weight normalized", "spectrally normalized"}
# A part of its units leads nowhere.
LESS_IS_LEFT = {"orders"}
# Their code says sizes, which small params don't have.
WITH_SIZES = {
    *("constants", "orders", "separable", "separable, multiplier 2", "grouped", "fused attention"),
    *("interleaved attention", "group normalization", "LSTM", "of patches", "maxout"),
    *("outer products", "both signs", "pixels shuffled"),
}


class Left(NamedTuple):
    """A network without some units of each class."""

    units: sf.Units
    mask: Any
    weights: int
    multiplications: int


def pruned(apply_fn: Any, params: Any, inputs: Any) -> Left:
    """Random units of each class go."""
    units, rng = sf.units(apply_fn, params, inputs), np.random.default_rng(1)
    layout, alive = units._layout, []
    for own in units.classes:
        flags = rng.random(own.size) < 0.6
        flags[rng.integers(own.size)] = True
        alive += flags.tolist()
    if all(alive):
        alive[np.argmax([own.size > 1 for own in units.classes])] = False
    leaves, treedef = jax.tree.flatten(params)
    masks = leaf_masks(layout, [leaf.shape for leaf in leaves], np.array(alive))
    costs = (layout.weights, layout.multiplications)
    left = (int(exact(cost, layout, np.array(alive))) for cost in costs)
    return Left(units, treedef.unflatten(map(jax.device_put, masks)), *left)


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - WITHOUT_UNITS))
def test_pruned_units_are_removed(name: str) -> None:
    apply_fn, params, inputs = NETWORKS[name](compact_networks.Numbers(0))
    units, mask, weights, multiplications = pruned(apply_fn, params, inputs)
    small = sf.compact(apply_fn, params, mask, inputs, averages="left")
    assert units.weights == sum(leaf.size for leaf in jax.tree.leaves(params))
    whole, left, products, products_left = small.report.total
    assert whole == units.weights
    # Of inputs without an axis of examples the report rounds by param.
    assert abs(products - units.multiplications) <= 2
    if name not in LESS_IS_LEFT:
        assert left == weights < whole
        assert abs(products_left - multiplications) <= 2
    outputs = jax.jit(small.apply_fn)(small.params, inputs)
    if name not in WITH_SIZES:
        own = jax.jit(apply_fn)(small.params, inputs)
        assert_close(outputs, own, 1e-12, "outputs of the code itself")
    if not any(each.averaged for each in units.classes):
        masked = jax.jit(apply_fn)(sf.apply_mask(mask, params), inputs)
        assert_close(outputs, masked, 1e-12, "outputs")


def test_what_all_of_an_axis_needs_is_no_unit() -> None:
    # A kernel's rows go together with nothing but all of them.
    apply_fn, params = sf.from_nnx(SmallVGG(10, rngs=nnx.Rngs(0)))
    units = sf.units(apply_fn, params, jnp.ones((1, 8, 8, 1)))
    assert [each.size for each in units.classes] == [16, 32, 32, 64, 64, 64]


@pytest.mark.parametrize("name", sorted(WITHOUT_UNITS))
def test_units_that_are_held_back_are_named(name: str) -> None:
    apply_fn, params, inputs = NETWORKS[name](compact_networks.Numbers(0))
    with pytest.raises(ValueError, match=r"no unit .* can go: .* held by 'reduce_sum' at .*\.py:"):
        sf.units(apply_fn, params, inputs)


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 200))]
)
def test_random_networks(seed: int) -> None:
    names, (apply_fn, params, _, inputs) = network(seed)
    print(*names, sep="\n")
    try:
        units, mask, weights, _ = pruned(apply_fn, params, inputs)
    except ValueError as error:
        assert "no unit of the network can go" in str(error)  # noqa: PT017
        return
    try:
        small = sf.compact(apply_fn, params, mask, inputs, averages="left")
    except ValueError as error:
        assert "don't depend on the inputs" in str(error) or "no path" in str(error)  # noqa: PT017
        return
    # What leads nowhere goes as well.
    assert small.report.total[1] <= weights
    if not any(each.averaged for each in units.classes):
        whole = sf.apply_mask(mask, params)

        def both(whole: Any, left: Any) -> Any:
            return apply_fn(whole, inputs), small.apply_fn(left, inputs)

        expected, outputs = jax.jit(both)(whole, small.params)
        assert_close(outputs, expected, 1e-12, "outputs")
