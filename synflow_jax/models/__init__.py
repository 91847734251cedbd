"""The networks of the SynFlow paper and later ones in Flax NNX. Needs the extra ``models``."""

from synflow_jax.models.create import create as create
from synflow_jax.models.create import names as names
from synflow_jax.models.load_torch import load_torch as load_torch
from synflow_jax.models.mixer import Mixer as Mixer
from synflow_jax.models.mixer import MixerPlan as MixerPlan
from synflow_jax.models.vit import ViT as ViT
from synflow_jax.models.vit import ViTPlan as ViTPlan
