"""Random: the baseline that every weight has the same chance."""

from typing import Any

import jax
import jax.numpy as jnp

from synflow_jax.arguments import check_key
from synflow_jax.types import Mask, Params, ScoreFn, Scores


def random() -> ScoreFn:
    """Independent uniform scores in [0, 1), float32.

    Returns:
        A score function that needs a key and no batch.

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
