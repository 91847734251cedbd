"""Distances of masks and early-bird tickets, by hand and in a training loop."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import synflow_jax as sf
from experiments.data.digits import digits


def made(*bits: str) -> list[Any]:
    """Masks of a kernel of one row each, beside a bias that isn't prunable."""
    return [
        {"kernel": jnp.array([[bit == "1" for bit in own]]), "bias": jnp.array(True)}
        for own in bits
    ]


def test_distances_by_hand() -> None:
    one, other = made("1100110011", "1010110010")
    assert sf.mask_distance(one, other) == 0.3
    assert sf.mask_distance(one, one) == 0
    assert sf.mask_distance(*made("10", "01")) == 1
    units = [
        {"a": jnp.ones((3, 3, 2, 4), bool), "b": jnp.arange(5).reshape(1, 5) < k} for k in (2, 3)
    ]
    assert sf.mask_distance(*units) == 1 / 77


def test_a_ticket_is_close_to_each_before_it() -> None:
    steady = made(*["1111100000"] * 4)
    near, far = made("1111000001", "1110000011")  # 0.2 and 0.4 away
    assert not sf.early_bird(steady)
    assert sf.early_bird([*steady, steady[0]])
    assert sf.early_bird([*steady, near], threshold=0.2)
    assert not sf.early_bird([*steady, near], threshold=0.19)
    assert not sf.early_bird([far, *steady[:3], steady[0]], threshold=0.2)
    assert sf.early_bird([far, *steady, steady[0]], threshold=0.2)  # too long ago to matter
    assert sf.early_bird([far, far, *steady[:2]], window=2)
    assert not sf.early_bird([], window=2)


@pytest.mark.usefixtures("others_promote")
def test_masks_of_a_network_in_training_become_alike() -> None:
    train, _ = digits()
    x, labels = train.images.reshape(len(train.labels), -1), train.labels
    keys = jax.random.split(jax.random.key(0))
    params = {
        "hidden": jax.random.normal(keys[0], (64, 32)) / 8,
        "output": jax.random.normal(keys[1], (32, 10)) / 6,
    }
    loss_fn = sf.cross_entropy(lambda p, x: jax.nn.relu(x @ p["hidden"]) @ p["output"])
    tx = optax.adam(3e-3)

    @jax.jit
    def epoch(params: Any, state: Any) -> Any:
        for start in range(0, 1280, 128):
            part = slice(start, start + 128)
            gradient = jax.grad(loss_fn)(params, (x[part], labels[part]))
            updates, state = tx.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
        return params, state

    state, masks = tx.init(params), []
    for _ in range(40):
        params, state = epoch(params, state)
        masks.append(sf.prune(sf.magnitude(), params, 2.0, rounds=1)[0])
        if sf.early_bird(masks, threshold=0.05):
            break
    assert 5 < len(masks) < 40
    late = [sf.mask_distance(masks[-1], mask) for mask in masks[-5:-1]]
    assert max(late) <= 0.05 < sf.mask_distance(masks[-1], masks[0])
    assert np.all(np.diff(late) <= 0)  # the nearer in time, the more alike


ONE = made("10")[0]
BAD_CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    "threshold": (lambda: sf.early_bird([], threshold=1.5), ValueError, "threshold=1.5"),
    "window": (lambda: sf.early_bird([], window=1), ValueError, "window must be >= 2"),
    "masks": (lambda: sf.early_bird(ONE, window=2), TypeError, "masks must be a sequence"),
    "shapes": (lambda: sf.mask_distance(*made("10", "101")), ValueError, "'kernel' has shape"),
    "leaves": (lambda: sf.mask_distance(ONE, [jnp.array([True])]), ValueError, "the structure of"),
    "integers": (
        lambda: sf.mask_distance(ONE, {**ONE, "kernel": jnp.array([[1, 0]])}),
        TypeError,
        "must be boolean",
    ),
    "scalars": (lambda: sf.mask_distance([True], [True]), ValueError, "nothing is prunable"),
    "traced": (lambda: jax.jit(sf.mask_distance)(ONE, ONE), TypeError, "is traced"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls(name: str) -> None:
    call, error, words = BAD_CALLS[name]
    with pytest.raises(error, match=words):
        call()
