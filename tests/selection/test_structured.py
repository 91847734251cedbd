"""Blocks and N of each M, against loops over NumPy arrays."""

import pydoc
import re
from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from selection_loops import Kernels, asked, best_blocks, in_rounds, n_of_each_m

import synflow_jax as sf
from synflow_jax.rounds import compiled
from synflow_jax.selection import two_words

WIDTHS = (13, 10, 9, 6)
BLOCKS, N_OF_M = sf.block_top_k((3, 4)), sf.n_m_top_k(2, 4)
# Few numbers, so that ties are common; sums of these are exact.
VALUES = st.sampled_from([-np.inf, -1.0, 0.0, -0.0, 1.0, 2.0, 3.0, 1024.0])
SHAPES = [[(3, 4)], [(5, 7), (2, 3, 4)], [(4, 4), (1, 2, 6, 5), (9, 2)]]


@pytest.fixture
def kernels() -> Kernels:
    rng = np.random.default_rng(0)
    return [rng.normal(size=WIDTHS[i : i + 2]) for i in range(len(WIDTHS) - 1)]


def apply_fn(params: Any, x: jax.Array) -> jax.Array:
    for i, kernel in enumerate(params):
        x = (x if i == 0 else jax.nn.relu(x)) @ kernel
    return x


def synflow() -> Any:
    return sf.synflow(apply_fn, jnp.ones((1, WIDTHS[0])))


def same(ours: Any, theirs: Any) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@st.composite
def leaves_and_most(draw: st.DrawFn) -> tuple[Kernels, int]:
    shapes = draw(st.sampled_from(SHAPES))
    leaves = [draw(npst.arrays(np.float64, shape, elements=VALUES)) for shape in shapes]
    return leaves, draw(st.integers(0, sum(leaf.size for leaf in leaves)))


def kept(select: sf.Selection, leaves: Kernels, row: Any) -> list[jax.Array]:
    return jax.jit(select.keep)(list(map(jax.device_put, leaves)), jnp.asarray(row, jnp.int32))


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("block", [(2, 2), (3, 1), (1, 1)])
@settings(deadline=None, max_examples=25)
@given(case=leaves_and_most())
def test_blocks_against_loops(block: tuple[int, int], case: tuple[Kernels, int]) -> None:
    leaves, most = case
    same(kept(sf.block_top_k(block), leaves, [most]), best_blocks(leaves, block, most))


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("n", "m", "axis"), [(2, 4, -2), (1, 3, -1), (2, 2, 0)])
@settings(deadline=None, max_examples=25)
@given(case=leaves_and_most())
def test_n_of_m_against_loops(n: int, m: int, axis: int, case: tuple[Kernels, int]) -> None:
    select = sf.n_m_top_k(n, m, axis)
    counts = select.counts([leaf.shape for leaf in case[0]], np.array([n / m]))
    same(kept(select, case[0], counts[0]), n_of_each_m(case[0], n, m, axis))


@pytest.mark.usefixtures("wide")
def test_blocks_of_synflow_in_rounds(kernels: Kernels) -> None:
    densities = sf.exponential(8.0, 5)
    keep = lambda scores, density: best_blocks(scores, (3, 4), asked(kernels, density))  # noqa: E731
    masks = in_rounds(kernels, densities, keep)
    params = list(map(jax.device_put, kernels))
    mask, history = sf.prune(synflow(), params, 8.0, rounds=5, select=BLOCKS)
    same(mask, masks[-1])
    np.testing.assert_array_equal(history.kept, [sum(m.sum() for m in each) for each in masks])
    short = [asked(kernels, d) for d in densities] - np.asarray(history.kept)
    assert ((short >= 0) & (short < 12)).all()


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("n", "m"), [(2, 4), (3, 8)])
def test_n_of_m_of_synflow_in_rounds(kernels: Kernels, n: int, m: int) -> None:
    def keep(scores: Kernels, density: float) -> Kernels:
        return n_of_each_m(scores, max(n, int(np.ceil(round(density * m, 9)))), m, -2)

    masks = in_rounds(kernels, sf.exponential(m / n, 5), keep)
    params = list(map(jax.device_put, kernels))
    mask, history = sf.prune(synflow(), params, m / n, rounds=5, select=sf.n_m_top_k(n, m))
    same(mask, masks[-1])
    by_layer = [[m.sum() for m in each] for each in masks]
    np.testing.assert_array_equal(history.kept_by_layer, by_layer)
    assert len(np.unique(history.kept)) > 1


