"""Runs that survive: other devices, a full disk, another network's mask, a killed process."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mesh_training import fitted
from test_mesh_training import ROOT, run_on
from tiny_training import tiny, tiny_state

from experiments.runs.rows import read_rows
from experiments.training import EpochRow
from experiments.training.checkpoints import checkpoints, restore, save

pytestmark = pytest.mark.usefixtures("others_promote")


def losses(folder: Path) -> np.ndarray:
    rows = read_rows(folder / "metrics.csv", EpochRow)
    assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))
    return np.asarray([[row.train_loss, row.test_loss] for row in rows])


@pytest.mark.slow
def test_run_goes_on_with_other_numbers_of_devices(tmp_path: Path) -> None:
    """On 8, 2 and 1. It restarts from another mask and key, and has its own again."""
    fitted(str(tmp_path / "one"), "none", 6)
    moved = tmp_path / "moved"
    run_on(8, "fit", str(moved), "fsdp", "2", "0")
    run_on(2, "fit", str(moved), "data", "4", "1")
    fitted(str(moved), "none", 6, seed=2)
    np.testing.assert_allclose(losses(moved), losses(tmp_path / "one"), rtol=1e-5)
    masks = [restored(folder).optimizer_state.mask for folder in (moved, tmp_path / "one")]
    assert jax.tree.all(jax.tree.map(np.array_equal, *masks))
    other = tiny_state(*tiny(), seed=2).optimizer_state.mask
    assert not jax.tree.all(jax.tree.map(np.array_equal, masks[0], other))


def restored(folder: Path) -> Any:
    with checkpoints(folder / "checkpoints") as manager:
        return restore(manager, tiny_state(*tiny()))


def small_disk(folder: Path) -> tuple[str, ...]:
    """A command that runs another where ``folder`` is a disk of 400 kB of its own."""
    script = (
        'mount -t tmpfs -o size=400k none "$0" && "$@"; code=$?; cp -r "$0" "$0-copy"; exit $code'
    )
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder))


def mounts() -> bool:
    command = (
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "x",
        "/mnt",
    )
    return bool(shutil.which("unshare")) and not subprocess.run(command, check=False).returncode


@pytest.mark.parametrize(
    "limit", ["a file of 1000 bytes", pytest.param("a disk of 400 kB", marks=pytest.mark.slow)]
)
def test_full_disk_leaves_what_was_written(tmp_path: Path, limit: str) -> None:
    """The second epoch's checkpoint can be gone on from, the metrics of the third are there."""
    folder, disk = tmp_path / "run", limit == "a disk of 400 kB"
    folder.mkdir()
    if disk and not mounts():
        pytest.skip("this user can't mount")
    prefix = small_disk(folder) if disk else ()
    error = run_on(1, "filled", str(folder), "0" if disk else "1000", prefix=prefix)
    folder = tmp_path / "run-copy" if disk else folder
    assert "no checkpoint of epoch 3 could be written" in error
    assert ("No space left on device" if disk else "File too large") in error
    assert len(losses(folder)) == 3
    assert int(restored(folder).epoch) == 2
    fitted(str(folder), "none", 4)
    fitted(str(tmp_path / "whole"), "none", 4)
    np.testing.assert_allclose(losses(folder), losses(tmp_path / "whole"), rtol=1e-5)


def test_mask_of_another_model_is_refused_with_the_leafs_name(tmp_path: Path) -> None:
    state = tiny_state(*tiny())
    state.optimizer_state.mask.first.kernel.set_value(jnp.ones((16, 8), bool))
    with checkpoints(tmp_path) as manager:
        save(manager, 1, state)
    words = r"mask/first/kernel/value is bool \(16, 8\), and bool \(16, 32\) in this one"
    with checkpoints(tmp_path) as manager, pytest.raises(ValueError, match=words):
        restore(manager, tiny_state(*tiny()))


def start(results: Path, epochs: int, *, process: int = 0, port: int | None = None) -> Any:
    """The command, alone or as one of two processes; its files are ``results/PROCESS.err``."""
    options = ["--model", "lenet-300-100", "--method", "magnitude", "--sharding", "fsdp"]
    options += ["--batch-size", "256", "--epochs", str(epochs), "--run", "run"]
    options += ["--results", str(results), "--log10-compression", "0.5"]
    if port:
        options += ["--coordinator", f"127.0.0.1:{port}", "--processes", "2"]
        options += ["--process", str(process)]
    with (results / f"{process}.err").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.train", *options],
            env=os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": ""},
            cwd=ROOT,
            stdout=errors,
            stderr=errors,
        )


@contextmanager
def two_running(results: Path, epochs: int, *, until: int) -> Iterator[list[Any]]:
    """Two processes on loopback that have written the checkpoint ``until``; none is left over."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [start(results, epochs, process=i, port=port) for i in range(2)]
    try:
        deadline = time.monotonic() + 240
        while newest(results) < until:
            ended = [p.poll() for p in processes]
            assert ended == [None, None], [(results / f"{i}.err").read_text() for i in range(2)]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def newest(results: Path) -> int:
    """The newest whole checkpoint, 0 without one."""
    names = [path.name for path in (results / "train" / "run" / "checkpoints").glob("*")]
    return max([int(name) for name in names if name.isdigit()], default=0)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_killed_process_ends_the_other_and_both_go_on(tmp_path: Path, victim: int) -> None:
    """Killed in two processes, gone on with in two, killed again, and finished in one."""
    epochs, results, alone = 10, tmp_path / "two", tmp_path / "one"
    results.mkdir()
    alone.mkdir()
    with two_running(results, epochs, until=2) as processes:
        processes[victim].kill()
        assert processes[1 - victim].wait(60) != 0
    # Without the first process JAX itself may end the other before it says what to do.
    told = (results / f"{1 - victim}.err").read_text()
    assert "start all of them" in told or (victim == 0 and "another task died" in told)
    done = newest(results)
    assert 2 <= done < epochs
    with two_running(results, epochs, until=done + 1):
        pass
    assert newest(results) < epochs
    for folder in (results, alone):
        assert start(folder, epochs).wait(240) == 0
    whole, killed = (losses(folder / "train" / "run") for folder in (alone, results))
    assert len(whole) == epochs
    np.testing.assert_allclose(killed, whole, rtol=1e-5)
