"""The k highest scores, exactly, against NumPy's stable sort."""

import pydoc
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import synflow_jax as sf
from synflow_jax import selection
from synflow_jax.selection import TwoWordCount, ties, top_k, two_words
from synflow_jax.selection.counting import Pivots, counts_at_least
from synflow_jax.selection.lanes import LANES, in_lane, padded_starts
from synflow_jax.selection.search import Bounds, even_pivots, narrower, unfinished

# Few distinct values, so that ties are common; both zeros; the smallest and largest numbers.
TINY, LARGE = 1.1754944e-38, 3.4028235e38
VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, TINY, -TINY, LARGE, -LARGE]),
    st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False),
)
# Each list is a program to compile: a few that have all shapes and numbers of leaves.
SHAPES = st.sampled_from(
    [
        [(0,)],
        [(1,)],
        [(3, 5)],
        [(7,), (2, 1, 4)],
        [(2, 0), (1,), (3, 5)],
        [(2, 1, 4), (0,), (7,), (1,)],
        [(3, 5), (3, 5), (2, 1, 4), (7,)],
    ]
)


@st.composite
def leaves_and_k(draw: st.DrawFn) -> tuple[list[np.ndarray], int]:
    shapes = draw(SHAPES)
    leaves = [draw(npst.arrays(np.float32, shape, elements=VALUES)) for shape in shapes]
    return leaves, draw(st.integers(0, sum(leaf.size for leaf in leaves)))


def highest(leaves: list[np.ndarray], k: int) -> list[np.ndarray]:
    flat = np.concatenate([leaf.ravel() for leaf in leaves])
    keep = np.zeros(flat.size, bool)
    keep[np.argsort(-flat, kind="stable")[:k]] = True
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    return [k.reshape(leaf.shape) for k, leaf in zip(np.split(keep, ends), leaves, strict=True)]


jitted = jax.jit(top_k)


