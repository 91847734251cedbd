"""What a golden file says of scores and masks, beside what comes out here."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from golden_networks import Golden, load

import synflow_jax as sf
from synflow_jax.types import ScoreFn

METHODS = ["magnitude", "snip", "grasp", "synflow"]
ROUNDS = [("magnitude", 1), ("snip", 1), ("grasp", 1), ("synflow", 1), ("synflow", 100)]
TOLERANCES = {"float64": 1e-5, "float32": 1e-3}


def score_fn_of(method: str, golden: Golden) -> ScoreFn:
    return {
        "magnitude": sf.magnitude,
        "snip": lambda: sf.snip(sf.cross_entropy(golden.apply_fn)),
        "grasp": lambda: sf.grasp(sf.cross_entropy(golden.apply_fn, temperature=200.0)),
        "synflow": lambda: sf.synflow(golden.apply_fn, golden.ones),
    }[method]()


def reference_scale(method: str, scores: dict[str, Any], golden: Golden, exponent: int) -> Any:
    """What the reference divides all scores by."""
    prunable = [s for name, s in scores.items() if golden.prunable(name, s)]
    return {
        "magnitude": lambda: 1.0,
        "snip": lambda: sum(np.sum(s) for s in prunable),
        "grasp": lambda: np.abs(sum(np.sum(s) for s in prunable)) + 1e-10,
        # Ours are divided by a power of two already.
        "synflow": lambda: golden.arrays["synflow/flow"] / 2.0**exponent,
    }[method]()


class Pruned(NamedTuple):
    """What pruning a golden network gave.

    Attributes:
        golden: the network.
        scores: of a round of one, with the flow's exponent.
        masks: by the golden file's name of the compression, with the number of weights kept.
    """

    golden: Golden
    scores: tuple[dict[str, np.ndarray], int] | None
    masks: dict[str, tuple[Any, int]]


def given(params: Any, mask: Any, batch: Any, key: Any) -> Any:
    """The batch as scores."""
    del params, mask, key
    return batch


def scored(method: str, golden: Golden) -> tuple[dict[str, jax.Array], jax.Array]:
    """The scores of the whole network, and the exponent of the flow that divides SynFlow's."""
    score_fn = score_fn_of(method, golden)

    @jax.jit
    def compiled(params: Any, batch: Any) -> Any:
        mask = sf.full_mask(params, golden.prunable)
        exponent = jnp.int32(0)
        if method == "synflow":
            exponent = sf.flow(golden.apply_fn, params, golden.ones).exponent
        return score_fn(params, mask, batch, None), exponent

    return compiled(golden.params, golden.batch)


@cache
def pruned(network: str, method: str, rounds: int, dtype: str) -> Pruned:
    """To all compressions of the golden file.

    What prunes by scores of one round is one program of all methods; it takes long to compile.
    """
    with jax.enable_x64(dtype == "float64"):
        golden = load(network, dtype)
        score_fn, batch, found = score_fn_of(method, golden), golden.batch, None
        if rounds == 1:
            scores, exponent = scored(method, golden)
            found = jax.device_get(scores), int(exponent)
            score_fn, batch = given, scores
        prefix = f"{method}/rounds={rounds}/log10_compression="
        cases = [key.removeprefix(prefix) for key in golden.kept if key.startswith(prefix)]
        masks = {}
        for case in cases:
            mask, history = sf.prune(
                score_fn,
                golden.params,
                10 ** float(case),
                batch=batch,
                rounds=rounds,
                prunable=golden.prunable,
            )
            masks[case] = jax.device_get(mask), int(history.kept[-1])
    return Pruned(golden, found, masks)


def check_logits(network: str) -> None:
    with jax.enable_x64(True):
        golden = load(network, jnp.float64)
        logits = jax.jit(golden.apply_fn)(golden.params, golden.batch[0])
        np.testing.assert_allclose(logits, golden.arrays["logits"], rtol=1e-9, atol=1e-9)


def check_scores(network: str, method: str, dtype: str) -> None:
    golden, found, _ = pruned(network, method, 1, dtype)
    assert found is not None
    scores, exponent = found
    scores = {name: np.asarray(score, np.float64) for name, score in scores.items()}
    scale = np.float64(reference_scale(method, scores, golden, int(exponent)))
    prefix = f"scores/{method}/"
    names = [key.removeprefix(prefix) for key in golden.arrays if key.startswith(prefix)]
    assert len(names) >= 3
    for name in names:
        expected = golden.arrays[prefix + name]
        error = np.abs(scores[name] / scale - expected).max()
        assert error <= TOLERANCES[dtype] * np.abs(expected).max(), name


def check_masks(network: str, method: str, rounds: int, dtype: str) -> None:
    golden, _, masks = pruned(network, method, rounds, dtype)
    assert len(masks) >= 3
    for case, (mask, kept_in_all) in masks.items():
        kept = golden.kept[f"{method}/rounds={rounds}/log10_compression={case}"]
        assert kept_in_all == sum(kept.values())
        pairs = {n: (mask[n], golden.mask(method, rounds, case, n)) for n in kept}
        differing = sum(np.sum(ours & ~theirs) for ours, theirs in pairs.values())
        if dtype == "float64":
            assert differing == 0, case
        elif rounds == 1:
            assert differing <= 0.001 * sum(kept.values()), case
        else:
            for name, (ours, theirs) in pairs.items():
                if theirs.sum() > 100:
                    assert abs(int(ours.sum()) - theirs.sum()) <= 0.15 * theirs.sum(), name