@pytest.mark.parametrize("density", [1 / 3, 3 / 8, 0.1])
def test_n_of_m_rounds_no_density_up(density: float) -> None:
    """1 / (1 / density) isn't always the density itself."""
    n, m = {1 / 3: (1, 3), 3 / 8: (3, 8), 0.1: (1, 10)}[density]
    densities = np.array([1.0, np.nextafter(density, 1), density])
    counts = sf.n_m_top_k(n, m).counts([(m, 5)], densities)
    np.testing.assert_array_equal(counts[:, 0], [5 * m, 5 * n, 5 * n])


def test_ties_go_by_position() -> None:
    leaves = [np.ones((4, 4)), np.ones((2, 5))]
    first = kept(sf.block_top_k((2, 2)), leaves, [13])
    np.testing.assert_array_equal([int(leaf.sum()) for leaf in first], [13 - 1, 0])
    np.testing.assert_array_equal(first[0][2:], [[True, True, False, False]] * 2)
    rows = [[True] * 4, [True] * 4, [False] * 4, [False] * 4]
    np.testing.assert_array_equal(kept(N_OF_M, leaves, [8, 10])[0], rows)


def test_ragged_edges_are_smaller_blocks() -> None:
    scores = np.array([[1.0, 1.0, 5.0], [1.0, 1.0, 6.0], [9.0, 0.0, 4.0]])
    # Means 5.5, 4.5, 4 and 1 of 2, 2, 1 and 4 weights.
    ranks = np.array([[4, 4, 1], [4, 4, 1], [2, 2, 3]])
    for most, best in {1: 0, 2: 1, 3: 1, 4: 2, 5: 3, 8: 3, 9: 4}.items():
        (found,) = kept(sf.block_top_k((2, 2)), [scores], [most])
        np.testing.assert_array_equal(found, ranks <= best)


def test_a_block_with_a_pruned_weight_never_returns() -> None:
    scores = np.array([[-np.inf, 9.0, 1.0, 1.0], [9.0, 9.0, 1.0, -1e38]], np.float32)
    scores = np.concatenate([scores, np.full((2, 4), -3e38, np.float32)])
    (found,) = kept(sf.block_top_k((2, 2)), [scores], [16])
    np.testing.assert_array_equal(found, [[False] * 2 + [True] * 2] * 2 + [[True] * 4] * 2)


def test_half_types_are_added_up_in_float32() -> None:
    scores = jnp.ones((64, 64), jnp.bfloat16).at[:32, 33].set(1.0078125)
    (found,) = sf.block_top_k((32, 32)).keep([scores], jnp.array([1024]))
    np.testing.assert_array_equal(found, np.kron([[0, 1], [0, 0]], np.ones((32, 32))))


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (sf.block_top_k, ((8, 4),), ((4, 8),)),
        (sf.n_m_top_k, (2, 4), (2, 4, -1)),
    ],
)
def test_equal_arguments_compile_once(make: Any, one: Any, other: Any) -> None:
    assert make(*one) == make(*one)
    assert hash(make(*one)) == hash(make(*one))
    assert make(*one) != make(*other)
    assert make.__name__ in pydoc.render_doc(make(*one))
    params, score_fn = {"kernel": jnp.ones((8, 8))}, sf.random()
    before = compiled._compiled._cache_size()  # type: ignore
    for seed in range(3):
        key = jax.random.key(seed)
        sf.prune(score_fn, params, 2.0, key=key, rounds=2, select=make(*one))
    assert compiled._compiled._cache_size() == before + 1  # type: ignore


@pytest.mark.parametrize("select", [BLOCKS, N_OF_M])
def test_sweep_and_vmap_equal_single_calls(select: sf.Selection, kernels: Kernels) -> None:
    score_fn, rounds = synflow(), 3
    params = [jnp.asarray(kernel, jnp.float32) for kernel in kernels]
    stacked = [jnp.stack([kernel, kernel[::-1], -2 * kernel]) for kernel in params]
    masks, histories = sf.sweep(
        score_fn, stacked, [2.0] * 3, params_axis=0, rounds=rounds, select=select
    )
    start = sf.full_mask(params)
    counts = sf.round_counts(start, 2.0, rounds, sf.exponential, select)
    pure = partial(sf.prune_rounds, score_fn, mask=start, counts=counts, select=select)
    mapped, _ = jax.jit(jax.vmap(pure))(stacked)
    chex.assert_trees_all_equal(masks, mapped)
    for i in range(3):
        single = [leaf[i] for leaf in stacked]
        mask, history = sf.prune(score_fn, single, 2.0, rounds=rounds, select=select)
        chex.assert_trees_all_equal([leaf[i] for leaf in masks], mask)
        np.testing.assert_array_equal(histories.kept_by_layer[i], history.kept_by_layer)


