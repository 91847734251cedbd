"""Measurements that need a process of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import jax


def in_fresh_process(
    measurement: Callable[..., dict[str, Any]], *arguments: Any, flags: str = ""
) -> dict[str, Any]:
    """What a module's function returns in a new process, on the same device.

    Arguments and results travel as JSON. ``flags`` are added to those of XLA.
    """
    where = jax.default_backend(), measurement.__module__, measurement.__name__
    command = [sys.executable, "-m", __name__, *where, json.dumps(arguments)]
    all_flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    environment = os.environ | {"XLA_FLAGS": all_flags}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main(platform: str, module: str, name: str, arguments: str) -> None:
    """The new process: prints the result on its last line."""
    jax.config.update("jax_platforms", platform)
    measurement = getattr(import_module(module), name)
    print(json.dumps(measurement(*json.loads(arguments))))


if __name__ == "__main__":
    main(*sys.argv[1:])
