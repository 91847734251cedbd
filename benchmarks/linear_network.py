"""What carrying a scale costs: SynFlow's scores against plain float32 differentiation.

Prints, for each network, compile time and run time of both and the ratios, both sides in turn.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import synflow_jax as sf

NETWORKS = {"lottery/vgg16-bn": 100, "lottery/resnet110": 10}


def plain(apply_fn: Callable[[Any, Any], jax.Array], inputs: jax.Array) -> Callable[[Any], Any]:
    """The same scores without a scale, which overflow in deep networks."""

    def scores(params: Any) -> Any:
        magnitudes = jax.tree.map(jnp.abs, params)
        gradient = jax.grad(lambda params: jnp.sum(apply_fn(params, inputs)))(magnitudes)
        return jax.tree.map(jnp.multiply, magnitudes, gradient)

    return scores


def seconds(fn: Callable[[], Any]) -> float:
    """How long a call takes until its results are there."""
    start = time.perf_counter()
    jax.block_until_ready(fn())
    return time.perf_counter() - start


def compare(name: str, classes: int, runs: int) -> str:
    """One line of the table."""
    shape = (32, 32, 3)
    model = sf.models.create(name, num_classes=classes, input_shape=shape, rngs=nnx.Rngs(0))
    apply_fn, params = sf.from_nnx(model)
    inputs = jnp.ones((1, *shape))
    mask = jax.tree.map(lambda _: jnp.array(True), params)
    score_fn = sf.synflow(apply_fn, inputs)
    sides = (lambda p: score_fn(p, mask, None, None)), plain(apply_fn, inputs)
    compiled, compiling = [], []
    for side in sides:
        start = time.perf_counter()
        compiled.append(jax.jit(side).lower(params).compile())
        compiling.append(time.perf_counter() - start)
    for each in compiled:
        seconds(lambda each=each: each(params))
    pairs = [[seconds(lambda each=each: each(params)) for each in compiled] for _ in range(runs)]
    scaled_time, plain_time = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    return (
        f"{name:<18} {compiling[0]:7.1f} {compiling[1]:7.1f} {compiling[0] / compiling[1]:6.2f}"
        f" {1e3 * scaled_time:9.1f} {1e3 * plain_time:9.1f}"
        f" {statistics.median(ratios):6.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})"
    )


def main(args: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="timed runs of each side")
    runs = parser.parse_args(args).runs
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, medians of {runs} runs")
    print("network            compile   plain  ratio    run ms     plain  ratio (range)")
    for name, classes in NETWORKS.items():
        print(compare(name, classes, runs), flush=True)


if __name__ == "__main__":
    main()
