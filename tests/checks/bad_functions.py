"""Bad calls of functions that take functions."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from bad_callers import LINEAR, PARAMS, Case, apply, prune, several, snip, tickets
from flax import nnx

import synflow_jax as sf
from synflow_jax.selection import top_k


@dataclass
class Unhashable:
    def __call__(self, params: Any, *_: Any) -> Any:
        return params


FUNCTIONS: dict[str, Case] = {
    **several(
        prune,
        "score_fn",
        TypeError,
        ["(params, mask, batch, key)", "sf."],
        string="synflow",
        scores=PARAMS,
        of_three=lambda params, mask, batch: params,
        model=LINEAR,
        unbound=nnx.Linear.__call__,
        kind=dict,
    ),
    **{
        f"uncalled {call}": (partial(prune, score_fn), TypeError, ["score_fn", f"pass {call}, not"])
        for call, score_fn in {
            "sf.magnitude()": sf.magnitude,
            "sf.random()": sf.random,
            "sf.snip(loss_fn)": sf.snip,
            "sf.grasp(loss_fn)": sf.grasp,
            "sf.synflow(apply_fn, inputs)": sf.synflow,
        }.items()
    },
    "sweep: score_fn": (lambda: sf.sweep(sf.magnitude, PARAMS, [2.0]), TypeError, ["magnitude()"]),
    "unhashable": (lambda: prune(Unhashable()), TypeError, ["score_fn", "hashable"]),
    **several(
        prune,
        "schedule",
        TypeError,
        ["(compression, rounds)", "sf.exponential or sf.linear"],
        string="linear",
        densities=np.array([0.5]),
        of_one=lambda rounds: [0.5],
    ),
    **several(
        prune,
        "schedule",
        ValueError,
        ["must return 1 densities"],
        nothing=lambda c, r: None,
        text=lambda c, r: ["half"],
        many=lambda c, r: [0.7, 0.5],
        zero=lambda c, r: [0.0],
        nan=lambda c, r: [float("nan")],
    ),
    **several(
        prune,
        "select",
        TypeError,
        ["Selection", "sf.global_top_k or sf.local_top_k"],
        string="global",
        function=top_k,
        nothing=None,
        uncalled=sf.Selection,
    ),
    "select.counts": (
        lambda: prune(select=replace(sf.global_top_k, counts=lambda sizes, densities: densities)),
        ValueError,
        ["select.counts", "(rounds, groups)", "float64(1,)"],
    ),
    "select.slack": (
        lambda: prune(select=replace(sf.global_top_k, slack=-1)),
        ValueError,
        ["select.slack", ">= 0", "select.slack=-1"],
    ),
    "select.shapes": (
        lambda: prune(select=replace(sf.global_top_k, shapes="yes")),
        TypeError,
        ["select.shapes", "bool", "'yes'"],
    ),
    "select of nothing": (
        lambda: prune(select=sf.Selection(None, None)),
        TypeError,
        ["select.counts", "(sizes, densities)", "sf.global_top_k.counts"],
    ),
    **several(
        prune,
        "prunable",
        TypeError,
        ["(path, leaf)", "sf.is_kernel"],
        string="kernel",
        of_one=lambda path: True,
        names=["dense/kernel"],
    ),
    "full_mask: prunable": (lambda: sf.full_mask(PARAMS, "kernel"), TypeError, ["prunable"]),
    "loss_fn is a string": (lambda: sf.snip("loss"), TypeError, ["loss_fn", "sf.cross_entropy"]),
    "loss_fn is a model": (
        lambda: sf.snip(LINEAR),
        TypeError,
        ["loss_fn", "Linear", "sf.from_nnx"],
    ),
    "loss_fn is params": (lambda: sf.grasp(PARAMS), TypeError, ["loss_fn", "dict"]),
    "loss_fn of one": (lambda: sf.grasp(lambda p: p), TypeError, ["loss_fn", "(params, batch)"]),
    "loss_fn with aux": (
        lambda: snip(lambda p, b: (jnp.float32(1), {})),
        TypeError,
        ["loss_fn", "only the scalar", "tuple of 2"],
    ),
    "loss_fn gives a dict": (lambda: snip(lambda p, b: {"loss": 1.0}), TypeError, ["only", "dict"]),
    "loss_fn gives nothing": (lambda: snip(lambda p, b: None), TypeError, ["loss_fn", "None"]),
    "loss_fn gives logits": (lambda: snip(lambda p, b: b[0]), ValueError, ["scalar", "(3, 2)"]),
    "loss_fn fails": (lambda: snip(lambda p, b: p["no"]), ValueError, ["loss_fn", "KeyError"]),
    **several(
        sf.cross_entropy,
        "apply_fn",
        TypeError,
        ["(params, inputs)", "sf.from_nnx"],
        string="apply",
        model=LINEAR,
        params=PARAMS,
    ),
    **several(
        partial(sf.cross_entropy, apply),
        "temperature",
        TypeError,
        ["number"],
        string="1",
        true=True,
        array=jnp.ones(2),
    ),
    **several(
        partial(sf.cross_entropy, apply),
        "temperature",
        ValueError,
        ["positive and finite", "got temperature="],
        zero=0.0,
        negative=-1,
        infinite=float("inf"),
        nan=jnp.nan,
    ),
    **several(
        tickets,
        "train_fn",
        TypeError,
        ["(params, mask, key)"],
        string="train",
        of_two=lambda params, mask: params,
        nothing=None,
    ),
    "train_fn gives nothing": (
        lambda: next(tickets(lambda params, mask, key: None)),
        ValueError,
        ["train_fn's result", "no leaf 'dense/bias'"],
    ),
}
