"""The sizes that Flax NNX's layers hold in attributes, after their arrays have become smaller."""

from collections.abc import Callable
from typing import Any

from synflow_jax.compaction.whole import Left


def set_sizes(model: Any, lefts: dict[tuple[Any, ...], Left]) -> None:
    """Sets the attributes of all layers from their arrays.

    Args:
        model: the small model.
        lefts: what is left of each kernel's axes, by the layer's path.
    """
    from flax import nnx

    sizes: dict[type, Callable[[Any, Left | None], dict[str, Any]]] = {
        nnx.Linear: _linear,
        nnx.LinearGeneral: _linear_general,
        nnx.Einsum: _einsum,
        nnx.Conv: _conv,
        nnx.ConvTranspose: _conv,
        nnx.BatchNorm: _norm,
        nnx.LayerNorm: _norm,
        nnx.RMSNorm: _norm,
        nnx.GroupNorm: _group_norm,
        nnx.Embed: _embed,
        nnx.MultiHeadAttention: _attention,
    }
    for path, module in nnx.iter_modules(model):
        for kind, function in sizes.items():
            if isinstance(module, kind):
                for name, value in function(module, lefts.get(tuple(path))).items():
                    setattr(module, name, value)


def whole_axes(model: Any, paths: list[tuple[Any, ...]]) -> list[tuple[int, int]]:
    """Axes that stay whole since the layer's code needs their size, and the variables they are of.

    Attention checks that values have as many dimensions a head as queries.
    """
    from flax import nnx

    found = []
    for path, module in nnx.iter_modules(model):
        if isinstance(module, nnx.MultiHeadAttention):
            values = [(*path, "value", name) for name in ("kernel", "bias")]
            found += [(paths.index(value), -1) for value in values if value in paths]
    return found


def _linear(layer: Any, left: Left | None) -> dict[str, Any]:
    del left
    before, after = layer.kernel.shape
    return {"in_features": before, "out_features": after}


def _linear_general(layer: Any, left: Left | None) -> dict[str, Any]:
    del left
    shape = layer.kernel.shape
    outs = len(layer.out_features)
    ins = len(layer.in_features)
    return {"in_features": shape[-outs - ins : -outs], "out_features": shape[-outs:]}


def _einsum(layer: Any, left: Left | None) -> dict[str, Any]:
    del left
    shapes = {"kernel_shape": layer.kernel.shape}
    return shapes if layer.bias is None else {**shapes, "bias_shape": layer.bias.shape}


def _conv(layer: Any, left: Left | None) -> dict[str, Any]:
    shape = layer.kernel.shape
    sizes = {"kernel_shape": shape, "in_features": shape[-2], "out_features": shape[-1]}
    groups = getattr(layer, "feature_group_count", 1)
    if groups == 1 or left is None:
        return sizes
    groups = int(left[-1].reshape(groups, -1).any(1).sum())
    return {**sizes, "in_features": shape[-2] * groups, "feature_group_count": groups}


def _norm(layer: Any, left: Left | None) -> dict[str, Any]:
    del left
    arrays = [getattr(layer, name, None) for name in ("scale", "bias", "mean")]
    shapes = [array.shape for array in arrays if array is not None]
    return {"num_features": shapes[0][-1]} if shapes else {}


def _group_norm(layer: Any, left: Left | None) -> dict[str, Any]:
    features = _norm(layer, left)
    return {"num_groups": features["num_features"] // layer.group_size} if features else {}


def _embed(layer: Any, left: Left | None) -> dict[str, Any]:
    del left
    rows, columns = layer.embedding.shape
    return {"num_embeddings": rows, "features": columns}


def _attention(layer: Any, left: Left | None) -> dict[str, Any]:
    del left
    (*_, inputs), (heads, size) = layer.query.kernel.shape[:-2], layer.query.kernel.shape[-2:]
    return {
        "num_heads": heads,
        "num_kv_heads": layer.key.kernel.shape[-2],
        "head_dim": size,
        "qkv_features": heads * size,
        "in_features": inputs,
        "in_kv_features": layer.key.kernel.shape[-3],
        "out_features": layer.out.kernel.shape[-1],
    }
