"""A network of the zoo by its name."""

import operator
from difflib import get_close_matches
from typing import Any

from flax import nnx

from synflow_jax.checks import check_bool, check_callable, check_instance, check_rounds, shown
from synflow_jax.models.cells import parse_cell
from synflow_jax.models.filling import drawn_later, fill
from synflow_jax.models.layers import Activation
from synflow_jax.models.mixer import Mixer, MixerPlan
from synflow_jax.models.nasbench201 import NASBench201
from synflow_jax.models.plans import PLANS, Plan
from synflow_jax.models.resnet import ResNet, ResNetPlan
from synflow_jax.models.vgg import VGG, VGGPlan
from synflow_jax.models.vit import ViT, ViTPlan

CELLS = "nasbench201/"
"""Before the string of a cell."""


def names() -> tuple[str, ...]:
    """The names of the networks that `create` makes.

    Returns:
        All of them, each a family and a network, such as ``"lottery/vgg16-bn"``.

    >>> from synflow_jax.models import names
    >>> [name for name in names() if name.startswith("default/")]
    ['default/fc', 'default/conv']
    """
    return tuple(PLANS)


def create(
    name: str,
    *,
    num_classes: int,
    input_shape: tuple[int, int, int],
    rngs: nnx.Rngs,
    activation: Activation | None = None,
    dense_classifier: bool = False,
) -> VGG | ResNet | ViT | Mixer | NASBench201:
    """A network of Tanaka et al. 2020, arXiv:2006.05467, or of later, untrained, in training mode.

    It maps images ``(N, height, width, channels)`` to logits ``(N, num_classes)``; parameters are
    float32 and kernels HWIO. BatchNorm starts at scale 1 and bias 0, other layers by family:

    - ``default``: a network of dense layers, 5 hidden ones of 100, and one of 2 convolutions.
      Kernels and biases are uniform within +-1 / sqrt(fan_in).
    - ``lottery``: VGG and ResNet for CIFAR. Kernels are Kaiming normal with fan-in, biases 0.
    - ``tinyimagenet``: VGG with hidden layers of 1024, ResNet beginning with a 3x3 convolution.
    - ``imagenet``: VGG and ResNet as torchvision lays them out.
    - ``vit``: vision transformers of 12 blocks on patches of 16x16 (Dosovitskiy et al. 2021,
      arXiv:2010.11929), initialized as by Touvron et al. 2021, arXiv:2012.12877: kernels, positions
      and the class's token are normal with standard deviation 0.02, biases 0.
    - ``mixer``: MLP-Mixers on patches of 16x16 (Tolstikhin et al. 2021, arXiv:2105.01601); kernels
      are normal with variance 1 / fan_in, biases 0. `synflow` takes both ``through="attention"``.
    - ``nasbench201``: Dong & Yang 2020, arXiv:2001.00326, a network by its cell's string:
      ``"nasbench201/|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"``.
      Convolutions are Kaiming normal with fan-in, the dense layer as in ``default``.

    In ``tinyimagenet`` and ``imagenet`` convolutions are Kaiming normal with fan-out, their biases
    0; dense layers of VGG are normal with standard deviation 0.01, their biases 0; those of ResNet
    are uniform within +-1 / sqrt(fan_in), biases too.

    ``-bn`` has BatchNorm after every convolution. ``wide-`` doubles all widths, that of the first
    convolution too; with bottlenecks only the widths within them (Zagoruyko & Komodakis 2016,
    arXiv:1605.07146). The authors' ``tinyimagenet`` wide ResNet-18 and -34 ignored the width. These
    are twice as wide: 44,838,272 and 85,241,216 prunable weights (theirs 11,261,632 and
    21,362,368), and 44,857,672 and 85,275,464 parameters, for 200 classes.

    Args:
        name: one of `names()`, such as ``"lottery/vgg16-bn"``, or ``nasbench201/`` and a cell.
        num_classes: how many logits.
        input_shape: height, width and channels of an image.
        rngs: where the random numbers come from, such as ``nnx.Rngs(0)``.
        activation: follows every layer but the last, in ``vit`` and ``mixer`` the inner dense
            layers; by default ``jax.nn.relu``, there ``jax.nn.gelu``.
        dense_classifier: leave the last layer unpruned. Its kernel is then held flat: what has one
            dimension isn't prunable by `synflow_jax.is_kernel`. Nothing else changes; the same
            ``rngs`` give the same network.

    Returns:
        A Flax NNX module; `synflow_jax.from_nnx` makes ``apply_fn`` and ``params`` of it.

    Raises:
        ValueError: the name is unknown or no cell, a size isn't positive, the images are too small
            for the pools, or patches don't cover them.
        TypeError: an argument is of another kind.

    >>> import jax
    >>> from flax import nnx
    >>> from synflow_jax.models import create
    >>> model = create("default/fc", num_classes=10, input_shape=(8, 8, 1), rngs=nnx.Rngs(0))
    >>> model(jax.numpy.ones((2, 8, 8, 1))).shape
    (2, 10)
    """
    check_instance("name", name, str, "one of sf.models.names()")
    check_instance("rngs", rngs, nnx.Rngs, "nnx.Rngs(0)")
    if activation is not None:
        check_callable("activation", activation, "x", "a function such as jax.nn.relu")
    check_bool("dense_classifier", dense_classifier)
    cell = name.removeprefix(CELLS)
    if name not in PLANS and cell == name:
        near = get_close_matches(name, PLANS) or names()
        raise ValueError(f"no model is called '{name}'; there are {', '.join(near)}")
    num_classes = check_rounds(num_classes, "num_classes")
    input_shape = _check_shape(input_shape)
    options = {"dense_classifier": dense_classifier, "rngs": rngs}
    if activation is not None:
        options["activation"] = activation
    if cell != name:
        return NASBench201(
            [[each] for each in parse_cell(cell)], input_shape, num_classes, **options
        )
    model = _network(drawn_later(PLANS[name]), input_shape, num_classes, **options)
    fill(model)
    return model


def _network(plan: Plan, *args: Any, **options: Any) -> VGG | ResNet | ViT | Mixer:
    match plan:
        case VGGPlan():
            return VGG(plan, *args, **options)
        case ResNetPlan():
            return ResNet(plan, *args, **options)
        case ViTPlan():
            return ViT(plan, *args, **options)
        case MixerPlan():
            return Mixer(plan, *args, **options)


def _check_shape(shape: Any) -> tuple[int, int, int]:
    try:
        height, width, channels = map(operator.index, shape)
        if min(height, width, channels) >= 1:
            return height, width, channels
        found = (height, width, channels)
    except TypeError:
        raise TypeError(
            "input_shape must be three whole numbers (height, width, channels), "
            f"got input_shape={shown(shape)}; pass a tuple such as (32, 32, 3)"
        ) from None
    except ValueError:
        found = shape
    raise ValueError(
        f"input_shape must be (height, width, channels), each at least 1, got input_shape={found}"
    )
