"""What is left of sharded params lies where they did."""

import subprocess
import sys
from pathlib import Path

from devices import environment


def test_eight_devices() -> None:
    program = Path(__file__).parent / "sharded_compact.py"
    run = subprocess.run(
        [sys.executable, program], env=environment(8), capture_output=True, text=True, check=False
    )
    assert run.stdout.split() == ["same"], run.stderr[-3000:]
