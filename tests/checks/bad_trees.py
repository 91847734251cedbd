"""Bad params, masks, batches, labels and scores."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from bad_callers import (
    KEY,
    LABELS,
    LINEAR,
    MASK,
    OTHER,
    PARAMS,
    TWICE,
    Case,
    X,
    apply,
    counts,
    deleted,
    loss,
    prune,
    several,
    sweep,
    tickets,
)
from flax import linen

import synflow_jax as sf
from synflow_jax.selection import top_k

PAIR = "batch=(inputs, labels)"


TREES: dict[str, Case] = {
    "params: module": (lambda: prune(params=LINEAR), TypeError, ["params", "sf.from_nnx"]),
    "params: linen": (lambda: prune(params=linen.Dense(2)), TypeError, ["params", "sf.from_linen"]),
    "params: none": (lambda: prune(params=None), ValueError, ["params has no leaves"]),
    "params: shapes": (
        lambda: prune(params=jax.eval_shape(lambda: PARAMS)),
        TypeError,
        ["params leaf 'dense/bias'", "shape without values"],
    ),
    "params: number": (lambda: prune(params={"w": 1.0}), TypeError, ["params leaf 'w'", "float"]),
    "params: key": (lambda: prune(params={"w": KEY}), TypeError, ["params leaf 'w'", "key<fry>"]),
    "params: compression": (lambda: prune(params=2.0), TypeError, ["params must be", "float"]),
    "params: iterator": (lambda: prune(params=iter([X])), TypeError, ["params", "list_iterator"]),
    "full_mask: none": (lambda: sf.full_mask(None), ValueError, ["params has no leaves"]),
    "full_mask: string": (lambda: sf.full_mask({"w": "a"}), TypeError, ["params leaf 'w'", "str"]),
    **{
        f"deleted {name}": (call, ValueError, [f"{name} leaf 'dense/kernel' was deleted", "copy"])
        for name, call in {
            "params": lambda: prune(params=deleted(PARAMS)),
            "mask": lambda: prune(mask=deleted(MASK)),
            "rewind_to": lambda: tickets(rewind_to=deleted(PARAMS)),
            "train_fn's result": lambda: next(tickets(lambda params, *_: deleted(params))),
        }.items()
    },
    "deleted leaf": (
        lambda: sf.apply_mask(MASK, deleted(PARAMS)),
        ValueError,
        ["params leaf 'dense/kernel' was deleted"],
    ),
    "deleted batch": (lambda: prune(batch=deleted(X)), ValueError, ["batch was deleted"]),
    "batch: string": (lambda: prune(batch="data"), TypeError, ["batch", "(inputs, labels)"]),
    "batch: loader": (lambda: prune(batch=iter([X])), TypeError, ["batch", "list_iterator"]),
    "batch: text": (lambda: sweep(batch=np.array(["a"])), TypeError, ["batch", "(inputs, labels)"]),
    "batch: none": (
        lambda: sf.snip(sf.cross_entropy(apply))(PARAMS, MASK, None, None),
        ValueError,
        ["batch=None"],
    ),
    **{
        f"batch: {case}": (partial(loss, batch), TypeError, ["batch must be a pair", PAIR])
        for case, batch in {
            "inputs alone": X,
            "two inputs": X[:2],
            "three": (X, LABELS, X),
            "dict": {"inputs": X, "labels": LABELS},
        }.items()
    },
    "labels: float": (
        lambda: loss((X, LABELS * 1.0)),
        TypeError,
        ["labels", "integers", "float32"],
    ),
    "labels: one hot": (
        lambda: loss((X, jax.nn.one_hot(LABELS, 2))),
        TypeError,
        ["labels", "argmax(-1)", "float32[3, 2]"],
    ),
    "labels: list": (lambda: loss((X, [0, 1, 1])), TypeError, ["labels", "array of integers"]),
    "labels: one": (lambda: loss((X, LABELS[:1])), ValueError, ["labels", "(3,)", "(1,)"]),
    "labels: scalar": (lambda: loss((X, LABELS[0])), ValueError, ["labels", "(3,)", "()"]),
    "labels: column": (lambda: loss((X, LABELS[:, None])), ValueError, ["labels", "(3, 1)"]),
    "logits: tuple": (
        lambda: loss((X, LABELS), lambda p, x: (x, x)),
        TypeError,
        ["apply_fn", "logits", "tuple"],
    ),
    "logits: classes": (
        lambda: loss((X, LABELS), lambda p, x: x.argmax(-1)),
        TypeError,
        ["apply_fn", "int32"],
    ),
    "logits: sum": (
        lambda: loss((X, LABELS), lambda p, x: x.sum()),
        ValueError,
        ["apply_fn", "(batch, classes)"],
    ),
    "scores: empty": (lambda: sf.kth_highest({}, 1), ValueError, ["scores is empty"]),
    "scores: no elements": (
        lambda: sf.kth_highest([jnp.ones((0, 3))], 1),
        ValueError,
        ["scores is empty"],
    ),
    "scores: integers": (
        lambda: sf.kth_highest([jnp.arange(3)], 1),
        TypeError,
        ["scores", "floating-point", "int32[3]"],
    ),
    "scores: numbers": (lambda: sf.kth_highest([1.0], 1), TypeError, ["scores", "floating-point"]),
    "top_k: integers": (lambda: top_k([jnp.arange(3)], 1), TypeError, ["scores", "int32[3]"]),
    "top_k: booleans": (lambda: top_k([jnp.ones(3, bool)], 1), TypeError, ["scores", "bool[3]"]),
    "names: layer_table": (
        lambda: sf.layer_table(sf.full_mask(TWICE), TWICE),
        ValueError,
        ["two leaves named 'a/b'"],
    ),
    "names: full_mask": (
        lambda: sf.full_mask(TWICE, lambda path, leaf: True),
        ValueError,
        ["two leaves named 'a/b'", "rename"],
    ),
    "mask: params": (lambda: prune(mask=PARAMS), TypeError, ["mask leaf 'dense/bias'", "boolean"]),
    "mask: string": (lambda: prune(mask="all"), ValueError, ["mask", "structure of params"]),
    "mask: leaf": (
        lambda: sf.apply_mask({"w": "all"}, {"w": X}),
        TypeError,
        ["mask leaf 'w'", "boolean", "all"],
    ),
    "round_counts: params": (
        lambda: counts(mask=PARAMS),
        TypeError,
        ["mask leaf 'dense/bias'", "boolean"],
    ),
    **{
        f"{fn.__name__}: {case}": (partial(fn, *arguments), error, words)
        for fn in (sf.density, sf.layer_table, sf.apply_mask)
        for case, arguments, error, words in (
            ("no mask", (None, PARAMS), TypeError, ["mask=None", "sf.full_mask"]),
            ("no params", (MASK, None), ValueError, ["params lacks", "dense/bias"]),
            ("swapped", (PARAMS, MASK), TypeError, ["mask leaf", "swapped"]),
            ("structure", (MASK, OTHER), ValueError, ["'dense/bias' that params lacks"]),
            ("text", (MASK["dense"], {"bias": "a", "kernel": "b"}), TypeError, ["params leaf"]),
        )
    },
    "resume": (lambda: tickets(resume=3), TypeError, ["resume", "Ticket", "resume=3"]),
    "resume: level": (
        lambda: tickets(resume=sf.Ticket("1", MASK, PARAMS, PARAMS, None)),
        TypeError,
        ["resume.level='1'"],
    ),
    "resume: mask": (
        lambda: tickets(resume=sf.Ticket(1, OTHER, PARAMS, PARAMS, None)),
        ValueError,
        ["mask", "no leaf 'dense/bias'"],
    ),
    "rewind_to": (lambda: tickets(rewind_to=OTHER), ValueError, ["rewind_to", "dense/bias"]),
    "rewind_to: string": (
        lambda: tickets(rewind_to="init"),
        ValueError,
        ["rewind_to", "structure"],
    ),
    **several(sweep, "mesh", TypeError, ["Mesh", "jax.make_mesh"], string="x", devices=[0, 1]),
}
