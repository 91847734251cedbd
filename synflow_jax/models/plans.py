"""The layouts of the zoo's networks by name, and how each family initializes its layers."""

from functools import partial

from synflow_jax.models.layers import (
    KAIMING_FAN_IN,
    KAIMING_FAN_OUT,
    SMALL_NORMAL,
    UNIFORM_FAN_IN,
)
from synflow_jax.models.mixer import MixerPlan
from synflow_jax.models.resnet import ResNetPlan
from synflow_jax.models.vgg import VGGPlan
from synflow_jax.models.vit import ViTPlan

VGG_WIDTHS = (64, 128, 256, 512, 512)
VGG_DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
CIFAR_RESNET_WIDTHS = (16, 32, 64)
RESNET_WIDTHS = (64, 128, 256, 512)
RESNET_DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}

default_plan = partial(
    VGGPlan,
    pools=0,
    batch_norm=False,
    mean_size=None,
    dropout=0.0,
    conv_init=UNIFORM_FAN_IN,
    dense_init=UNIFORM_FAN_IN,
)
lottery_vgg = partial(
    VGGPlan,
    pools=4,
    mean_size=1,
    hidden=(),
    dropout=0.0,
    conv_init=KAIMING_FAN_IN,
    dense_init=KAIMING_FAN_IN,
)
large_vgg = partial(
    VGGPlan,
    pools=5,
    dropout=0.5,
    conv_init=KAIMING_FAN_OUT,
    dense_init=SMALL_NORMAL,
)
tinyimagenet_vgg = partial(large_vgg, mean_size=None, hidden=(1024, 1024))
imagenet_vgg = partial(large_vgg, mean_size=7, hidden=(4096, 4096))


def vggs(family: str, plan: partial[VGGPlan], depths: tuple[int, ...]) -> dict[str, VGGPlan]:
    """VGGs with and without BatchNorm."""
    stages = {
        depth: tuple((w,) * n for w, n in zip(VGG_WIDTHS, VGG_DEPTHS[depth], strict=True))
        for depth in depths
    }
    return {
        f"{family}/vgg{depth}{suffix}": plan(stages=stages[depth], batch_norm=bool(suffix))
        for depth in depths
        for suffix in ("", "-bn")
    }


def cifar_resnet(depth: int, *, widen: int = 1) -> ResNetPlan:
    """The ResNet for CIFAR of ``depth`` = 6n + 2 layers (He et al. 2016, section 4.2)."""
    widths = tuple(widen * width for width in CIFAR_RESNET_WIDTHS)
    return ResNetPlan(
        widths=widths,
        depths=((depth - 2) // 6,) * 3,
        inner_widths=widths,
        bottleneck=False,
        stem_width=widths[0],
        large_stem=False,
        conv_init=KAIMING_FAN_IN,
        dense_init=KAIMING_FAN_IN,
    )


def resnet(depth: int, *, widen: int = 1, large_stem: bool) -> ResNetPlan:
    """The ResNet for ImageNet; from 50 layers on with bottlenecks, of which only these widen."""
    widened, bottleneck = tuple(widen * width for width in RESNET_WIDTHS), depth >= 50
    return ResNetPlan(
        widths=tuple(4 * width for width in RESNET_WIDTHS) if bottleneck else widened,
        depths=RESNET_DEPTHS[depth],
        inner_widths=widened,
        bottleneck=bottleneck,
        stem_width=RESNET_WIDTHS[0] if bottleneck else widened[0],
        large_stem=large_stem,
        conv_init=KAIMING_FAN_OUT,
        dense_init=UNIFORM_FAN_IN,
    )


tinyimagenet_resnet = partial(resnet, large_stem=False)
imagenet_resnet = partial(resnet, large_stem=True)

Plan = VGGPlan | ResNetPlan | ViTPlan | MixerPlan

PLANS: dict[str, Plan] = {
    "default/fc": default_plan(stages=(), hidden=(100,) * 5),
    "default/conv": default_plan(stages=((32, 32),), hidden=()),
    **vggs("lottery", lottery_vgg, (11, 13, 16, 19)),
    **{f"lottery/resnet{n}": cifar_resnet(n) for n in (20, 32, 44, 56, 110, 1202)},
    **{f"lottery/wide-resnet{n}": cifar_resnet(n, widen=2) for n in (20, 32, 44, 56, 110)},
    **vggs("tinyimagenet", tinyimagenet_vgg, (11, 13, 16, 19)),
    **{f"tinyimagenet/resnet{n}": tinyimagenet_resnet(n) for n in (18, 34, 50, 101, 152)},
    **{f"tinyimagenet/wide-resnet{n}": tinyimagenet_resnet(n, widen=2) for n in (18, 34, 50)},
    **vggs("imagenet", imagenet_vgg, (11, 16, 19)),
    **{f"imagenet/resnet{n}": imagenet_resnet(n) for n in (18, 34, 50, 101, 152)},
    **{f"imagenet/wide-resnet{n}": imagenet_resnet(n, widen=2) for n in (50, 101)},
    "vit/tiny-16": ViTPlan(patch=16, width=192, layers=12, heads=3, hidden=768),
    "vit/s-16": ViTPlan(patch=16, width=384, layers=12, heads=6, hidden=1536),
    "vit/b-16": ViTPlan(patch=16, width=768, layers=12, heads=12, hidden=3072),
    "mixer/s-16": MixerPlan(patch=16, width=512, layers=8, token_hidden=256, channel_hidden=2048),
    "mixer/b-16": MixerPlan(patch=16, width=768, layers=12, token_hidden=384, channel_hidden=3072),
}
"""Every network of the zoo."""
