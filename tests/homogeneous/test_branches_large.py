"""SynFlow through attention, normalization and gates of networks at their published sizes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from large_networks import NETWORKS

import synflow_jax as sf

pytestmark = [pytest.mark.usefixtures("others_promote"), pytest.mark.unoptimized]

ZOO = {
    "vit/tiny-16": 5_717_416,
    "vit/s-16": 22_050_664,
    "vit/b-16": 86_567_656,
    "mixer/s-16": 18_528_264,
    "mixer/b-16": 59_880_472,
}


@pytest.mark.parametrize("name", ZOO)
def test_sizes_are_those_published(name: str) -> None:
    shape = (224, 224, 3)
    model = nnx.eval_shape(
        lambda: sf.models.create(name, num_classes=1000, input_shape=shape, rngs=nnx.Rngs(0))
    )
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert sum(math.prod(leaf.shape) for leaf in leaves) == ZOO[name]


def test_zoo_of_patches() -> None:
    with pytest.raises(ValueError, match="patches of 16x16 must cover the image"):
        sf.models.create("vit/tiny-16", num_classes=10, input_shape=(32, 40, 3), rngs=nnx.Rngs(0))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_of_large_networks(name: str) -> None:
    network = NETWORKS[name]()
    size = sum(leaf.size for leaf in network.params.values())
    assert network.size is None or size == network.size
    params = dict(network.params)
    score_fn = jax.jit(sf.synflow(network.apply_fn, network.inputs, through="attention"))
    scores = score_fn(params, dict.fromkeys(params, jnp.array(True)), None, None)
    assert all(bool(jnp.isfinite(own).all()) and float(own.min()) >= 0 for own in scores.values())
    for group in network.equal:
        sums = [np.sum(np.asarray(scores[name], np.float64)) for name in group]
        np.testing.assert_allclose(sums, sums[0], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit/tiny-16", "vit/s-16", "vit/b-16", "mixer/s-16"])
def test_scores_of_the_zoo(name: str) -> None:
    shape = (224, 224, 3)
    model = sf.models.create(name, num_classes=1000, input_shape=shape, rngs=nnx.Rngs(0))
    apply_fn, params = sf.from_nnx(model)
    score_fn = jax.jit(sf.synflow(apply_fn, jnp.ones((1, *shape)), through="attention"))
    scores = score_fn(params, jax.tree.map(lambda _: jnp.array(True), params), None, None)
    parts: dict[tuple[str, ...], list[float]] = {}
    for path, leaf in jax.tree.leaves_with_path(scores):
        name, *others = [part.strip("[']") for part in jax.tree_util.keystr(path).split("][")]
        if name == "blocks" and others[-1].startswith("kernel"):
            parts.setdefault(tuple(others[:2]), []).append(np.sum(np.asarray(leaf, np.float64)))
    assert len(parts) >= 16
    for sums in parts.values():
        assert len(sums) in (2, 4)
        np.testing.assert_allclose(sums, sums[0], rtol=1e-3)
