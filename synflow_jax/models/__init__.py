"""Networks of the SynFlow paper and of NAS-Bench-201 in Flax NNX. Needs the extra ``models``."""

from synflow_jax.models.cells import cell_choices as cell_choices
from synflow_jax.models.cells import cell_string as cell_string
from synflow_jax.models.cells import parse_cell as parse_cell
from synflow_jax.models.create import create as create
from synflow_jax.models.create import names as names
from synflow_jax.models.load_torch import load_torch as load_torch
from synflow_jax.models.mixer import Mixer as Mixer
from synflow_jax.models.mixer import MixerPlan as MixerPlan
from synflow_jax.models.super_network import SuperNetwork as SuperNetwork
from synflow_jax.models.super_network import cell_multiplications as cell_multiplications
from synflow_jax.models.super_network import cell_sizes as cell_sizes
from synflow_jax.models.super_network import nasbench201 as nasbench201
from synflow_jax.models.vit import ViT as ViT
from synflow_jax.models.vit import ViTPlan as ViTPlan
