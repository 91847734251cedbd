"""Measures of architectures against their definitions on a small space, and `rank` itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synflow_jax as sf

KEYS = jax.random.split(jax.random.key(0), 3)
PARAMS = {
    "first": jax.random.normal(KEYS[0], (6, 4)),
    "second": jax.random.normal(KEYS[1], (4, 4)),
    "last": jax.random.normal(KEYS[2], (4, 3)),
}
CHOICES = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
ONES = jnp.ones((1, 6))


def network(params, inputs, choice):
    """Between two layers a choice of the identity and a layer."""
    hidden = jax.nn.relu(inputs @ params["first"])
    middle = choice[0] * hidden + choice[1] * jax.nn.relu(hidden @ params["second"])
    return middle @ params["last"]


def log2_flow(params, inputs, choice):
    total = jnp.sum(network(jax.tree.map(jnp.abs, params), inputs, choice))
    return jnp.where(total > 0, jnp.log2(jnp.where(total > 0, total, 1)), -jnp.inf)


def scores_of(choice: np.ndarray) -> dict[str, jax.Array]:
    absolute = jax.tree.map(jnp.abs, PARAMS)
    return jax.grad(lambda p: jnp.sum(network(p, ONES, choice)))(absolute)


def test_flow_totals_and_log_synflow() -> None:
    totals = sf.rank(sf.flow_totals(log2_flow, ONES), PARAMS, CHOICES, chunk=2)
    logs = sf.rank(sf.log_synflow_total(log2_flow, ONES), PARAMS, CHOICES, chunk=2)
    for index, choice in enumerate(CHOICES):
        gradient = scores_of(choice)
        sums = [jnp.sum(jnp.abs(PARAMS[name]) * gradient[name]) for name in PARAMS]
        logarithms = [jnp.sum(jnp.abs(PARAMS[n]) * jnp.log1p(gradient[n])) for n in PARAMS]
        np.testing.assert_allclose(2.0 ** totals.log2_total[index], sum(sums), rtol=1e-5)
        np.testing.assert_allclose(logs[index], sum(logarithms), rtol=1e-5)
    assert np.isneginf(totals.log2_flow[3])
    np.testing.assert_allclose(totals.depth[[0, 1]], [2, 3], rtol=1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 9])
def test_scores_that_need_data(chunk: int) -> None:
    batch = jax.random.normal(jax.random.key(5), (8, 6)), jnp.arange(8) % 3
    measures = {
        "snip": sf.score_total(network, lambda apply_fn: sf.snip(sf.cross_entropy(apply_fn))),
        "norm": sf.gradient_norm(network, sf.cross_entropy),
    }
    found = {
        name: sf.rank(measure, PARAMS, CHOICES, batch=batch, chunk=chunk)
        for name, measure in measures.items()
    }
    for index, choice in enumerate(CHOICES):
        loss_fn = sf.cross_entropy(lambda p, x, c=choice: network(p, x, c))
        gradient = jax.grad(loss_fn)(PARAMS, batch)
        snip = sum(jnp.sum(jnp.abs(PARAMS[name] * gradient[name])) for name in PARAMS)
        norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in gradient.values()))
        np.testing.assert_allclose(found["snip"][index], snip, rtol=1e-5)
        np.testing.assert_allclose(found["norm"][index], norm, rtol=1e-5)


def test_naswot_is_the_log_determinant() -> None:
    inputs = jax.random.normal(jax.random.key(5), (3, 6))

    def patterns(params, x, choice):
        opened = (x @ params["first"] > 0).astype(jnp.float32)
        return choice[0] * (opened @ opened.T + (1 - opened) @ (1 - opened).T)

    value = sf.rank(sf.naswot(patterns), PARAMS, CHOICES[:1], batch=inputs)[0]
    opened = np.asarray(inputs @ PARAMS["first"]) > 0
    kernel = [[np.sum(a == b) for b in opened] for a in opened]
    np.testing.assert_allclose(value, np.linalg.slogdet(kernel)[1], rtol=1e-5)


def test_one_compilation_for_all_choices_params_and_data() -> None:
    traced = []

    def measure(params, choice, batch):
        traced.append(1)
        return jnp.sum(params * choice) + batch

    for scale in (1.0, 2.0):
        values = sf.rank(measure, scale * jnp.ones(2), CHOICES, batch=scale, chunk=2)
        np.testing.assert_allclose(values, scale * CHOICES.sum(1) + scale)
    assert len(traced) == 1


@pytest.mark.parametrize("choices", [np.ones((0, 2)), -CHOICES - 1, np.float32(1)])
def test_bad_choices_are_refused(choices: np.ndarray) -> None:
    with pytest.raises(ValueError, match="choices"):
        sf.rank(lambda params, choice, batch: choice, None, choices)
