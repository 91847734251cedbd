"""A process that creates a network and prunes it: ``NAME CLASSES SIDE ROUNDS``."""

import sys

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf


def main(name: str, classes: str, side: str, rounds: str) -> None:
    """Prunes to a hundredth."""
    shape = (int(side), int(side), 3)
    rngs = nnx.Rngs(0)
    model = sf.models.create(name, num_classes=int(classes), input_shape=shape, rngs=rngs)
    apply_fn, params = sf.from_nnx(model)
    score_fn = sf.synflow(apply_fn, jnp.ones((1, *shape)))
    jax.block_until_ready(sf.prune(score_fn, params, 100, rounds=int(rounds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
