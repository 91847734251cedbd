"""Runs: killed and gone on with, and what their commands answer."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest
import tiny_training
from flax import nnx
from tiny_training import RECIPE, assert_same, examples, tiny, tiny_state

import synflow_jax as sf
from experiments.runs.rows import read_rows
from experiments.train import __main__ as train
from experiments.training import (
    PRESETS,
    PUBLISHED,
    EpochRow,
    NonFiniteLossError,
    Recipe,
    fit,
    init_state,
    preset_for,
    split_network,
)
from experiments.training.checkpoints import checkpoints, restore

pytestmark = pytest.mark.usefixtures("others_promote")


@pytest.mark.slow
def test_run_killed_at_any_moment_ends_the_same(tmp_path: Path) -> None:
    """Killed twice, in between and while it writes a checkpoint if it's caught at it."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    tiny_training.main(whole, RECIPE.epochs)
    for step in (4, 12):
        kill_after_checkpoint(killed, step)
        assert not (killed / "checkpoints" / str(RECIPE.epochs)).exists()
    tiny_training.main(killed, RECIPE.epochs)
    assert (whole / "metrics.csv").read_bytes() == (killed / "metrics.csv").read_bytes()
    rows = read_rows(whole / "metrics.csv", EpochRow)
    assert [row.epoch for row in rows] == list(range(1, RECIPE.epochs + 1))
    assert rows[-1].train_loss < rows[0].train_loss
    model, setup = tiny()
    states = []
    for folder in (whole, killed):
        with checkpoints(folder / "checkpoints") as manager:
            assert manager.latest_step() == RECIPE.epochs
            states.append(restore(manager, tiny_state(model, setup)))
    assert_same(*states)


def kill_after_checkpoint(folder: Path, step: int) -> None:
    program = [sys.executable, str(Path(tiny_training.__file__)), str(folder), str(RECIPE.epochs)]
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(program, env=os.environ | {"PYTHONPATH": root})
    try:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoints" / str(step)).exists():
            assert process.poll() is None, "ended too early"
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def test_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    tiny_training.main(tmp_path, 1)
    other = nnx.Linear(16, 6, rngs=nnx.Rngs(0))
    graph, network = split_network(other)
    setup = tiny()[1]._replace(graph=graph)
    state = init_state(setup, network, sf.full_mask(network.params), jax.random.key(0))
    words = "params/bias/value is not there, and float32 (6,) in this one"
    with (
        checkpoints(tmp_path / "checkpoints") as manager,
        pytest.raises(ValueError, match=re.escape(words)),
    ):
        restore(manager, state)


def test_nan_loss_stops(tmp_path: Path) -> None:
    model, setup = tiny(recipe=Recipe(3, 1e30, batch_size=16))
    data = examples(200, 1)
    with pytest.raises(NonFiniteLossError, match=r"training loss is \w+ in step \d+ of epoch 1;"):
        fit(setup, tiny_state(model, setup), data, data, epochs=3, folder=tmp_path)
    assert not read_rows(tmp_path / "metrics.csv", EpochRow)
    with checkpoints(tmp_path / "checkpoints") as manager:
        assert manager.latest_step() is None


def test_tensorboard_files_without_tensorflow(tmp_path: Path) -> None:
    model, setup = tiny()
    data, state = examples(200, 1), tiny_state(model, setup)
    fit(setup, state, data, data, epochs=1, folder=tmp_path, tensorboard=True)
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"train_loss/0" in events.read_bytes()
    assert "tensorflow" not in sys.modules


def test_missing_tensorboard_is_answered_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("experiments.training.tensorboard.find_spec", lambda _: None)
    with pytest.raises(SystemExit):
        train.main(["--tensorboard"])
    assert "synflow_jax[tensorboard]" in capsys.readouterr().err


def test_presets() -> None:
    assert preset_for("lottery/vgg16-bn", "cifar100") == "cifar-vgg"
    assert PRESETS["cifar-vgg"] == Recipe(160, 0.1, (60, 120), 0.1, 1e-4, 0.9, 128)
    assert preset_for("lottery/vgg16-bn", "mnist") is None
    assert {name for _, name in PUBLISHED.items()} <= PRESETS.keys()
    names = set(sf.models.names())
    assert {model for model, _ in PUBLISHED} <= names


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (["--epochs", "0"], "--epochs must be >= 1, got 0"),
        (["--method", "obd"], "obd"),
        (["--log10-compression", "1", "1"], "--log10-compression"),
        (["--log10-compression", "-1"], "--log10-compression"),
        (["--preset", "best"], "cifar-vgg"),
        (["--model", "lottery/resnet20", "--data", "cifar10"], "--preset"),
        (["--learning-rate", "nan"], "--learning-rate"),
        (["--run", "../up"], "--run"),
    ],
)
def test_bad_option_is_answered_in_one_line(
    bad: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        train.main(bad)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    assert word in output.err


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--results", str(tmp_path), "--run", "one", "--model", "default/fc"]
    options += ["--log10-compression", "0", "1", "--epochs", "2", "--method", "magnitude"]
    train.main(options)
    folder = tmp_path / "train" / "one"
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [(row["network"], row["epoch"]) for row in rows] == [
        *(("0", "1"), ("1", "1")),
        *(("0", "2"), ("1", "2")),
    ]
    losses = [float(row["train_loss"]) for row in rows]
    assert losses[2] < losses[0]
    assert str(folder) in capsys.readouterr().out
    with pytest.raises(SystemExit):
        train.main([*options, "--seed", "1"])
    assert "other options (seed)" in capsys.readouterr().err
