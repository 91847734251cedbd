"""Settings for all tests: the library promotes nothing silently."""

import os
from collections.abc import Iterator

import jax
import pytest

# Commands that tests start in processes of their own leave the user's cache alone.
os.environ["SYNFLOW_JAX_COMPILATION_CACHE"] = "off"


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
