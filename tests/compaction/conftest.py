"""Settings for the tests of compact networks."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture
def wide() -> Iterator[None]:
    """Everything in float64."""
    with jax.enable_x64(True):
        yield
