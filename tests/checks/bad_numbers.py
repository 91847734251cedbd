"""Bad numbers and keys."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from bad_callers import KEY, MASK, PARAMS, SCORES, Case, counts, prune, several, sweep, tickets
from flax import nnx

import synflow_jax as sf
from synflow_jax.selection import top_k

CALL = "a number such as 10.0"
PASS_KEY, SPLIT = "jax.random.key(0)", "jax.random.split(key, 2)"


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
