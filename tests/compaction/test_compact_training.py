"""Training what is left is training the masked network."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compact_checks import assert_close, removed_zeroed
from compact_networks import Numbers, masked
from jax import lax
from test_compact_networks import NETWORKS

import synflow_jax as sf

STEPS = 12
OPTIMIZERS = {
    "momentum": lambda: optax.chain(optax.add_decayed_weights(1e-2), optax.sgd(0.05, momentum=0.9)),
    "AdamW": lambda: optax.adamw(0.01, weight_decay=0.1),
}


pytestmark = [pytest.mark.usefixtures("others_promote", "wide"), pytest.mark.unoptimized]


LossFn = Callable[..., tuple[jax.Array, Any]]


def trained(loss_fn: LossFn, start: Any, mask: Any, batches: Any) -> Any:
    """For each optimizer the losses, the params and the statistics after training."""

    def run(start: Any, mask: Any) -> Any:
        def all_steps(optimizer: Any) -> Any:
            tx = sf.keep_params_sparse(optimizer, mask)
            params, statistics = start

            def step(state: Any, batch: Any) -> Any:
                params, statistics, inner = state
                (loss, statistics), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
                    params, statistics, batch
                )
                updates, inner = tx.update(gradient, inner, params)
                return (optax.apply_updates(params, updates), statistics, inner), loss

            state = (params, statistics, tx.init(params))
            (params, statistics, _), losses = lax.scan(step, state, batches)
            return losses, params, statistics

        return {name: all_steps(make()) for name, make in OPTIMIZERS.items()}

    return jax.jit(run)(start, mask)


def check_training(small: sf.Compact, case: Any, loss_fn: LossFn, batches: Any) -> None:
    whole = sf.apply_mask(case.mask, case.params), None
    expected = trained(loss_fn, whole, case.mask, batches)
    found = trained(small.of(loss_fn), (small.params, None), small.mask, batches)
    for name, (losses, params, _) in expected.items():
        assert np.ptp(losses) > 0
        np.testing.assert_allclose(found[name][0], losses, rtol=1e-9, atol=1e-9, err_msg=name)
        again = small.expand(found[name][1])
        assert_close(again, removed_zeroed(small, params), 1e-9, name)


PLAIN = ["relu", "relu, negative biases", "gelu, biases", "maximum, biases", "scanned"]
OTHERS = NETWORKS.keys() - {*PLAIN, "branches"}


@pytest.mark.parametrize(
    "name", [*PLAIN, *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(OTHERS))]
)
def test_losses_and_params_are_the_same(name: str) -> None:
    case, small = masked(NETWORKS[name], 1)
    targets = jax.eval_shape(case.apply_fn, case.params, case.inputs)
    n = Numbers(3)
    batches = jax.tree.map(lambda leaf: n(STEPS, *leaf.shape), targets)

    def loss_fn(params: Any, statistics: Any, batch: Any) -> Any:
        outputs = case.apply_fn(params, case.inputs)
        errors = jax.tree.map(lambda o, to: jnp.log1p(jnp.square(o - to)).mean(), outputs, batch)
        return sum(jax.tree.leaves(errors)), statistics

    check_training(small, case, loss_fn, batches)
