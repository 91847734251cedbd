"""Settings for all tests: the library promotes nothing silently."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def strict(request: pytest.FixtureRequest) -> Iterator[None]:
    """Raises where ranks or types are promoted, but in tests through Flax and optax, which do."""
    if "others_promote" in request.fixturenames:
        yield
        return
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def others_promote() -> None:
    """Marks tests that call into Flax or optax."""


@pytest.fixture
def wide() -> Iterator[None]:
    """Everything in float64."""
    with jax.enable_x64(True):
        yield
