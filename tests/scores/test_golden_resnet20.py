"""Parity with the method's authors' program, of ResNet-20: it takes long to run unoptimized."""

import pytest
from golden_checks import METHODS, ROUNDS, check_logits, check_masks, check_scores

pytestmark = pytest.mark.optimized
NETWORKS = ["resnet20"]
DTYPES = ["float64", pytest.param("float32", marks=pytest.mark.slow)]


@pytest.mark.parametrize("network", NETWORKS)
def test_logits(network: str) -> None:
    check_logits(network)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_scores(network: str, method: str, dtype: str) -> None:
    check_scores(network, method, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("method", "rounds"), ROUNDS)
def test_masks(network: str, method: str, rounds: int, dtype: str) -> None:
    check_masks(network, method, rounds, dtype)
