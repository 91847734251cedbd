"""What `prune` tells of its rounds on the way."""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import SIZES, dense_apply, dense_params

import synflow_jax as sf
from benchmarks.harness.compilations import counted
from synflow_jax.rounds import compiled, progress

SCORE_FN = sf.synflow(dense_apply, jnp.ones((1, SIZES[0])))
PARAMS = dense_params()


def prune(progress: Any, **options: Any) -> sf.History:
    return sf.prune(SCORE_FN, PARAMS, 10.0, rounds=4, progress=progress, **options)[1]


def test_every_round_is_told() -> None:
    told: list[tuple[int, int, int]] = []
    history = prune(lambda *call: told.append(call))
    assert told == [(i + 1, 4, kept) for i, kept in enumerate(history.kept.tolist())]
    assert all(type(number) is int for call in told for number in call)
    with counted() as compilations:
        again: list[tuple[int, int, int]] = []
        prune(lambda done, rounds, kept: again.append((done, rounds, kept)))
    assert again == told
    assert not compilations, "another function compiles nothing"
    assert not progress._listening


def test_masks_are_the_same() -> None:
    masks = [
        sf.prune(SCORE_FN, PARAMS, 10.0, rounds=4, progress=each)[0] for each in (False, print)
    ]
    for without, told in zip(*map(jax.tree.leaves, masks), strict=True):
        np.testing.assert_array_equal(without, told)


def test_without_it_nothing_is_compiled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = {}

    def lowered(*args: Any, **options: Any) -> Any:
        programs[options["listener"] is None] = jitted.lower(*args, **options).as_text()
        return jitted(*args, **options)

    jitted = compiled._compiled
    monkeypatch.setattr(compiled, "_compiled", lowered)
    prune(False)
    prune(print)
    assert "callback" in programs[False]
    assert "callback" not in programs[True]


def test_errors_come_out_when_all_is_done() -> None:
    calls = []

    def fail(done: int, rounds: int, kept: int) -> None:
        calls.append((rounds, kept))
        raise RuntimeError(f"disk full in round {done}")

    with pytest.raises(RuntimeError, match="disk full in round 1"):
        prune(fail)
    assert len(calls) == 1
    assert not progress._listening


def test_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    history = prune(np.True_)
    drawn = capsys.readouterr().err
    assert "4/4" in drawn
    assert f"{history.kept[-1]} weights left" in drawn


def test_a_bar_needs_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="pip install tqdm, or pass a function progress"):
        prune(True)


@pytest.mark.parametrize("wrong", ["yes", 3, None, lambda done: None])
def test_what_is_no_progress(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"progress must be a function of \(done, rounds, kept\)"):
        prune(wrong)


def test_a_loop_of_your_own() -> None:
    told: list[tuple[int, int]] = []

    def each_round(done: jax.Array, kept_by_layer: jax.Array) -> None:
        jax.debug.callback(lambda *call: told.append(tuple(map(int, call))), done, kept_by_layer[0])

    mask = sf.full_mask(PARAMS)
    counts = sf.round_counts(mask, 4.0, 2, sf.exponential, sf.global_top_k)
    rounds = jax.jit(sf.prune_rounds, static_argnums=0, static_argnames="each_round")
    _, history = rounds(sf.magnitude(), PARAMS, mask, counts, each_round=each_round)
    jax.effects_barrier()
    assert told == list(enumerate(np.asarray(history.kept_by_layer[:, 0]).tolist(), start=1))
