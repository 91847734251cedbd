"""Sweeps: many prunings in one compiled call (`members`), spread over devices (`spread`)."""

from synflow_jax.sweep.members import sweep as sweep
