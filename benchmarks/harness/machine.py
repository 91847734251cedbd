"""The machine, the versions and the commit that figures come from."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

PACKAGES = ("synflow_jax", "jax", "jaxlib", "flax", "numpy", "torch")


def describe() -> dict[str, Any]:
    """What a reader needs to place the figures."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(_memory_bytes() / 1e9, 1),
        "device": jax.devices()[0].device_kind,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "threads": os.cpu_count(),
        "commit": commit(),
    }


def in_words(machine: dict[str, Any]) -> str:
    """One line."""
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items() if v)
    device = "" if machine["device"] == "cpu" else f" and {machine['device']}"
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB{device}; "
        f"Python {machine['python']}, {versions}; commit {machine['commit'] or 'unknown'}"
    )


def cpu_model() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """A checkout's commit, with ``-dirty`` behind it if files were changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
