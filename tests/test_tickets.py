"""Iterative magnitude pruning: against loops by hand, resumed, rewound, and what it refuses."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import dense_params

import synflow_jax as sf

PARAMS = dense_params(biases=True)
EARLY = jax.tree.map(lambda leaf: leaf + 0.125, PARAMS)
KEY = jax.random.key(0)
TOTAL = sum(leaf.size for leaf in jax.tree.leaves(PARAMS) if leaf.ndim == 2)


def train(params: Any, mask: Any, key: Any) -> Any:
    """Noise in place of training: it reorders weights, and depends on all arguments."""
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    noise = [jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    moved = [leaf + 0.5 * n for leaf, n in zip(leaves, noise, strict=True)]
    return sf.apply_mask(mask, structure.unflatten(moved))


def tickets(train_fn: Any = train, params: Any = PARAMS, compression: Any = 8.0, **options: Any):
    return sf.tickets(train_fn, params, compression, **{"levels": 3, "key": KEY, **options})


@pytest.mark.parametrize("rewind_to", [None, EARLY], ids=["to the start", "to a later step"])
@pytest.mark.parametrize("local", [False, True], ids=["global", "local"])
def test_like_a_loop_in_numpy(local: bool, rewind_to: Any) -> None:
    names = [name for name in PARAMS if PARAMS[name]["kernel"].ndim == 2]
    keep = {n: np.ones(PARAMS[n]["kernel"].shape, bool) for n in names}
    given, seen = jax.tree.map(np.asarray, PARAMS), []

    def recorded(params: Any, mask: Any, key: Any) -> Any:
        seen.append((params, train(params, mask, key)))
        return seen[-1][1]

    select = sf.local_top_k if local else sf.global_top_k
    made = tickets(recorded, rewind_to=rewind_to, select=select)
    for level, ticket in enumerate(made, start=1):
        started, trained = seen[-1]
        for n in names:
            np.testing.assert_array_equal(started[n]["kernel"], given[n]["kernel"] * keep[n])
        sizes = {n: np.where(keep[n], np.abs(trained[n]["kernel"]), -1.0) for n in names}
        for group in [[n] for n in names] if local else [names]:
            flat = np.concatenate([sizes[n].ravel() for n in group])
            left = flat.size - int(np.floor((1 - 8.0 ** -(level / 3)) * flat.size))
            smallest = np.sort(flat)[::-1][left - 1]
            for n in group:
                keep[n] = sizes[n] >= smallest
        given = jax.tree.map(np.asarray, PARAMS if rewind_to is None else rewind_to)
        for n in names:
            np.testing.assert_array_equal(ticket.mask[n]["kernel"], keep[n])
            np.testing.assert_array_equal(ticket.params[n]["kernel"], given[n]["kernel"] * keep[n])
            np.testing.assert_array_equal(ticket.params[n]["bias"], given[n]["bias"])
        chex.assert_trees_all_equal(ticket.trained, trained)
    assert len(seen) == 3


@pytest.mark.parametrize("compression", [1.0, 1.7, 8.0, 62.0])
@pytest.mark.parametrize("schedule", [sf.exponential, sf.linear])
def test_without_training_it_is_prune(compression: float, schedule: Any) -> None:
    made = list(tickets(lambda params, mask, key: params, PARAMS, compression, schedule=schedule))
    mask, history = sf.prune(sf.magnitude(), PARAMS, compression, rounds=3, schedule=schedule)
    chex.assert_trees_all_equal(made[-1].mask, mask)
    kept = np.concatenate([ticket.history.kept for ticket in made])
    np.testing.assert_array_equal(kept, history.kept)
    np.testing.assert_array_equal(
        kept, TOTAL - np.floor((1 - schedule(compression, 3)) * TOTAL).astype(int)
    )


@pytest.mark.parametrize("rewind_to", [None, EARLY], ids=["to the start", "to a later step"])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_resumed_equals_uninterrupted(level: int, rewind_to: Any) -> None:
    options = {"rewind_to": rewind_to, "score_fn": sf.random()}
    whole = list(tickets(**options))
    stored = sf.Ticket(level, whole[level - 1].mask, None, None, whole[0].history)
    chex.assert_trees_all_equal(list(tickets(**options, resume=stored)), whole[level:])


def test_a_level_waits_until_it_is_asked_for() -> None:
    calls = []

    def counted(params: Any, mask: Any, key: Any) -> Any:
        calls.append(len(calls))
        return train(params, mask, key)

    made = tickets(counted)
    assert not calls
    next(made)
    assert calls == [0]


def test_starts_from_an_earlier_mask() -> None:
    mask, _ = sf.prune(sf.random(), PARAMS, 2.0, key=KEY, rounds=1)
    made = list(tickets(mask=mask))
    counts = sf.round_counts(mask, 8.0, 3, sf.exponential, sf.global_top_k)
    assert [int(ticket.history.kept[-1]) for ticket in made] == counts.sum(1).tolist()
    inside = jax.tree.map(lambda late, early: bool(jnp.all(early | ~late)), made[-1].mask, mask)
    assert all(jax.tree.leaves(inside))


def test_levels_compile_once() -> None:
    traces = []

    def score_fn(params: Any, *_: Any) -> Any:
        traces.append(1)
        return jax.tree.map(jnp.abs, params)

    for _ in range(2):
        list(tickets(score_fn=score_fn))
    assert len(traces) == 1


def test_without_a_key_functions_get_none() -> None:
    keys = []

    def keyless(params: Any, mask: Any, key: Any) -> Any:
        del mask
        keys.append(key)
        return params

    assert len(list(tickets(keyless, key=None))) == 3
    assert keys == [None] * 3


OTHER = next(tickets(compression=2.0))
REFUSED = {
    "compression below 1": ({"compression": 0.5}, ValueError, ["compression=0.5", ">= 1"]),
    "no levels": ({"levels": 0}, ValueError, ["levels=0", ">= 1"]),
    "half a level": ({"levels": 1.5}, TypeError, ["levels=1.5"]),
    "nothing prunable": ({"prunable": lambda *_: False}, ValueError, ["nothing is prunable"]),
    "rewind_to of another shape": (
        {"rewind_to": {**PARAMS, "dense1": {"bias": jnp.ones(4), "kernel": jnp.ones((3, 4))}}},
        ValueError,
        ["rewind_to leaf 'dense1/kernel'", "(5, 4)", "(3, 4)"],
    ),
    "rewind_to of another structure": (
        {"rewind_to": {"dense1": PARAMS["dense1"]}},
        ValueError,
        ["rewind_to must have the structure"],
    ),
    "resumed from level 0": ({"resume": OTHER._replace(level=0)}, ValueError, ["resume.level=0"]),
    "resumed from level 4": (
        {"resume": OTHER._replace(level=4)},
        ValueError,
        ["resume.level=4", "levels=3"],
    ),
    "resumed with another compression": (
        {"resume": OTHER},
        ValueError,
        [f"keeps {int(OTHER.history.kept[0])} weights", "of these arguments keeps 31"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_any_training(name: str) -> None:
    options, error, words = REFUSED[name]
    with pytest.raises(error) as caught:
        tickets(lambda *_: pytest.fail("trained"), **options)
    assert all(word in str(caught.value) for word in words), caught.value


TRAINED_BADLY = {
    "nothing": (lambda params, mask, key: None, "train_fn's result must have the structure"),
    "another shape": (
        lambda params, mask, key: jax.tree.map(lambda leaf: leaf[:2], params),
        r"train_fn's result leaf 'dense0/bias'.*\(5,\).*\(2,\)",
    ),
    "not finite": (
        lambda params, mask, key: jax.tree.map(lambda leaf: leaf * jnp.nan, params),
        "scores of leaf 'dense0/kernel' aren't finite",
    ),
}


@pytest.mark.parametrize("name", TRAINED_BADLY)
def test_refused_after_training(name: str) -> None:
    train_fn, message = TRAINED_BADLY[name]
    with pytest.raises(ValueError, match=message):
        next(tickets(train_fn))


def test_a_training_that_gives_its_params_away_leaves_the_tickets_alone() -> None:
    def donating(params: Any, mask: Any, key: Any) -> Any:
        moved = train(params, mask, key)
        for leaf in jax.tree.leaves(params):
            leaf.delete()
        return moved

    found = list(tickets(donating))
    for ticket, expected in zip(found, tickets(), strict=True):
        chex.assert_trees_all_equal(ticket, expected)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(PARAMS))


def test_scores_that_are_not_finite_name_the_level() -> None:
    def broken_later(params: Any, mask: Any, key: Any) -> Any:
        calls.append((mask, key))
        return jax.tree.map(lambda leaf: leaf * (jnp.nan if len(calls) == 3 else 1.0), params)

    calls: list[Any] = []
    with pytest.raises(ValueError, match=r"'dense0/kernel' aren't finite in level 3"):
        list(tickets(broken_later))
