"""Nothing is left that could go: against a search layer by layer, written for two networks."""

from typing import Any

import numpy as np
import pytest
from narrow_models import Model, narrow, narrow_plan, pruned, score_fn

import synflow_jax as sf

pytestmark = pytest.mark.usefixtures("others_promote", "wide")


def flat(kernel: Any) -> np.ndarray:
    """Which input channel leads to which output channel, bool."""
    pattern = np.asarray(kernel[...])
    return np.asarray(pattern.any((0, 1))) if pattern.ndim == 4 else pattern


def at_least_one(units: np.ndarray) -> int:
    return max(1, int(units.sum()))


def search_chain(kernels: list[np.ndarray]) -> list[int]:
    """How many units stay between the layers of a chain."""
    leads_in, arrives = [], np.ones(len(kernels[0]), bool)
    for kernel in kernels[:-1]:
        arrives = kernel[arrives].any(0)
        leads_in.append(arrives)
    leads_out, used = [], np.ones(kernels[-1].shape[1], bool)
    for kernel in reversed(kernels[1:]):
        used = kernel[:, used].any(1)
        leads_out.append(used)
    return [at_least_one(a & b) for a, b in zip(leads_in, reversed(leads_out), strict=True)]


def search_residual(stem: np.ndarray, stages: list[list[Any]], output: np.ndarray) -> Any:
    """How many units stay of each stage's stream, and within each of its blocks.

    Each block is (first kernel, second kernel, shortcut's kernel or None). Units of a stream stay
    where they are alive at some point of it from which something leads on.
    """
    streams = [np.ones(stage[0][1].shape[1], bool) for stage in stages]
    inner = [[np.ones(first.shape[1], bool) for first, _, _ in stage] for stage in stages]
    while True:
        before = [a.copy() for a in (*streams, *(b for stage in inner for b in stage))]
        arrives, points = stem.any(0), []
        for own, stage, within in zip(streams, stages, inner, strict=True):
            for i, (first, second, shortcut) in enumerate(stage):
                source = arrives
                if shortcut is None:
                    source = source & own
                    points.append((own, source, first[:, within[i]].any(1)))
                alive = first[source].any(0)
                within[i] &= alive & second[:, own].any(1)
                arrives = second[within[i]].any(0)
                arrives |= source if shortcut is None else shortcut[source].any(0)
                arrives &= own
            points.append((own, arrives, _leads_on(stages, streams, inner, own, output)))
        found = [np.zeros_like(own) for own in streams]
        for own, alive, used in points:
            index = next(i for i, stream in enumerate(streams) if stream is own)
            found[index] |= alive & used
        for stream, new in zip(streams, found, strict=True):
            np.logical_and(stream, new, out=stream)
        after = [*streams, *(b for stage in inner for b in stage)]
        if all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)):
            return (
                [at_least_one(own) for own in streams],
                [[at_least_one(b) for b in stage] for stage in inner],
            )


def _leads_on(stages: Any, streams: Any, inner: Any, own: Any, output: np.ndarray) -> np.ndarray:
    """Which units of a stream's end something takes."""
    index = next(i for i, stream in enumerate(streams) if stream is own)
    if index + 1 == len(streams):
        return np.asarray(output.any(1))
    first, _, shortcut = stages[index + 1][0]
    return first[:, inner[index + 1][0]].any(1) | shortcut[:, streams[index + 1]].any(1)


COMPRESSIONS = (10, 100, 1000)
ROUNDS = 30


def check_chain(model: Model, compressions: tuple[int, ...]) -> None:
    scores = score_fn(model, "synflow")
    for compression in compressions:
        mask = pruned(model, scores, compression, rounds=ROUNDS)
        small = sf.compact(model.inference, model.variables, mask, model.inputs)
        params = mask["params"]
        kernels = [flat(conv["kernel"]) for conv in params["convs"].values()]
        kernels.append(flat(params["output"]["kernel"]))
        left = [conv["kernel"].shape[-1] for conv in small.params["params"]["convs"].values()]
        assert left == search_chain(kernels)
        assert not small.report.constant
        assert not small.report.held


def check_residual(model: Model, compressions: tuple[int, ...]) -> None:
    scores = score_fn(model, "synflow")
    for compression in compressions:
        mask = pruned(model, scores, compression, rounds=ROUNDS)
        small = sf.compact(model.inference, model.variables, mask, model.inputs)
        blocks = [_block(block) for block in mask["params"]["blocks"].values()]
        stages = [blocks[0:3], blocks[3:6], blocks[6:9]]
        stem = flat(mask["params"]["conv"]["kernel"])
        streams, inner = search_residual(stem, stages, flat(mask["params"]["output"]["kernel"]))
        own = small.params["params"]
        shapes = [
            [own["blocks"][3 * s + i]["conv1"]["kernel"].shape[-1] for i in range(3)]
            for s in range(3)
        ]
        assert shapes == inner
        ends = [own["blocks"][3 * s + 2]["conv2"]["kernel"].shape[-1] for s in range(3)]
        assert ends == streams
        assert own["conv"]["kernel"].shape[-1] == streams[0]
        assert not small.report.constant
        assert not small.report.held


def _block(block: Any) -> Any:
    shortcut = flat(block["shortcut"]["kernel"]) if "shortcut" in block else None
    return flat(block["conv1"]["kernel"]), flat(block["conv2"]["kernel"]), shortcut


def test_a_narrow_vgg16() -> None:
    check_chain(narrow(narrow_plan("lottery/vgg16-bn", 8), 16), (10, 100))


@pytest.mark.slow
def test_vgg16() -> None:
    check_chain(narrow(narrow_plan("lottery/vgg16-bn", 1), 32, classes=100), COMPRESSIONS)


def test_resnet20() -> None:
    check_residual(narrow(narrow_plan("lottery/resnet20", 1), 8, classes=10), (10, 100))


@pytest.mark.slow
def test_resnet20_at_its_size() -> None:
    check_residual(narrow(narrow_plan("lottery/resnet20", 1), 32, classes=100), COMPRESSIONS)
