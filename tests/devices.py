"""Processes with several virtual devices."""

import os


def environment(devices: int) -> dict[str, str]:
    """This process's, with so many CPU devices, compiling without most optimizations.

    Nearly all that such processes do is compile.
    """
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "True"}
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"} | quick
