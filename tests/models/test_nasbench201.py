"""NAS-Bench-201's networks: strings, sizes, and the super network beside single ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import synflow_jax as sf
from experiments.architectures.published import SAMPLE, read_published
from synflow_jax.models import cell_choices, cell_multiplications, cell_sizes, cell_string

CELLS = (
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|",
    "|nor_conv_1x1~0|+|avg_pool_3x3~0|skip_connect~1|+|none~0|nor_conv_3x3~1|none~2|",
)
NO_PATH = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"


def made(cell: str, shape: tuple[int, int, int] = (32, 32, 3)) -> nnx.Module:
    return sf.models.create(
        f"nasbench201/{cell}", num_classes=10, input_shape=shape, rngs=nnx.Rngs(0)
    )


def test_strings_and_choices_are_the_same_for_all_cells() -> None:
    choices = cell_choices()
    strings = [cell_string(choice) for choice in choices]
    assert len(set(strings)) == 15_625
    assert np.array_equal(cell_choices(strings), choices)


def test_sizes_are_the_published_ones() -> None:
    rows = read_published(SAMPLE)
    sizes = cell_sizes(cell_choices([row.cell for row in rows]))
    assert sizes.tolist() == [row.params for row in rows]
    # A size depends on the numbers of 3x3 and 1x1 convolutions alone: 28 of them make all cells.
    counts = cell_choices().sum(1)[:, [2, 3]]
    assert len(np.unique(counts, axis=0)) == len(np.unique(cell_sizes(cell_choices()))) == 28


@pytest.mark.parametrize("cell", CELLS)
def test_counts_are_those_of_the_network(cell: str) -> None:
    model = nnx.eval_shape(lambda: made(cell))
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert sum(leaf.size for leaf in leaves) == cell_sizes(cell_choices([cell]))[0]


@pytest.mark.parametrize("shape", [(8, 8, 3), (12, 8, 1)])
def test_multiplications_are_those_of_the_network(shape: tuple[int, int, int]) -> None:
    apply_fn, params = sf.from_nnx(made(CELLS[0], shape))
    counted = sf.multiplications(apply_fn, params, jnp.ones((1, *shape))).total
    assert cell_multiplications(cell_choices([CELLS[0]]), input_shape=shape)[0] == counted


@pytest.mark.slow
def test_a_one_hot_choice_is_the_network_and_its_flow() -> None:
    network = sf.models.nasbench201(num_classes=10, input_shape=(8, 8, 3), rngs=nnx.Rngs(0))
    choice = cell_choices([CELLS[0]])[0]
    model = made(CELLS[0], (8, 8, 3))
    names = {tuple(path): leaf for path, leaf in nnx.to_flat_state(network.params)}
    own = nnx.state(model, nnx.Param)
    shared = nnx.from_flat_state([(path, names[tuple(path)]) for path, _ in nnx.to_flat_state(own)])
    nnx.update(model, shared)
    apply_fn, params = sf.from_nnx(model)
    images = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    np.testing.assert_allclose(
        network.apply_fn(network.params, images, choice), apply_fn(params, images), rtol=1e-4
    )
    ones = jnp.ones((1, 8, 8, 3))
    flow = sf.flow(apply_fn, params, ones, biases=False)
    measure = sf.flow_totals(network.log2_flow_fn, ones)
    totals = sf.rank(measure, network.params, [choice, cell_choices([NO_PATH])[0]])
    np.testing.assert_allclose(totals.log2_flow[0], flow.log2, rtol=1e-5)
    # The scores of all kernels add up to R times the depth.
    score_fn = sf.synflow(apply_fn, ones, biases=False)
    scores = score_fn(params, sf.full_mask(params), None, None)
    sums = [float(leaf.sum()) for leaf in jax.tree.leaves(scores) if leaf.ndim > 1]
    # The classifier's kernel passes all of R.
    depth = sum(sums) / float(scores["output"]["kernel"].sum())
    np.testing.assert_allclose(totals.depth[0], depth, rtol=1e-4)
    assert totals.log2_total[1] == totals.log2_flow[1] == -np.inf
    assert totals.depth[1] == 0


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("|none~0|", "3 nodes"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", "node 2"),
        ("|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|", "edge 0 of node 1"),
        ("|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", "edge 1 of node 2"),
    ],
)
def test_what_is_no_cell_is_refused(cell: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(cell)


def test_small_images_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        made(CELLS[0], (3, 8, 1))
