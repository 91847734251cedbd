"""Bad calls, and what each must say: the argument, what it was, and what to pass instead."""

from typing import Any

import pytest
from bad_callers import LABELS, X, apply, prune
from bad_functions import FUNCTIONS
from bad_networks import NETWORKS
from bad_numbers import KEYS, NUMBERS
from bad_options import OTHERS
from bad_traces import TRACED
from bad_training import TRAINING
from bad_trees import TREES

import synflow_jax as sf

TABLES = (NETWORKS, FUNCTIONS, NUMBERS, KEYS, TREES, OTHERS, TRACED, TRAINING)
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


@pytest.mark.parametrize("label", [-1, 2, 255])
@pytest.mark.parametrize("method", [sf.snip, sf.grasp])
def test_labels_that_are_no_class(label: int, method: Any) -> None:
    labels = LABELS.at[1].set(label)
    with pytest.raises(ValueError, match="aren't finite"):
        prune(method(sf.cross_entropy(apply)), batch=(X, labels))
