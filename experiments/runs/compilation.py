"""What a command compiled is kept on disk, so that a command started again doesn't compile it."""

import hashlib
import os
import platform
from pathlib import Path

import jax

SWITCH = "SYNFLOW_JAX_COMPILATION_CACHE"
"""The environment variable that switches the cache off, with the value ``off``."""

MINIMUM_SECONDS = 0.0
"""Programs that compile faster aren't kept. Of the 96 of a single-shot run 73 compile in less than
0.05 s, together in 0.9 s; to read these back takes 0.1 s, and to keep them 0.3 MB.
"""


def use_compilation_cache() -> None:
    """Switches on JAX's persistent compilation cache, in ``synflow_jax/compiled`` in the user's
    cache directory (``XDG_CACHE_HOME`` or ``~/.cache``).

    A cache that is set already, as by ``JAX_COMPILATION_CACHE_DIR``, is left as it is, and with
    ``SYNFLOW_JAX_COMPILATION_CACHE=off``, or where the folder can't be made, there is none.
    """
    chosen = getattr(jax.config, "jax_compilation_cache_dir", None)
    if chosen is not None or os.environ.get(SWITCH) == "off":
        return
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # There may be no home, and JAX would warn at every program.
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MINIMUM_SECONDS)


def cache_folder() -> Path:
    """Where this machine's programs are kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "synflow_jax" / "compiled" / _processor()


def _processor() -> str:
    """A name of the kind of processor. JAX's keys leave it out, but programs for a CPU are of its
    instructions, and a home directory may be shared by several kinds of machine.
    """
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else [platform.processor()]
    features = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    text = "\n".join([platform.machine(), *sorted(set(features))])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
