"""Saliency scores: factories that each return a `ScoreFn`."""

from synflow_jax.scores.edge_popup import edge_popup as edge_popup
from synflow_jax.scores.fisher import fisher as fisher
from synflow_jax.scores.gem_miner import gem_miner as gem_miner
from synflow_jax.scores.grasp import grasp as grasp
from synflow_jax.scores.lamp import lamp as lamp
from synflow_jax.scores.magnitude import magnitude as magnitude
from synflow_jax.scores.ntk_sap import ntk_sap as ntk_sap
from synflow_jax.scores.path_exclusion import path_exclusion as path_exclusion
from synflow_jax.scores.prospr import prospr as prospr
from synflow_jax.scores.random import random as random
from synflow_jax.scores.saliency import saliency as saliency
from synflow_jax.scores.snip import snip as snip
from synflow_jax.scores.synflow import Flow as Flow
from synflow_jax.scores.synflow import flow as flow
from synflow_jax.scores.synflow import synflow as synflow
