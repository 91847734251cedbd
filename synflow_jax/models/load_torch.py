"""Read a torchvision ``state_dict`` into a network of the zoo."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

from synflow_jax.models.layers import UnprunedLinear
from synflow_jax.models.resnet import ResNet
from synflow_jax.models.vgg import VGG

Layer = nnx.Conv | nnx.BatchNorm | nnx.Linear | UnprunedLinear


class Entry(NamedTuple):
    """Where one array of a ``state_dict`` goes.

    Attributes:
        variable: the model's variable that takes it.
        shape: the array's shape in PyTorch's layout.
        convert: a function of a NumPy array from PyTorch's to the variable's layout.
    """

    variable: nnx.Variable
    shape: tuple[int, ...]
    convert: Callable[[np.ndarray], np.ndarray]


def load_torch(model: VGG | ResNet, path: str | os.PathLike[str]) -> None:
    """Sets the model's parameters and running statistics to those of a torchvision checkpoint.

    Names are torchvision's (``features.0.weight``, ``layer1.0.conv1.weight``, ``fc.bias``).
    Convolutions OIHW become HWIO, matrices (out, in) become (in, out), and the matrix that reads a
    flattened feature map is reordered from CHW to HWC. ``num_batches_tracked`` is ignored. The
    model itself is changed and keeps its dtypes; if anything doesn't fit, nothing is changed.

    Args:
        model: from `create`, usually of the ``imagenet`` family.
        path: a ``.safetensors`` or ``.npz`` file of the ``state_dict``'s arrays. In PyTorch,
            ``safetensors.torch.save_file(network.state_dict(), path)`` writes one.

    Raises:
        ValueError: it's another kind of file, or arrays are missing, not known to the model, or of
            a wrong shape; all are named.
        TypeError: ``model`` isn't a network of the zoo.
        FileNotFoundError: there is no such file.
        ImportError: it's a ``.safetensors`` file and the package safetensors isn't installed.

    >>> import tempfile
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from flax import nnx
    >>> from synflow_jax.models import create, load_torch
    >>> model = create("default/conv", num_classes=2, input_shape=(1, 1, 3), rngs=nnx.Rngs(0))
    >>> convs = {"features.0": (32, 3, 3, 3), "features.2": (32, 32, 3, 3)}
    >>> shapes = {**convs, "classifier.0": (2, 32)}
    >>> state_dict = {f"{name}.weight": np.ones(shape) for name, shape in shapes.items()}
    >>> state_dict |= {f"{name}.bias": np.zeros(shape[0]) for name, shape in shapes.items()}
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     np.savez(file.name, **state_dict)
    ...     load_torch(model, file.name)
    >>> model(jnp.ones((1, 1, 1, 3)))  # 3 * 32 * 32
    Array([[3072., 3072.]], dtype=float32)
    """
    if not isinstance(model, VGG | ResNet):
        raise TypeError(f"load_torch takes a model of the zoo, got {type(model).__name__}")
    arrays = read_arrays(Path(path))
    entries = dict(torch_entries(model))
    check_arrays(arrays, entries)
    for name, (variable, _, convert) in entries.items():
        variable[...] = jnp.asarray(convert(arrays[name]), variable.dtype)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, without those that only count batches."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        arrays = load_file(path)
    else:
        raise ValueError(f"path must end in .safetensors or .npz, got '{path.name}'")
    return {k: v for k, v in arrays.items() if not k.endswith(".num_batches_tracked")}


def check_arrays(arrays: Mapping[str, np.ndarray], entries: Mapping[str, Entry]) -> None:
    """The file holds what the model needs, no more, in the right shapes."""
    problems = [f"'{name}' is missing" for name in entries if name not in arrays]
    problems += [f"'{name}' isn't known to the model" for name in arrays if name not in entries]
    problems += [
        f"'{name}' has shape {arrays[name].shape}, the model needs {entry.shape}"
        for name, entry in entries.items()
        if name in arrays and arrays[name].shape != entry.shape
    ]
    if problems:
        raise ValueError(f"the checkpoint doesn't fit the model: {'; '.join(problems)}")


def torch_entries(model: VGG | ResNet) -> Iterator[tuple[str, Entry]]:
    """Every array that the model reads, under torchvision's name."""
    named = vgg_layers(model) if isinstance(model, VGG) else resnet_layers(model)
    reads = model.feature_map if isinstance(model, VGG) else None
    for prefix, layer in named:
        if isinstance(layer, nnx.BatchNorm):
            entries = norm_entries(layer)
        elif isinstance(layer, nnx.Conv):
            entries = conv_entries(layer)
        else:
            entries, reads = dense_entries(layer, reads), None
        for name, entry in entries.items():
            yield f"{prefix}.{name}", entry


