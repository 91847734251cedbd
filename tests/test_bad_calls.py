"""Bad calls, and what each must say: the argument, what it was, and what to pass instead."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

import synflow_jax as sf
from synflow_jax.selection import top_k

KEY = jax.random.key(0)
PARAMS = {"dense": {"bias": jnp.zeros(2), "kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}}
MASK = sf.full_mask(PARAMS)
OTHER = {"dense": {"kernel": jnp.ones((2, 2))}}
TWICE = {"a/b": jnp.ones((2, 2)), "a": {"b": jnp.ones((2, 2))}}
STACKED = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), PARAMS)
X, LABELS = jnp.ones((3, 2)), jnp.array([0, 1, 1])
LINEAR = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
ADAM = optax.adam(1e-3)
SCORES = [jnp.array([3.0, -1.0, 2.0])]

Case = tuple[Callable[[], Any], type[Exception], list[str]]


def apply(params: Any, x: Any) -> jax.Array:
    return x @ params["dense"]["kernel"]


def deleted(tree: Any) -> Any:
    tree = jax.tree.map(jnp.copy, tree)
    jax.tree.leaves(tree)[-1].delete()
    return tree


def prune(score_fn: Any = None, params: Any = PARAMS, compression: Any = 2.0, **options: Any):
    return sf.prune(score_fn or sf.magnitude(), params, compression, **{"rounds": 1, **options})


def sweep(compressions: Any = (2.0, 3.0), params: Any = PARAMS, **options: Any) -> Any:
    return sf.sweep(sf.magnitude(), params, compressions, **{"rounds": 1, **options})


def tickets(train_fn: Any = lambda params, mask, key: params, params: Any = PARAMS, **options: Any):
    return sf.tickets(train_fn, params, 2.0, **{"levels": 1, **options})


def counts(mask: Any = MASK, compression: Any = 2.0, rounds: Any = 1, **options: Any) -> Any:
    options = {"schedule": sf.exponential, "select": sf.global_top_k, **options}
    return sf.round_counts(mask, compression, rounds, **options)


def update(grads: Any = PARAMS, state: Any = None, params: Any = PARAMS, mask: Any = MASK) -> Any:
    tx = sf.keep_params_sparse(ADAM, mask)
    return tx.update(grads, tx.init(PARAMS) if state is None else state, params)


def create(name: Any = "default/fc", **options: Any) -> Any:
    given = {"num_classes": 2, "input_shape": (8, 8, 1), "rngs": nnx.Rngs(0), **options}
    return sf.models.create(name, **given)


def loss(batch: Any, apply_fn: Any = apply) -> Any:
    return sf.cross_entropy(apply_fn)(PARAMS, batch)


def snip(loss_fn: Any) -> Any:
    return sf.snip(loss_fn)(PARAMS, MASK, (X, LABELS), None)


def several(
    call: Callable[..., Any], name: str, error: type[Exception], words: list[str], **values: Any
) -> dict[str, Case]:
    """A case for each value of one argument."""
    return {
        f"{getattr(call, '__name__', 'call')}: {name} {case}": (
            partial(call, **{name: value}),
            error,
            [name, *words],
        )
        for case, value in values.items()
    }


@dataclass
class Unhashable:
    def __call__(self, params: Any, *_: Any) -> Any:
        return params


CALL = "a number such as 10.0"
PASS_KEY, SPLIT = "jax.random.key(0)", "jax.random.split(key, 2)"
OUTSIDE = ["traced", "sf.round_counts", "outside", "sf.prune_rounds"]
PAIR = "batch=(inputs, labels)"

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

NUMBERS: dict[str, Case] = {
    **several(
        prune,
        "compression",
        TypeError,
        ["got compression=", CALL],
        string="10",
        true=True,
        nothing=None,
        two=jnp.array([2.0, 3.0]),
        complex=2j,
        complex_array=jnp.array(2j),
        list=[2.0],
        numpy_bool=np.True_,
        key=KEY,
        empty=jnp.ones(0),
    ),
    **several(
        prune,
        "compression",
        ValueError,
        ["finite and >= 1"],
        nan=float("nan"),
        infinite=float("inf"),
        below_one=0.99,
        negative=jnp.array(-3.0),
        beyond_floats=10**400,
    ),
    "round_counts: compression": (lambda: counts(compression="2"), TypeError, ["compression='2'"]),
    "exponential: compression": (lambda: sf.exponential("2", 1), TypeError, ["compression='2'"]),
    "linear: compression": (lambda: sf.linear(0.5, 1), ValueError, ["compression=0.5"]),
    "linear: rounds": (lambda: sf.linear(2.0, 0), ValueError, ["rounds=0"]),
    **several(
        prune,
        "rounds",
        TypeError,
        ["whole number", "pass an int"],
        true=True,
        half=1.5,
        string="3",
        nothing=None,
        several=jnp.array([1, 2]),
        float_array=np.float32(3),
    ),
    **several(prune, "rounds", ValueError, [">= 1"], none=0, negative=np.int64(-1)),
    **several(
        sweep,
        "compressions",
        TypeError,
        ["sequence", "[2.0, 10.0]"],
        number=10,
        array_scalar=jnp.array(10.0),
        generator=(c for c in (2.0, 3.0)),
        string="10",
        dict={2.0: 1, 3.0: 1},
        set={2.0, 3.0},
        two_dimensions=jnp.ones((2, 2)),
        nothing=None,
    ),
    "sweep: empty": (lambda: sweep([]), ValueError, ["compressions is empty"]),
    "sweep: empty array": (lambda: sweep(np.ones(0)), ValueError, ["compressions is empty"]),
    "sweep: a string within": (lambda: sweep([2.0, "3"]), TypeError, ["compression='3'", CALL]),
    "sweep: nested": (lambda: sweep([[2.0, 3.0]]), TypeError, ["compression=list", CALL]),
    "sweep: nan within": (lambda: sweep([2.0, float("nan")]), ValueError, ["compression=nan"]),
    **several(sweep, "chunk", TypeError, ["whole number"], string="a", half=1.5, true=True),
    **several(sweep, "chunk", ValueError, [">= 1"], none=0),
    **several(sweep, "params_axis", TypeError, ["whole number"], string="a", false=False),
    **several(sweep, "params_axis", ValueError, ["None or 0"], one=1, last=-1),
    **several(tickets, "levels", TypeError, ["whole number"], true=True, half=0.5, nothing=None),
    **several(tickets, "levels", ValueError, [">= 1"], none=0),
    **several(
        partial(sf.kth_highest, SCORES),
        "k",
        TypeError,
        ["whole number"],
        half=1.5,
        true=True,
        float_array=jnp.array(1.0),
        several=jnp.array([1, 2]),
        nothing=None,
    ),
    **several(
        partial(sf.kth_highest, SCORES),
        "k",
        ValueError,
        ["between 1 and the number of scores, 3"],
        none=np.int64(0),
        too_many=np.int64(99),
        none_of_jax=jnp.int32(0),
        negative=-1,
    ),
    "top_k: too many": (lambda: top_k(SCORES, 4), ValueError, ["between 0 and", "k=4"]),
    "traced k": (lambda: jax.jit(partial(top_k, SCORES))(1.0), TypeError, ["k must be an integer"]),
}

KEYS: dict[str, Case] = {
    **several(
        prune,
        "key",
        TypeError,
        ["one JAX key", PASS_KEY],
        zero=0,
        rngs=nnx.Rngs(0),
        several=jax.random.split(KEY, 3),
        several_raw=jnp.zeros((3, 2), jnp.uint32),
        string="0",
        floats=jnp.zeros(2),
    ),
    "tickets: key": (lambda: tickets(key=0), TypeError, ["key=0", PASS_KEY]),
    "random: key": (
        lambda: sf.random()(PARAMS, MASK, None, nnx.Rngs(0)),
        TypeError,
        ["key=Rngs", PASS_KEY],
    ),
    **several(
        sweep,
        "keys",
        TypeError,
        ["one for each compression", SPLIT],
        one=KEY,
        one_raw=jax.random.key_data(KEY),
        ints=[0, 1],
        list=list(jax.random.split(KEY, 2)),
        int_array=jnp.arange(2),
        two_dimensions=jax.random.split(KEY, (2, 2)),
    ),
    "sweep: three keys": (
        lambda: sweep(keys=jax.random.split(KEY, 3)),
        ValueError,
        ["3 keys", "2 compressions", SPLIT],
    ),
    "sweep: no keys": (
        lambda: sweep(keys=jax.random.split(KEY, 0)),
        ValueError,
        ["0 keys", "2 compressions"],
    ),
}

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

OTHERS: dict[str, Case] = {
    **{
        f"keep_params_sparse: {case}": (
            partial(sf.keep_params_sparse, inner, mask),
            TypeError,
            ["inner", "optax.adam(1e-3)"],
        )
        for case, inner, mask in (
            ("string", "adam", MASK),
            ("swapped", MASK, ADAM),
            ("uncalled", optax.adam, MASK),
            ("class", optax.GradientTransformation, MASK),
            ("nothing", None, MASK),
        )
    },
    "init: mask": (
        lambda: sf.keep_params_sparse(ADAM, OTHER).init(PARAMS),
        ValueError,
        ["mask", "no leaf 'dense/bias'"],
    ),
    "init: no mask": (
        lambda: sf.keep_params_sparse(ADAM, None).init(PARAMS),
        TypeError,
        ["mask=None"],
    ),
    "update: no params": (lambda: update(params=None), ValueError, ["params", "update(grads, "]),
    "update: grads": (lambda: update(OTHER), ValueError, ["updates", "dense/bias"]),
    "update: params": (lambda: update(params=OTHER), ValueError, ["params", "dense/bias"]),
    "update: no grads": (lambda: update(None), ValueError, ["updates", "dense/bias"]),
    "update: a number": (lambda: update(3), ValueError, ["updates", "structure", "got 3"]),
    "update: swapped": (
        lambda: update(PARAMS, PARAMS, PARAMS),
        TypeError,
        ["state", "SparseState", "init"],
    ),
    "update: shape of grads": (
        lambda: update({"dense": {"bias": jnp.ones(2), "kernel": jnp.ones((3, 2))}}),
        ValueError,
        ["dense/kernel", "(3, 2)"],
    ),
    **several(create, "rngs", TypeError, ["nnx.Rngs(0)"], zero=0, key=KEY, nothing=None),
    **several(create, "name", TypeError, ["sf.models.names()"], number=3, nothing=None),
    "create: unknown": (lambda: create("default/fx"), ValueError, ["no model", "default/fc"]),
    **several(create, "num_classes", TypeError, ["whole number"], string="10", true=True, half=1.5),
    **several(create, "num_classes", ValueError, [">= 1"], none=0),
    **several(
        create,
        "input_shape",
        TypeError,
        ["(height, width, channels)", "(32, 32, 3)"],
        number=8,
        floats=(8.0, 8.0, 1.0),
        string="abc",
        nothing=None,
    ),
    **several(
        create,
        "input_shape",
        ValueError,
        ["(height, width, channels)"],
        two=(8, 8),
        batched=(1, 8, 8, 1),
        zero=(8, 0, 1),
    ),
    **several(
        create, "activation", TypeError, ["jax.nn.relu"], string="relu", of_two=lambda x, y: x
    ),
    **several(create, "dense_classifier", TypeError, ["bool"], string="no", one=1),
}


def traced(name: str) -> Callable[[Any], Any]:
    return lambda value: prune(**{name: value})


TRACED: dict[str, Case] = {
    "jit: params": (
        lambda: jax.jit(traced("params"))(PARAMS),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "vmap: params": (
        lambda: jax.vmap(traced("params"))(STACKED),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "grad: params": (
        lambda: jax.grad(traced("params"))(PARAMS),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "jit: compression": (
        lambda: jax.jit(traced("compression"))(2.0),
        TypeError,
        ["compression is traced", *OUTSIDE],
    ),
    "jit: mask": (lambda: jax.jit(traced("mask"))(MASK), TypeError, ["mask leaf", *OUTSIDE]),
    "jit: batch": (lambda: jax.jit(traced("batch"))(X), TypeError, ["batch is traced", *OUTSIDE]),
    "jit: key": (lambda: jax.jit(traced("key"))(KEY), TypeError, ["key is traced", *OUTSIDE]),
    "jit: nothing": (lambda: jax.jit(prune)(), TypeError, ["mask leaf", *OUTSIDE]),
    "vmap: closure": (
        lambda: jax.vmap(lambda x: prune(lambda p, *_: jax.tree.map(lambda w: w * x, p)))(X[0]),
        TypeError,
        ["what score_fn returned is traced", *OUTSIDE],
    ),
    "jit: sweep": (
        lambda: jax.jit(partial(sweep, [2.0]))(PARAMS),
        TypeError,
        ["params leaf", *OUTSIDE],
    ),
    "jit: sweep's compressions": (
        lambda: jax.jit(sweep)(jnp.array([2.0])),
        TypeError,
        ["compressions is traced", *OUTSIDE],
    ),
    "jit: sweep's keys": (
        lambda: jax.jit(lambda keys: sweep(keys=keys))(jax.random.split(KEY, 2)),
        TypeError,
        ["keys is traced", *OUTSIDE],
    ),
    "jit: round_counts": (
        lambda: jax.jit(lambda c: counts(compression=c))(2.0),
        TypeError,
        ["compression is traced", *OUTSIDE],
    ),
    "jit: density": (
        lambda: jax.jit(lambda mask: sf.density(mask, PARAMS))(MASK),
        TypeError,
        ["mask leaf", "traced", "outside"],
    ),
}


def synflow(apply_fn: Any = apply, inputs: Any = X, **options: Any) -> Any:
    return sf.synflow(apply_fn, inputs, **options)


def of_outputs(outputs: Any) -> Any:
    return prune(sf.synflow(lambda params, x: outputs(apply(params, x)), X))


NETWORKS: dict[str, Case] = {
    "synflow: swapped": (
        lambda: sf.synflow(X, apply),
        TypeError,
        ["apply_fn must be a function", "float32[3, 2]", "sf.from_nnx"],
    ),
    "synflow: model": (
        lambda: sf.synflow(LINEAR, X),
        TypeError,
        ["apply_fn", "module Linear", "sf.from_nnx(model)"],
    ),
    "synflow: of inputs alone": (
        lambda: sf.synflow(lambda x: x, X),
        TypeError,
        ["apply_fn", "(params, inputs)", "takes (x)"],
    ),
    **several(synflow, "inputs", TypeError, ["jnp.ones"], string="x", whole=3, shape=(1, 2)),
    **several(
        synflow, "inputs", ValueError, ["jnp.ones"], none=None, empty=X[:0], negative=-X, inf=X / 0
    ),
    "synflow: deleted inputs": (lambda: synflow(inputs=deleted(X)), ValueError, ["inputs", "copy"]),
    "synflow: whole numbers": (
        lambda: synflow(inputs=jax.ShapeDtypeStruct((1, 2), jnp.int32)),
        TypeError,
        ["inputs must be floating-point, got int32"],
    ),
    **several(synflow, "biases", TypeError, ["True or False"], string="no", one=1),
    **several(synflow, "dtype", TypeError, ["floating-point"], string="abc", whole=jnp.int32),
    "synflow: float64": (lambda: synflow(dtype=jnp.float64), ValueError, ["dtype", "enable_x64"]),
    "synflow: other shape": (
        lambda: prune(synflow(inputs=jnp.ones((1, 3)))),
        ValueError,
        ["apply_fn", "float32[1, 3]", "(3,)"],
    ),
    "synflow: no outputs": (lambda: of_outputs(lambda y: None), TypeError, ["apply_fn", "None"]),
    "synflow: text": (lambda: of_outputs(lambda y: "a"), TypeError, ["apply_fn", "'a'"]),
    "synflow: classes": (lambda: of_outputs(lambda y: y.argmax(-1)), TypeError, ["int32"]),
    "flow: no params": (lambda: sf.flow(apply, None, X), ValueError, ["params has no leaves"]),
    "flow: module": (lambda: sf.flow(apply, LINEAR, X), TypeError, ["params", "sf.from_nnx"]),
    "flow: integers": (
        lambda: sf.flow(apply, {"dense": {"kernel": jnp.ones((2, 2), int)}}, X),
        TypeError,
        ["dense/kernel", "int32"],
    ),
    "from_nnx: nothing": (lambda: sf.from_nnx(None), TypeError, ["flax.nnx.Module", "NoneType"]),
    "from_nnx: class": (lambda: sf.from_nnx(nnx.Linear), TypeError, ["flax.nnx.Module"]),
    "from_nnx: option": (
        lambda: prune(sf.synflow(sf.from_nnx(LINEAR, train=False)[0], X), sf.from_nnx(LINEAR)[1]),
        ValueError,
        ["apply_fn", "'train'"],
    ),
    "from_linen: class": (lambda: sf.from_linen(linen.Dense, {}), TypeError, ["linen.Module"]),
    "from_linen: nothing": (
        lambda: sf.from_linen(linen.Dense(2), None),
        TypeError,
        ["variables=None", "module.init"],
    ),
    "from_linen: params": (
        lambda: sf.from_linen(linen.Dense(2), {"kernel": X}),
        ValueError,
        ["variables", "'params'", "kernel", "module.init"],
    ),
    "from_linen: mutable": (
        lambda: sf.from_linen(linen.Dense(2), {"params": {}}, mutable=["batch_stats"]),
        ValueError,
        ["mutable=['batch_stats']", "module.apply"],
    ),
    "register: name": (
        lambda: sf.homogeneous.register("sin", lambda site, x: x),
        TypeError,
        ["primitive", "'sin'", "register_activation"],
    ),
    "register: no rule": (
        lambda: sf.homogeneous.register(jax.extend.core.primitives.sin_p, None),
        TypeError,
        ["rule", "(site, *values)"],
    ),
    **{
        f"register_activation: {name}": (
            partial(sf.homogeneous.register_activation, fn),
            TypeError,
            [said],
        )
        for name, fn, said in [
            ("string", "relu", "'relu'"),
            ("nothing", None, "None"),
            ("partial", partial(jnp.tanh), "partial"),
            ("operation of jnp", jnp.tanh, "a function of yours"),
            ("operation of lax", jax.lax.tanh, "a function of yours"),
        ]
    },
}

TABLES = (NETWORKS, FUNCTIONS, NUMBERS, KEYS, TREES, OTHERS, TRACED)
BAD = {name: case for table in TABLES for name, case in table.items()}


def test_enough_of_them() -> None:
    assert len(BAD) == sum(map(len, TABLES)) >= 120


@pytest.mark.usefixtures("others_promote")
@pytest.mark.parametrize("name", BAD)
def test_bad_call(name: str) -> None:
    call, error, words = BAD[name]
    with pytest.raises(error) as caught:
        call()
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"


@pytest.mark.parametrize(
    "options",
    [
        {"compression": 2},
        {"compression": np.float32(2)},
        {"compression": np.int64(2)},
        {"compression": jnp.array(2.0)},
        {"compression": jnp.array([2])},
        {"compression": jnp.bfloat16(2)},
        {"rounds": np.int64(1)},
        {"rounds": jnp.int32(1)},
        {"key": jax.random.PRNGKey(0)},
        {"key": np.asarray(jax.random.PRNGKey(0))},
        {"batch": (np.ones(3), 2, 0.5, True)},
        {"schedule": partial(sf.exponential)},
        {"schedule": jax.tree_util.Partial(sf.linear)},
        {"mask": {"dense": {"bias": True, "kernel": np.ones((2, 2), bool)}}},
        {"params": [np.asarray(leaf) for leaf in jax.tree.leaves(PARAMS)]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_good_values(options: Any) -> None:
    _, history = prune(**options)
    assert history.kept == 2


@pytest.mark.parametrize(
    "options",
    [
        {"compressions": (2.0, 3.0)},
        {"compressions": np.array([2, 3])},
        {"compressions": jnp.array([2.0, 3.0])},
        {"compressions": range(2, 4)},
        {"keys": jax.random.split(KEY, 2)},
        {"keys": jax.random.split(jax.random.PRNGKey(0), 2)},
        {"chunk": np.int64(1)},
        {"params": STACKED, "params_axis": np.int64(0)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_good_values_of_a_sweep(options: Any) -> None:
    _, history = sweep(**options)
    assert history.kept.tolist() == [[2], [2]]


@pytest.mark.parametrize("schedule", [sf.exponential, sf.linear])
@pytest.mark.parametrize("compression", [1e15, 1e17, 1e30, 1e308])
@pytest.mark.parametrize("rounds", [1, 3])
def test_one_weight_is_kept_at_any_compression(
    schedule: Any, compression: float, rounds: int
) -> None:
    last = counts(compression=compression, rounds=rounds, schedule=schedule)[-1]
    assert last.tolist() == [1]
    mask = {**MASK, "other": jnp.ones((5, 1), bool)}
    by_layer = counts(mask, compression, rounds, schedule=schedule, select=sf.local_top_k)
    assert by_layer[-1].tolist() == [1, 1]


@pytest.mark.parametrize("label", [-1, 2, 255])
@pytest.mark.parametrize("method", [sf.snip, sf.grasp])
def test_labels_that_are_no_class(label: int, method: Any) -> None:
    labels = LABELS.at[1].set(label)
    with pytest.raises(ValueError, match="aren't finite"):
        prune(method(sf.cross_entropy(apply)), batch=(X, labels))


def test_labels_of_a_small_type() -> None:
    labels = LABELS.astype(jnp.uint8)
    np.testing.assert_array_equal(loss((X, labels)), loss((X, LABELS)))
