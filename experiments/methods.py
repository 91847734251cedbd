"""The methods that experiments compare, by name."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp

import synflow_jax as sf

Method = Literal["synflow", "snip", "grasp", "magnitude", "random"]

NEED_DATA = ("snip", "grasp")


def score_fns(
    apply_fn: Callable[..., Any], image_shape: tuple[int, ...], *, temperature: float = 200.0
) -> dict[Method, Callable[..., Any]]:
    """Each method's score function; GraSP divides the logits by the temperature."""
    return {
        "synflow": sf.synflow(apply_fn, jnp.ones((1, *image_shape))),
        "snip": sf.snip(sf.cross_entropy(apply_fn)),
        "grasp": sf.grasp(sf.cross_entropy(apply_fn, temperature=temperature)),
        "magnitude": sf.magnitude(),
        "random": sf.random(),
    }
