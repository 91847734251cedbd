"""Training what a mask leaves as a smaller network: steps, checkpoints, devices, commands."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from devices import environment

import synflow_jax as sf
from experiments.compact import experiment as study
from experiments.compact.figure import table, time_figure
from experiments.compact.options import Options
from experiments.data import load
from experiments.runs.rows import read_rows
from experiments.train import __main__ as train
from experiments.training import (
    Compacted,
    EpochRow,
    Recipe,
    Task,
    compacted,
    init_state,
    make_task,
    train_epoch,
    train_network,
)

pytestmark = pytest.mark.usefixtures("others_promote")

ROOT = Path(__file__).parents[2]
KEY = jax.random.key(0)
COMMAND = ["--compact", "--model", "small-mlp", "--log10-compression", "1.5", "--rounds", "10"]


def dense_task() -> Task:
    """Dense layers with BatchNorm on the digits."""
    return make_task("small-mlp", load("digits"), Recipe(2, 0.01, batch_size=128))


def pruned(task: Task, dtype: type = jnp.float32) -> Compacted:
    """Half of the hidden units without a way out, and most other weights pruned at random."""
    network = jax.tree.map(lambda x: x.astype(dtype), task.make(KEY))
    mask, _ = sf.prune(sf.random(), network.params, 5.0, key=KEY, rounds=1)
    kernel = mask.hidden[1].kernel
    kernel[...] = kernel[...].at[::2].set(False)
    return Compacted(task, network, mask)


def test_steps_are_those_of_the_masked_network() -> None:
    with jax.enable_x64(True):
        task = dense_task()

        def doubles(images: jax.Array, key: jax.Array | None = None) -> jax.Array:
            del key
            return images.astype(jnp.float64) / 64 - 1

        task = task._replace(setup=task.setup._replace(prepare_train=doubles, prepare_test=doubles))
        whole = pruned(task, jnp.float64)
        small = compacted(*whole)
        assert small.network.params.hidden[1].kernel.shape[0] <= 50
        losses = []
        for each in (whole, small):
            state = init_state(each.task.setup, each.network, each.mask, KEY)
            _, metrics = train_epoch(each.task.setup, state, task.data.train)
            losses.append(np.asarray(metrics.loss))
        np.testing.assert_allclose(*losses, rtol=0, atol=1e-9)
        assert losses[0][-1] < losses[0][0]


def test_a_network_without_a_path_stays_whole() -> None:
    task = dense_task()
    network = task.make(KEY)
    mask = jax.tree.map(lambda x: jnp.zeros(x.shape, bool), network.params)
    assert compacted(task, network, mask) == Compacted(task, network, mask)


def test_stopped_training_goes_on(tmp_path: Path) -> None:
    """Each time the network is pruned and made small anew."""
    for folder, stops in (("whole", [3]), ("stopped", [1, 3])):
        for epochs in stops:
            small = compacted(*pruned(dense_task()))
            train_network(*small, KEY, epochs=epochs, folder=tmp_path / folder)
    whole, stopped = ((tmp_path / name / "metrics.csv") for name in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()
    assert len(read_rows(whole, EpochRow)) == 3


@pytest.mark.slow
def test_command_goes_on_and_several_devices_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*COMMAND, "--epochs", "2", "--results", str(tmp_path)]
    printed = []
    for _ in range(2):
        train.main([*options, "--run", "one"])
        printed.append(capsys.readouterr().out)
    assert "weights were trained; pruning and compaction took" in printed[0]
    assert printed[0].splitlines()[:2] == printed[1].splitlines()[:2]
    own = environment(4) | {"PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "experiments.train", *options, "--sharding", "fsdp"]
    done = subprocess.run(
        [*program, "--run", "four"], env=own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    one, four = (
        read_rows(tmp_path / "train" / run / "metrics.csv", EpochRow) for run in ("one", "four")
    )
    np.testing.assert_allclose(
        [row.train_loss for row in four], [row.train_loss for row in one], rtol=1e-3
    )


def test_one_small_network_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        train.main([*COMMAND, "--seeds", "2"])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--compact takes one --log10-compression" in line


def test_study_of_accuracy_against_time(tmp_path: Path) -> None:
    options = Options(log10_compressions=(1.5,), rounds=10)
    rows = study.experiment(options, dense_task(), tmp_path)
    assert [(row.way, row.epoch) for row in rows] == [
        (way, epoch) for way in ("masked", "compact") for epoch in range(3)
    ]
    masked, small = rows[2], rows[5]
    assert masked.left == masked.weights > small.left >= small.kept == masked.kept
    assert small.accuracy == pytest.approx(masked.accuracy, abs=0.01)
    for way in (rows[:3], rows[3:]):
        assert 0 <= way[0].seconds < way[1].seconds < way[2].seconds
    text = table(rows)
    assert f"{small.left:,}" in text
    assert "compact" in text
    (axes,) = time_figure(rows).axes
    assert len(axes.get_lines()) == 2
