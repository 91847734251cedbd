"""Pruning of sharded params: the masks of one device, and only counts exchanged."""

import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from devices import environment
from hypothesis import given, settings
from hypothesis import strategies as st

from synflow_jax.selection import TwoWordCount, two_words
from synflow_jax.selection.counting import Pivots
from synflow_jax.selection.search import even_pivots, search, whole_range
from synflow_jax.selection.two_words import as_float, at_least, equal, minus, smaller_of, sum_of

PROGRAM = Path(__file__).parent / "sharded_cases.py"
COUNTS = st.integers(0, 2**40)


def started(processes: int, process: int, port: int, devices: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, (processes, process, port))],
        env=environment(devices),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def check(runs: list[subprocess.Popen[str]]) -> None:
    try:
        for run in runs:
            out, errors = run.communicate(timeout=500)
            assert run.returncode == 0, errors[-3000:]
            # Gloo says more before.
            assert out.split()[-1] == "same"
    finally:
        for run in runs:
            run.kill()
            run.communicate()


@pytest.mark.slow
def test_eight_devices() -> None:
    check([started(1, 0, 0, 8)])


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes(processes: int) -> None:
    port = free_port()
    check([started(processes, i, port, 1) for i in range(processes)])


def number(count: TwoWordCount) -> int:
    return int(count.high) * 2**16 + int(count.low)


@settings(deadline=None)
@given(COUNTS, COUNTS, st.integers(0, 2**31 - 1))
def test_counts_beyond_int32(a: int, b: int, small: int) -> None:
    larger, smaller = max(a, b), min(a, b)
    assert number(minus(two_words(larger), two_words(smaller))) == larger - smaller
    assert bool(at_least(two_words(a), two_words(b))) == (a >= b)
    assert bool(equal(two_words(a), two_words(b))) == (a == b)
    assert int(smaller_of(two_words(a), jnp.int32(small))) == min(a, small)
    np.testing.assert_allclose(as_float(two_words(a)), a, rtol=1e-6)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=20))
def test_totals_beyond_int32(counts: list[int]) -> None:
    assert number(sum_of([jnp.int32(count) for count in counts])) == sum(counts)


@pytest.mark.parametrize("k", [1000, 2**31 + 5, 2**33 - 2**20 - 3, 2**33 - 12345])
def test_kth_of_eight_billion(k: int) -> None:
    """Two of each integer of 32 bits; how many are as large as a pivot is known without them."""

    def counts(pivots: Pivots) -> TwoWordCount:
        values = [int(value) for value in np.asarray(pivots.all(), np.uint64)]
        return two_words(np.array([2 * (2**32 - value) for value in values]))

    everywhere = whole_range(jnp.dtype("uint32"), 2**33)
    with jax.disable_jit():
        found = search(counts, two_words(k), everywhere, even_pivots(everywhere))
    assert int(found.low) == 2**32 - -(-k // 2)
