"""What the layers of a network make of images."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from experiments.training import Task, TrainState


class Recorded(nnx.Module):
    """A module whose outputs are also given to a function."""

    def __init__(self, module: Any, keep: Callable[[jax.Array], None]):
        self.module, self.keep = module, keep

    def __call__(self, x: jax.Array) -> jax.Array:
        output = self.module(x)
        self.keep(output)
        return output


def representations(task: Task, state: TrainState, layers: Sequence[str]) -> dict[str, np.ndarray]:
    """The outputs of modules for all test images, in inference mode, by the modules' paths.

    Each place of an image, a pixel or a token, counts as an example: float32 of shape
    ``(images * places, channels)``.
    """
    model = nnx.view(
        nnx.merge(task.setup.graph, state.params, state.model_state, copy=True),
        deterministic=True,
        use_running_average=True,
        raise_if_not_found=False,
    )
    found: dict[str, jax.Array] = {}
    for layer in sorted(layers, key=lambda layer: -layer.count("/")):  # what's inside comes first
        _record(model, layer, partial(found.__setitem__, layer))
    model(task.setup.prepare_test(task.data.test.images))
    return {layer: np.asarray(found[layer]).reshape(-1, found[layer].shape[-1]) for layer in layers}


def _record(model: Any, layer: str, keep: Callable[[jax.Array], None]) -> None:
    *outer, name = layer.split("/")
    for part in outer:
        model = model[int(part)] if part.isdigit() else getattr(model, part)
    if name.isdigit():
        model[int(name)] = Recorded(model[int(name)], keep)
    else:
        setattr(model, name, Recorded(getattr(model, name), keep))
