"""Training on 8 devices is training on one; what can't be spread is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from devices import environment

from experiments.train import __main__ as train

ROOT = Path(__file__).parents[2]


def run_on(devices: int, *arguments: str, prefix: tuple[str, ...] = ()) -> Any:
    """What `mesh_training` prints, on virtual devices."""
    own = environment(devices) | {"PYTHONPATH": str(ROOT)}
    program = [*prefix, sys.executable, str(Path(__file__).parent / "mesh_training.py"), *arguments]
    done = subprocess.run(
        program, env=own, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def results() -> Any:
    return run_on(8, "curves")


@pytest.mark.parametrize("option", ["data", "fsdp"])
def test_losses_and_statistics_are_those_of_one_device(results: Any, option: str) -> None:
    one, spread = results["curves"]["none"], results["curves"][option]
    assert (one["devices"], spread["devices"]) == (1, 8)
    assert len(one["losses"]) == 60
    assert np.mean(one["losses"][-12:]) < 0.8 * np.mean(one["losses"][:12])
    np.testing.assert_allclose(spread["losses"], one["losses"], rtol=1e-5)
    np.testing.assert_allclose(spread["test"], one["test"], rtol=1e-5)
    # Those of the whole batch: parts of 2 examples would have others.
    np.testing.assert_allclose(spread["mean"], one["mean"], rtol=1e-5, atol=1e-6)


def test_masks_and_momentum_lie_with_their_parameter(results: Any) -> None:
    """Of kernels of shapes (16, 32) and (32, 6), the last of 8 devices."""
    whole, parts = (results["curves"][option]["parts"] for option in ("data", "fsdp"))
    assert whole["params"] == [[[16, 32], [0, 0]], [[32, 6], [0, 0]]]
    assert parts["params"] == [[[16, 4], [0, 28]], [[4, 6], [28, 0]]]
    for name in ("mask", "momentum"):
        assert whole[name] == whole["params"]
        assert parts[name] == parts["params"]


@pytest.mark.parametrize("option", ["data", "fsdp"])
def test_streams_too(results: Any, option: str) -> None:
    one = results["streams"]["none"]
    assert len(one) == 2 * (12 + 2)
    np.testing.assert_allclose(results["streams"][option], one, rtol=1e-5)


def test_batch_that_cannot_be_divided_is_refused(results: Any) -> None:
    assert results["refusals"] == {
        "12": "a batch size of 12 can't be divided among 8 devices; take a multiple of 8",
        "16": "taken",
    }


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (["--sharding", "half"], "half"),
        (["--sharding", "fsdp", "--seeds", "2"], "--sharding fsdp takes one"),
        (["--coordinator", "host:1", "--processes", "2", "--process", "0"], "--sharding none"),
        (["--sharding", "data", "--coordinator", "host:1", "--processes", "2"], "got 2 and None"),
        (["--sharding", "data", "--process", "0"], "--coordinator HOST:PORT"),
    ],
)
def test_bad_option_is_answered_in_one_line(
    bad: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        train.main(bad)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