def vgg_layers(model: VGG) -> Iterator[tuple[str, Layer]]:
    """The layers under torchvision's names, which count activations, pools and dropout too."""
    position = 0
    for index, conv in enumerate(model.convs):
        yield f"features.{position}", conv
        if model.norms:
            position += 1
            yield f"features.{position}", model.norms[index]
        position += 3 if index + 1 in model.pool_after else 2
    for index, dense in enumerate([*model.dense, model.output]):
        yield f"classifier.{3 * index}", dense


def resnet_layers(model: ResNet) -> Iterator[tuple[str, Layer]]:
    """The layers under torchvision's names, in which a stage is a layer."""
    yield from (("conv1", model.conv), ("bn1", model.norm))
    numbers = ((s, b) for s, depth in enumerate(model.depths, start=1) for b in range(depth))
    for (stage, index), block in zip(numbers, model.blocks, strict=True):
        layers = {
            "conv1": block.conv1,
            "bn1": block.norm1,
            "conv2": block.conv2,
            "bn2": block.norm2,
            "conv3": block.conv3,
            "bn3": block.norm3,
            "downsample.0": block.shortcut,
            "downsample.1": block.shortcut_norm,
        }
        for name, layer in layers.items():
            if layer is not None:
                yield f"layer{stage}.{index}.{name}", layer
    yield "fc", model.output


def norm_entries(layer: nnx.BatchNorm) -> dict[str, Entry]:
    """Scale, bias and running statistics."""
    variables = {
        "weight": layer.scale,
        "bias": layer.bias,
        "running_mean": layer.mean,
        "running_var": layer.var,
    }
    return {name: as_it_is(variable) for name, variable in variables.items()}


def conv_entries(layer: nnx.Conv) -> dict[str, Entry]:
    """A kernel, OIHW in PyTorch, and a bias if there is one."""
    height, width, before, after = layer.kernel.shape
    shape = (after, before, height, width)
    kernel = Entry(layer.kernel, shape, lambda array: array.transpose(2, 3, 1, 0))
    return {"weight": kernel, **bias_entries(layer.bias)}


def dense_entries(
    layer: nnx.Linear | UnprunedLinear, reads: tuple[int, int, int] | None
) -> dict[str, Entry]:
    """A matrix, (out, in) in PyTorch, and a bias.

    Args:
        layer: the dense layer.
        reads: height, width and channels of the feature map that it reads; None if it reads a
            vector.
    """
    before, after = layer.in_features, layer.out_features
    height, width, channels = reads or (1, 1, before)

    def convert(array: np.ndarray) -> np.ndarray:
        by_position = array.reshape(after, channels, height, width).transpose(2, 3, 1, 0)
        return by_position.reshape(layer.kernel.shape)

    kernel = Entry(layer.kernel, (after, before), convert)
    return {"weight": kernel, **bias_entries(layer.bias)}


def bias_entries(bias: nnx.Variable | None) -> dict[str, Entry]:
    """The bias, if the layer has one."""
    return {} if bias is None else {"bias": as_it_is(bias)}


def as_it_is(variable: nnx.Variable) -> Entry:
    """A vector, which has one layout only."""
    return Entry(variable, variable.shape, lambda array: array)
