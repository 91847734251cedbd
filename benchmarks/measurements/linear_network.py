"""What carrying a scale costs: SynFlow's scores against plain float32 differentiation."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import synflow_jax as sf
from benchmarks.harness.figures import figures, ratio
from benchmarks.harness.table import Row
from benchmarks.harness.timing import alternate, timed
from benchmarks.networks.zoo import Made, Network, make


def against_plain(case: str, runs: int, *, network: Network) -> list[Row]:
    """Milliseconds for the scores of both, seconds to compile them, and one over the other."""
    made = make(network)
    compiled = {
        name: timed(partial(_compiled, scores, made.params))
        for name, scores in {"with a scale": scaled(made), "plain": plain(made)}.items()
    }
    sides = {name: lambda call=call: call(made.params) for name, (call, _) in compiled.items()}
    running = alternate(sides, runs, title=f"{case}, {network.name}")
    compiling = {name: [seconds] for name, (_, seconds) in compiled.items()}
    what, over = f"SynFlow's scores with a scale, {network.name}", "over plain"
    ratios = [{over: ratio(t["with a scale"], t["plain"])} for t in (running, compiling)]
    return [
        Row(case, what, figures(running, "ms", factor=1e3) | ratios[0], over),
        Row(case, f"{what}, compiling", figures(compiling, "s") | ratios[1], over),
    ]


def scaled(made: Made) -> Callable[[Any], Any]:
    """The library's."""
    score_fn = sf.synflow(made.apply_fn, made.inputs)
    mask = jax.tree.map(lambda _: jnp.array(True), made.params)
    return lambda params: score_fn(params, mask, None, None)


def plain(made: Made) -> Callable[[Any], Any]:
    """The same without a scale, which overflow in deep networks."""

    def scores(params: Any) -> Any:
        magnitudes = jax.tree.map(jnp.abs, params)
        gradient = jax.grad(lambda params: jnp.sum(made.apply_fn(params, made.inputs)))(magnitudes)
        return jax.tree.map(jnp.multiply, magnitudes, gradient)

    return scores


def _compiled(scores: Callable[[Any], Any], params: Any) -> Callable[[Any], Any]:
    return jax.jit(scores).lower(params).compile()
