"""What all tests and examples share: programs compiled quickly, once, and freed in between.

Nearly all time of the tests is compilation. A file's tests run in one worker, which compiles a
program of several of them once, and keeps it for other files while there is room.
"""

import ctypes
import gc
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import jax
import pytest

# Commands that tests start in processes of their own leave the user's cache alone.
os.environ["SYNFLOW_JAX_COMPILATION_CACHE"] = "off"

# A cache for this process's modules alone: one that is written by others, or by processes that
# tests kill or leave without disk, may have entries in half.
cleanup = ExitStack()
folder = cleanup.enter_context(tempfile.TemporaryDirectory())
jax.config.update("jax_compilation_cache_dir", folder)
# To write and read what takes less is no faster.
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)

# Halves the time of compilation: the older emitters, and no program in parts, since the workers
# keep the cores busy. Read when the first program is compiled, also by processes that tests start.
# A release of XLA that doesn't know a flag ends at once, so others go without.
if jax.__version_info__ < (0, 11) and "PYTEST_XDIST_WORKER" not in os.environ:
    flags = os.environ.get("XLA_FLAGS", "")
    quick = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{flags} {quick}"

# A worker stays below 2 GB, or little above. Freeing takes a second, and what is needed again is
# traced again, so within a module there may be more.
MOST_AFTER_A_MODULE, MOST_AFTER_A_TEST = 1_200_000_000, 1_500_000_000
# Those that take longest begin, so that no worker is left alone with one at the end.
LONGEST_FIRST = (
    "test_benchmarks test_golden_resnet20 test_singleshot test_rounds test_all_methods "
    "test_unit_networks test_scores test_selection test_sizes test_branches test_compact_networks "
    "test_fuzz test_training_compact test_nasbench201 test_depth test_figures test_training_runs "
    "test_compact_zoo test_training test_faults test_drawing test_effective test_sweep_mesh "
    "test_compact_operations test_states test_unit_branches from-jaxpruner test_structured "
    "test_learned test_data_stream"
).split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


def pytest_unconfigure() -> None:
    cleanup.close()


@pytest.fixture(autouse=True, scope="module")
def compiled(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compiles without most optimizations, and forgets what was compiled in the other way.

    Modules marked ``optimized`` compile with them, and so do slow tests, which run for longer, but
    for those of modules marked ``unoptimized``.
    """
    if request.config.option.markexpr == "slow":
        quick = request.node.get_closest_marker("unoptimized") is not None
    else:
        quick = request.node.get_closest_marker("optimized") is None
    if jax.config.read("jax_disable_most_optimizations") != quick:
        free()
    jax.config.update("jax_disable_most_optimizations", quick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", str(quick))  # of processes that tests start
        yield
    free(MOST_AFTER_A_MODULE)


def pytest_runtest_logfinish() -> None:
    free(MOST_AFTER_A_TEST)


def resident_bytes() -> int:
    """Of this process; 0 where the system doesn't tell."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * mmap.PAGESIZE if pages.exists() else 0


def free(beyond: int = 0) -> None:
    """Forgets what was compiled, if this process has as many bytes."""
    if resident_bytes() < beyond:
        return
    jax.clear_caches()
    gc.collect()
    with suppress(AttributeError):  # GNU's C library alone gives back what was freed.
        ctypes.CDLL(None).malloc_trim(0)
