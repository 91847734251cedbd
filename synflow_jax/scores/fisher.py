"""Fisher: how much the loss feels a weight's removal, example by example."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from synflow_jax.losses import check_loss_fn, checked_loss, first_axis, nan_unless_finite
from synflow_jax.masks import apply_mask
from synflow_jax.types import LossFn, Mask, Params, ScoreFn, Scores


def fisher(loss_fn: LossFn) -> ScoreFn:
    """Score ``w^2 * mean over examples of (dl/dw)^2``, with l the loss of one example.

    The mean is the diagonal of the empirical Fisher information, an estimate of the Hessian's, so
    that half the score is by how much the loss rises without the weight where its gradient is 0
    (LeCun et al. 1989, "Optimal brain damage"; Theis et al. 2018, arXiv:1801.05787).
    Examples are taken one after another, so that memory doesn't grow with their number.

    Args:
        loss_fn: ``loss_fn(params, batch) -> scalar``, the mean over the batch, such as
            `cross_entropy(apply_fn)`; it's called with batches of one.

    Returns:
        A score function that needs a batch, whose arrays have examples along their first axis, and
        no key. The scores have the params' shapes and dtypes; they are 0 where pruned, and all NaN
        if the loss isn't finite.

    Raises:
        ValueError: when the score function is called, the batch is None, its arrays haven't the
            same first axis, ``loss_fn`` fails or returns more than one number, or mask and params
            don't match.
        TypeError: ``loss_fn`` isn't a function of params and batch; when the score function is
            called, the loss isn't floating-point or comes with something else, or a leaf of the
            mask isn't boolean.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> score_fn = sf.fisher(lambda params, batch: jnp.mean(batch @ params["kernel"]))
    >>> params, mask = {"kernel": jnp.array([[1.0], [-2.0]])}, {"kernel": jnp.array(True)}
    >>> score_fn(params, mask, jnp.array([[3.0, 1.0], [-1.0, 1.0]]), None)["kernel"]
    Array([[5.],
           [4.]], dtype=float32)
    """
    check_loss_fn(loss_fn)
    checked = checked_loss("fisher", loss_fn)

    def score_fn(params: Params, mask: Mask, batch: Any, key: jax.Array | None) -> Scores:
        del key
        masked = apply_mask(mask, params)
        count = first_axis("fisher", batch, "examples")

        def add(total: Any, example: Any) -> tuple[Any, None]:
            one = jax.tree.map(lambda x: x[None], example)
            loss, gradient = jax.value_and_grad(checked)(masked, one)
            squares = jax.tree.map(lambda g: jnp.square(g) / count, gradient)
            return jax.tree.map(jnp.add, total, (loss, squares)), None

        dtype = jax.eval_shape(checked, masked, batch).dtype
        start = jnp.zeros((), dtype), jax.tree.map(jnp.zeros_like, masked)
        (loss, squares), _ = lax.scan(add, start, jax.tree.map(jnp.asarray, batch))
        scores = jax.tree.map(lambda w, f: jnp.square(w) * f, masked, squares)
        return nan_unless_finite(loss, scores)

    return score_fn
