"""Networks of many kinds: what is left of them is the masked network."""

import compact_attention
import compact_images
import compact_networks
import compact_recipes
import jax
import pytest
from compact_checks import (
    check_nothing_more_goes,
    check_report,
    check_same,
    check_shrink_and_expand,
)
from compact_networks import masked

import synflow_jax as sf

NETWORKS = (
    compact_networks.NETWORKS
    | compact_images.NETWORKS
    | compact_attention.NETWORKS
    | compact_recipes.NETWORKS
)


pytestmark = [pytest.mark.usefixtures("others_promote", "wide"), pytest.mark.unoptimized]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_masked_network(name: str, seed: int) -> None:
    case, small = masked(NETWORKS[name], seed)
    check_same(case, small)
    check_shrink_and_expand(small)
    check_report(small, case)
    check_nothing_more_goes(small, case.inputs)


# What is padded with zeros leaves nothing to the rows of the next kernel.
@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"orders"}))
def test_a_mask_of_all_true_removes_nothing(name: str) -> None:
    apply_fn, params, inputs = NETWORKS[name](compact_networks.Numbers(0))
    small = sf.compact(apply_fn, params, sf.full_mask(params), inputs)
    shapes = [[leaf.shape for leaf in jax.tree.leaves(tree)] for tree in (params, small.params)]
    assert shapes[0] == shapes[1]
