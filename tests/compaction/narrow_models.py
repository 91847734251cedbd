"""The zoo's networks with few channels, in float64."""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import synflow_jax as sf
from synflow_jax.models.plans import PLANS
from synflow_jax.models.resnet import ResNet
from synflow_jax.models.vgg import VGG, VGGPlan


class Model(NamedTuple):
    """A model as functions of all its numbers, ``{"params": ..., "statistics": ...}``.

    Attributes:
        variables: those numbers.
        inference: ``inference(variables, x) -> logits``.
        training: ``training(variables, x) -> (logits, statistics)``; without dropout.
        inputs: images.
    """

    variables: Any
    inference: Any
    training: Any
    inputs: jax.Array


def narrow_plan(name: str, by: int, depths: tuple[int, ...] | None = None) -> Any:
    """With widths divided by a number; a ResNet's stages may have other depths."""
    plan = PLANS[name]
    if isinstance(plan, VGGPlan):
        stages = tuple(tuple(width // by for width in stage) for stage in plan.stages)
        return replace(plan, stages=stages, hidden=tuple(width // by for width in plan.hidden))
    return replace(
        plan,
        depths=depths or plan.depths,
        widths=tuple(width // by for width in plan.widths),
        inner_widths=tuple(width // by for width in plan.inner_widths),
        stem_width=plan.stem_width // by,
    )


def narrow(plan: Any, size: int, batch: int = 4, classes: int = 3) -> Model:
    network = VGG if isinstance(plan, VGGPlan) else ResNet

    def make() -> Any:
        options: Any = {"activation": jax.nn.relu, "dense_classifier": False}
        return network(plan, (size, size, 2), classes, rngs=nnx.Rngs(0), **options)

    # Filled by NumPy, since drawing each leaf's numbers compiles something.
    graph, params, statistics, others = nnx.split(
        nnx.eval_shape(make), nnx.Param, nnx.BatchStat, ...
    )
    others = jax.tree.map(lambda leaf: _zeros(leaf), others)
    rng = np.random.default_rng(0)
    variables = jax.tree.map_with_path(
        lambda path, leaf: _start(rng, jax.tree_util.keystr(path), leaf.shape),
        {"params": params, "statistics": statistics},
    )

    def merged(variables: Any, **options: bool) -> Any:
        own = variables["params"], variables["statistics"]
        whole = nnx.merge(graph, *own, others, copy=True)
        return nnx.view(whole, raise_if_not_found=False, **options)

    def inference(variables: Any, x: Any) -> Any:
        return merged(variables, deterministic=True, use_running_average=True)(x)

    def training(variables: Any, x: Any) -> Any:
        whole = merged(variables, deterministic=True, use_running_average=False)
        return whole(x), nnx.state(whole, nnx.BatchStat)

    shape = (batch, size, size, 2)
    return Model(variables, inference, training, jax.random.normal(jax.random.key(1), shape))


def _zeros(leaf: Any) -> jax.Array:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key(0)
    return jnp.zeros(leaf.shape, leaf.dtype)


def _start(rng: np.random.Generator, path: str, shape: tuple[int, ...]) -> jax.Array:
    if "kernel" in path:
        return jax.device_put(rng.normal(size=shape) * (2 / math.prod(shape[:-1])) ** 0.5)
    return jnp.ones(shape) if "scale" in path or "var" in path else jnp.zeros(shape)


def score_fn(model: Model, method: str) -> Any:
    """Of the params; call it once for several compressions, so that it compiles once."""

    def apply_fn(params: Any, x: Any) -> Any:
        return model.inference({**model.variables, "params": params}, x)

    match method:
        case "synflow":
            return sf.synflow(apply_fn, jnp.ones((1, *model.inputs.shape[1:])))
        case "snip":
            return sf.snip(sf.cross_entropy(apply_fn))
        case _:
            return sf.random()


def pruned(model: Model, scores: Any, compression: float, rounds: int = 1) -> Any:
    """A mask for all variables; statistics aren't pruned."""
    batch = model.inputs, jnp.arange(len(model.inputs)) % 3
    mask, _ = sf.prune(
        scores,
        model.variables["params"],
        compression,
        rounds=rounds,
        batch=batch,
        key=jax.random.key(0),
    )
    fixed = jax.tree.map(lambda _: jnp.asarray(True), model.variables["statistics"])
    return {"params": mask, "statistics": fixed}
