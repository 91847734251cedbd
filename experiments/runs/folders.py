"""A run's folder: results/EXPERIMENT/RUN with its configuration, and files written whole."""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from experiments.runs.options import RunOptions, refuse

PACKAGES = ("flax", "jax", "jaxlib", "matplotlib", "numpy", "optax", "scikit-learn")


def open_run(study: str, options: RunOptions, *, free: Sequence[str] = ()) -> Path:
    """The folder of a run, new or to go on with; a folder of other options ends the program.

    Args:
        study: the folder's first part.
        options: a dataclass with the fields ``results`` and ``run``; without a ``run`` the name
            is made from the other options.
        free: options that the results don't depend on.
    """
    asked = {
        name: value
        for name, value in json.loads(_json(dataclasses.asdict(options))).items()
        if name not in ("results", "run", *free)
    }
    name = options.run or hashlib.sha256(_json(asked).encode()).hexdigest()[:10]
    folder = options.results / study / name
    path, found = folder / "config.json", None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            found = json.loads(path.read_text())["options"]
        else:
            write_atomically(path, lambda path: path.write_text(_config(study, asked)))
    except OSError as error:
        refuse(f"--results: can't use {folder}: {error.strerror}")
    if found is not None and found != asked:
        names = ", ".join(n for n in {**asked, **found} if found.get(n) != asked.get(n))
        refuse(f"{folder} holds a run with other options ({names}); choose another --run")
    return folder


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Calls ``write`` on a neighbor of ``path`` and moves it there: all of the file or none."""
    # Its own for each process of a run, since all write the run's configuration.
    temporary = path.with_name(f".{path.stem}.partial{jax.process_index()}{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _config(study: str, options: dict[str, Any]) -> str:
    device = jax.devices()[0]
    content = {
        "experiment": study,
        "options": options,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        "device": {"platform": device.platform, "kind": device.device_kind},
    }
    return json.dumps(content, indent=2) + "\n"


def _json(options: dict[str, Any]) -> str:
    return json.dumps(options, sort_keys=True, default=str)
