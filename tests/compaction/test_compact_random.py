"""Random networks of all operations, with random masks."""

import pytest
from compact_checks import (
    check_nothing_more_goes,
    check_report,
    check_same,
    check_shrink_and_expand,
)
from drawn_compact import network

import synflow_jax as sf

pytestmark = [pytest.mark.usefixtures("others_promote", "wide"), pytest.mark.unoptimized]


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 200))]
)
def test_random_networks(seed: int) -> None:
    names, case = network(seed)
    print(f"network({seed}), inputs {case.inputs.shape}:", *names, sep="\n  ")
    try:
        small = sf.compact(*case)
    except ValueError as error:
        if "no path" in str(error) or "don't depend on the inputs" in str(error):
            return
        raise
    check_same(case, small)
    check_shrink_and_expand(small)
    check_report(small, case)
    check_nothing_more_goes(small, case.inputs)