@jax.jit
def kept_and_lowest(leaves: list[jax.Array], k: jax.Array) -> tuple[list[jax.Array], jax.Array]:
    kth = sf.kth_highest(leaves, k) if sum(leaf.size for leaf in leaves) else jnp.array(jnp.nan)
    return top_k(leaves, k), kth


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(deadline=None, max_examples=60)
@given(case=leaves_and_k())
def test_against_numpy(case: tuple[list[np.ndarray], int], dtype: str) -> None:
    leaves, k = case
    with jax.enable_x64(dtype == "float64"):
        kept, kth = kept_and_lowest([jnp.asarray(leaf, dtype) for leaf in leaves], jnp.int32(k))
        for ours, theirs in zip(kept, highest(leaves, k), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        if k:
            lowest = min(
                leaf[keep].min(initial=np.inf) for leaf, keep in zip(leaves, kept, strict=True)
            )
            assert float(kth) == lowest


@pytest.mark.parametrize("k", [0, 1, 70_000, 131_072, 300_000])
@pytest.mark.parametrize("ties", [False, True])
def test_large_and_small_arrays_together(k: int, ties: bool) -> None:
    rng = np.random.default_rng(0)
    sizes = [(200_000,), (3,), (50, 70), (90_000,), (5_000,), (3_000,)]
    leaves = [rng.normal(size=size).astype(np.float32) for size in sizes]
    if ties:
        leaves = [np.round(leaf) for leaf in leaves]
    for ours, theirs in zip(jitted(leaves, k), highest(leaves, k), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("k", [1, 200_000, 700_001, 2_699_999])
@pytest.mark.parametrize(
    "layout", ["random", "neighbors in rank stand 65,536 apart", "ties", "eight of each"]
)
def test_more_than_a_million(k: int, layout: str) -> None:
    rng = np.random.default_rng(0)
    values = np.sort(rng.normal(size=2_700_000).astype(np.float32))
    match layout:
        case "random":
            rng.shuffle(values)
        case "ties":
            values = rng.permutation(np.round(values, 2))
        case "eight of each":
            values = rng.permutation(np.repeat(values[::8], 8))
        case _:
            values[: 24 * 65_536] = values[: 24 * 65_536].reshape(65_536, 24).T.ravel()
    first, *rest, last = np.split(values, [1_200_001, 1_200_005, 1_600_005])
    leaves = [first, rest[0], rest[1].reshape(-1, 5), last]
    for ours, theirs in zip(jitted(leaves, k), highest(leaves, k), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    descending = np.sort(np.concatenate([leaf.ravel() for leaf in leaves]))[::-1]
    assert sf.kth_highest([jnp.asarray(leaf) for leaf in leaves], k) == descending[k - 1]


def test_few_of_a_million_without_a_finite_score_are_not_kept() -> None:
    scores = np.random.default_rng(0).normal(size=1_100_000).astype(np.float32)
    scores[[0, 70_000, 1_099_999]] = -np.inf
    (kept,) = jitted([scores], len(scores) - 1)
    np.testing.assert_array_equal(kept, scores > -np.inf)


@pytest.mark.parametrize("lane", [3, 4_463, 4_464, LANES - 1])
def test_lane_of_arrays(lane: int) -> None:
    """Each array starts a block; padded starts say where in the blocks."""
    sizes = (200_000, 70_000, 140_000)
    arrays = [np.arange(size, dtype=np.float32) + 1e6 * i for i, size in enumerate(sizes)]
    blocks = [np.pad(x, (0, -len(x) % LANES), constant_values=-np.inf) for x in arrays]
    joined = np.concatenate(blocks)
    through = in_lane([jnp.asarray(x) for x in arrays], jnp.uint32(lane))
    np.testing.assert_array_equal(through, joined.reshape(-1, LANES)[:, lane])
    starts = padded_starts([jnp.asarray(x) for x in arrays])
    for x, start in zip(arrays, starts, strict=True):
        np.testing.assert_array_equal(joined[start : start + x.size], x)


@pytest.mark.parametrize("k", [5_000, 100_000, 140_000])
def test_ties_of_too_many_scores_to_join(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ties, "_MOST_JOINED", 0)
    rng = np.random.default_rng(0)
    leaves = [rng.integers(0, 3, size).astype(np.float32) for size in ((300, 300), (7,), (50_000,))]
    for ours, theirs in zip(jax.jit(partial(top_k))(leaves, k), highest(leaves, k), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_worked_example() -> None:
    """The passes that the package's docstring writes out: pivots, counts and bounds."""
    bits = np.array([23, 181, 64, 150, 150, 7, 150, 98])
    k, bounds = two_words(3), Bounds(jnp.uint32(0), jnp.uint32(256), two_words(8), two_words(0))
    pivots = even_pivots(bounds)
    seen = []
    while unfinished(bounds, k, exactly=False):
        values = np.asarray(pivots.all())
        counts = (bits >= values[:, None]).sum(axis=1)
        bounds, pivots = narrower(bounds, k, pivots, two_words(counts))
        seen.append((values.tolist(), counts.tolist(), int(bounds.low), int(bounds.high)))
    assert seen == [
        ([34, 66, 98, 130, 162, 194, 226], [6, 5, 5, 4, 1, 0, 0], 130, 162),
        ([134, 138, 142, 146, 150, 154, 158], [4, 4, 4, 4, 4, 1, 1], 150, 154),
        ([151, 152, 153, 154, 155, 156, 157], [1, 1, 1, 1, 1, 1, 1], 150, 151),
    ]
    text = " ".join((selection.__doc__ or "").split())
    for values, counts, _, _ in seen:
        assert " ".join(map(str, values)) in text
        assert " ".join(map(str, counts)) in text
    for k_, positions in (2, [1, 3]), (3, [1, 3, 4]), (4, [1, 3, 4, 6]):
        (kept,) = top_k([jnp.asarray(bits, jnp.float32)], k_)
        assert np.flatnonzero(kept).tolist() == positions


def test_more_than_two_billion_are_traced() -> None:
    """Their number doesn't fit int32, which Python's integers become in an operation."""
    leaves = [jax.ShapeDtypeStruct((2**30,), jnp.float32)] * 3
    k = TwoWordCount(*[jax.ShapeDtypeStruct((), jnp.int32)] * 2)
    kept = jax.eval_shape(top_k, leaves, k)
    assert [leaf.shape for leaf in kept] == [(2**30,)] * 3
    assert jax.eval_shape(sf.kth_highest, leaves, k).shape == ()


@pytest.mark.slow
def test_more_than_two_billion_above_a_pivot_are_counted() -> None:
    """More than int32 holds: one array counted five times."""
    x = jnp.zeros(2**29, jnp.uint8).at[:5].set(1)

    @jax.jit
    def counts(x: jax.Array) -> TwoWordCount:
        pivots = Pivots(jnp.uint32(3), jnp.uint32(0))
        return counts_at_least(lambda each: 4 + each.astype(jnp.uint32), [x] * 5, pivots)

    high, low = (np.asarray(word, np.int64) for word in counts(x))
    assert (high * 2**16 + low).tolist() == [5 * 2**29, 25, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("select", "words"),
    [
        (sf.global_top_k, "Keeps the highest scores of the whole network"),
        (sf.local_top_k, "Keeps the highest scores of each layer"),
        (sf.Selection(len, lambda scores, row: scores), "A rule that says which scores"),
    ],
)
def test_help_says_what_a_selection_does(select: sf.Selection, words: str) -> None:
    assert words in pydoc.render_doc(select)
    assert hash(select) == hash(replace(select))


@pytest.mark.parametrize("k", [0, -1, 4])
def test_no_kth_score(k: int) -> None:
    with pytest.raises(ValueError, match=rf"number of scores, 3; got k={k}"):
        sf.kth_highest([jnp.ones(2), jnp.ones(1)], k)


def test_all_equal_keeps_the_first() -> None:
    kept = jitted([jnp.ones(3000), jnp.ones((100, 100))], 3500)
    np.testing.assert_array_equal(
        np.flatnonzero(np.concatenate([m.ravel() for m in kept])), range(3500)
    )


def test_bfloat16_scores_rank_with_float32_ones() -> None:
    kept = jitted([jnp.array([1.0, 3.0], jnp.bfloat16), jnp.array([2.0, 0.0])], 2)
    np.testing.assert_array_equal(np.stack(kept), [[False, True], [True, False]])


def test_half_types_rank_together_exactly() -> None:
    rng = np.random.default_rng(0)
    leaves = [jnp.asarray(rng.normal(size=2000), dtype) for dtype in (jnp.bfloat16, jnp.float16)]
    for k in (500, 1667, 2500):
        kept = jitted(leaves, k)
        expected = highest([np.asarray(leaf, np.float32) for leaf in leaves], k)
        np.testing.assert_array_equal(np.stack(kept), np.stack(expected))


def test_under_vmap() -> None:
    rng = np.random.default_rng(0)
    scores = np.round(rng.normal(size=(3, 500)), 1).astype(np.float32)
    ks = np.array([0, 33, 500], np.int32)
    (kept,) = jax.vmap(top_k)([jnp.asarray(scores)], ks)
    for row, k, ours in zip(scores, ks.tolist(), kept, strict=True):
        np.testing.assert_array_equal(ours, highest([row], k)[0])


@pytest.mark.slow
def test_hundred_million_scores_with_ties() -> None:
    size = 140_000_000
    scores = jnp.floor(jax.random.uniform(jax.random.key(0), (size,)) * 1e6)
    (count,) = sf.global_top_k.counts([size], np.array([0.01]))[:, 0]
    assert count == 1_400_000
    (kept,) = jitted([scores], count)
    assert int(jnp.sum(kept, dtype=jnp.int32)) == count
    assert float(jnp.min(jnp.where(kept, scores, jnp.inf))) >= float(
        jnp.max(jnp.where(kept, -jnp.inf, scores))
    )
