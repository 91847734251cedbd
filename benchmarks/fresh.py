"""Measurements that need a process of their own."""

import json
import os
import subprocess
import sys
from typing import Any

import jax


def in_fresh_process(module: str, *arguments: str, flags: str = "") -> dict[str, Any]:
    """What ``python -m module arguments`` prints as JSON on its last line, on the same device.

    ``flags`` are added to those of XLA.
    """
    command = [sys.executable, "-m", module, jax.default_backend(), *arguments]
    all_flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    environment = os.environ | {"XLA_FLAGS": all_flags}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def answer(**values: Any) -> None:
    """Prints them as JSON."""
    print(json.dumps(values))
