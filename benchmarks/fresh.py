"""Measurements that need a process of their own."""

import json
import subprocess
import sys
from typing import Any

import jax


def in_fresh_process(module: str, *arguments: str) -> dict[str, Any]:
    """What ``python -m module arguments`` prints as JSON on its last line, on the same device."""
    command = [sys.executable, "-m", module, jax.default_backend(), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def answer(**values: float) -> None:
    """Prints them as JSON."""
    print(json.dumps(values))