def test_blocks_of_several_compressions() -> None:
    params = {"a": jax.random.normal(jax.random.key(0), (20, 20)), "b": jnp.ones((3, 8, 8)) / 9}
    masks, histories = sf.sweep(sf.magnitude(), params, [1.0, 3.0, 50.0], select=BLOCKS, rounds=2)
    for i, compression in enumerate([1.0, 3.0, 50.0]):
        mask, _ = sf.prune(sf.magnitude(), params, compression, select=BLOCKS, rounds=2)
        chex.assert_trees_all_equal(jax.tree.map(lambda m, i=i: m[i], masks), mask)
    np.testing.assert_array_equal(histories.kept[0], [592, 592])


def test_going_on_from_blocks_within_the_slack() -> None:
    params = {"kernel": jax.random.normal(jax.random.key(0), (30, 30))}
    select = sf.block_top_k((7, 7))
    mask, history = sf.prune(sf.magnitude(), params, 3.0, rounds=1, select=select)
    assert 300 - 49 < history.kept[-1] < 300
    again, _ = sf.prune(sf.magnitude(), params, 3.0, rounds=2, select=select, mask=mask)
    chex.assert_trees_all_equal(again, mask)
    further, _ = sf.prune(sf.magnitude(), params, 9.0, rounds=2, select=select, mask=mask)
    assert not bool(jnp.any(further["kernel"] & ~mask["kernel"]))
    with pytest.raises(ValueError, match="mask keeps only"):
        sf.prune(sf.magnitude(), params, 2.0, rounds=1, select=select, mask=mask)


def test_going_on_from_single_weights_is_refused() -> None:
    params = {"kernel": jax.random.normal(jax.random.key(0), (16, 16))}
    mask, _ = sf.prune(sf.magnitude(), params, 2.0, rounds=1)
    for select, compression in ((sf.block_top_k((4, 4)), 4.0), (sf.n_m_top_k(2, 4), 2.0)):
        with pytest.raises(ValueError, match="keeps fewer of some layer, block or group"):
            sf.prune(sf.magnitude(), params, compression, rounds=1, select=select, mask=mask)


def test_tickets_of_blocks_go_on() -> None:
    params = {"kernel": jax.random.normal(jax.random.key(0), (20, 20))}

    def some(**options: Any) -> list[sf.Ticket]:
        train = lambda params, mask, key: params  # noqa: E731
        return list(sf.tickets(train, params, 5.0, levels=3, select=BLOCKS, **options))

    tickets = some()
    assert [int(ticket.history.kept[0]) for ticket in tickets] != [234, 137, 80]
    chex.assert_trees_all_equal(some(resume=tickets[0])[-1].mask, tickets[-1].mask)


def test_counts_of_two_words() -> None:
    scores = [jnp.arange(64.0).reshape(8, 8)]
    row = two_words(np.array([20], np.int64))
    same(sf.block_top_k((4, 4)).keep(scores, row), best_blocks(scores, (4, 4), 20))


def pruned(select: sf.Selection, compression: float = 2.0, shape: Any = (3, 3, 2, 8)) -> Any:
    return sf.prune(sf.magnitude(), {"w": jnp.ones(shape)}, compression, rounds=1, select=select)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sf.block_top_k((0, 8)), ["block[0] must be >= 1", "block[0]=0"]),
        (lambda: pruned(sf.block_top_k((4, 4))), ["(4, 4)", "(3, 3, 2, 8)", "smaller block"]),
        (lambda: sf.n_m_top_k(0, 4), ["n must be >= 1", "n=0"]),
        (lambda: sf.n_m_top_k(5, 4), ["n must be between 1 and m", "n=5 and m=4"]),
        (lambda: pruned(N_OF_M, 4.0), ["compression=4 / 2", "0.25"]),
        (lambda: pruned(N_OF_M, 1.0), ["compression=4 / 2", "ask for 1"]),
        (lambda: pruned(sf.n_m_top_k(1, 2, -5)), ["(3, 3, 2, 8)", "no axis -5"]),
        (lambda: pruned(sf.n_m_top_k(1, 2, 2), shape=(4, 4)), ["(4, 4)", "no axis 2"]),
    ],
)
def test_refused(call: Any, words: list[str]) -> None:
    with pytest.raises(ValueError, match=re.escape(words[0])) as caught:
        call()
    assert not [word for word in words if word not in str(caught.value)]


@pytest.mark.parametrize("block", [8, "88", (8,), (8, 8, 8), None, (8, 8.0), ("8", 8), (True, 8)])
def test_what_is_no_block(block: Any) -> None:
    with pytest.raises(TypeError, match="block"):
        sf.block_top_k(block)


@pytest.mark.parametrize("arguments", [(2.0, 4), (2, "4"), (2, 4, None), (2, True)])
def test_what_is_no_number(arguments: Any) -> None:
    with pytest.raises(TypeError, match="whole number"):
        sf.n_m_top_k(*arguments)
