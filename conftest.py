"""What all tests and examples share: programs compiled quickly, once, and freed in between.

Nearly all time of the tests is compilation.
"""

import ctypes
import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

# Commands that tests start in processes of their own leave the user's cache alone.
os.environ["SYNFLOW_JAX_COMPILATION_CACHE"] = "off"

# One cache for the modules, workers and processes of this run; workers find it in their
# environment. It is set before JAX is imported, which reads it then.
cleanup = ExitStack()
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = cleanup.enter_context(tempfile.TemporaryDirectory())
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax  # noqa: E402


def pytest_unconfigure() -> None:
    cleanup.close()


@pytest.fixture(autouse=True, scope="module")
def compiled(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compiles without most optimizations, and frees what was compiled after each module.

    Modules marked ``optimized`` compile as users do.
    """
    quick = request.node.get_closest_marker("optimized") is None
    jax.config.update("jax_disable_most_optimizations", quick)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()
    gc.collect()
    with suppress(AttributeError):  # GNU's C library alone gives back what was freed.
        ctypes.CDLL(None).malloc_trim(0)
