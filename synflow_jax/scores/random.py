"""Random: every weight has the same chance to stay, the baseline of the other scores."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.checks import check_key
from synflow_jax.types import Mask, Params, ScoreFn, Scores


def random() -> ScoreFn:
    """Score each weight with an independent uniform number in [0, 1).

    The baseline in figure 1 of Tanaka et al. 2020, arXiv:2006.05467.

    Returns:
        A score function that needs a key and no batch. The scores have the params' shapes and are
        float32 whatever the params' dtypes.

    Raises:
        ValueError: when the score function is called, the key is None.
        TypeError: when it's called, the key isn't one JAX key.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"kernel": jnp.ones((1, 2))}
    >>> scores = sf.random()(params, {"kernel": jnp.array(True)}, None, jax.random.key(0))
    >>> scores["kernel"].shape
    (1, 2)
    """

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del mask, batch
        if key is None:
            raise ValueError("random scores need a key, got key=None; pass key=jax.random.key(0)")
        check_key(key)
        leaves, structure = jax.tree.flatten(params)
        keys = jax.random.split(key, len(leaves))
        # In float32 also for bfloat16 params: 2**7 values would tie nearly everywhere.
        return structure.unflatten(
            [
                jax.random.uniform(k, leaf.shape, jnp.float32)
                for k, leaf in zip(keys, leaves, strict=True)
            ]
        )

    return score_fn
