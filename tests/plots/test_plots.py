"""What the pictures of masks and histories show, read off matplotlib's objects."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

import synflow_jax as sf

PARAMS = {name: {"kernel": jnp.ones((2, 8))} for name in ("a", "b", "c")} | {"bias": jnp.ones(2)}


def mask_of(**kept: int) -> Any:
    """Of 16 weights of each layer the first so many."""
    layers = {name: {"kernel": np.arange(16).reshape(2, 8) < n} for name, n in kept.items()}
    return layers | {"bias": np.array(True)}


WHOLE, COLLAPSED = mask_of(a=8, b=4, c=2), mask_of(a=12, b=0, c=1)


def history_of(*rows: tuple[int, ...]) -> sf.History:
    by_layer = np.array(rows, np.int32)
    return sf.History(by_layer.sum(-1), by_layer, by_layer >= 0, by_layer > 0)


@pytest.fixture(autouse=True)
def agg() -> Iterator[None]:
    with plt.rc_context():
        plt.switch_backend("agg")
        yield
    plt.close("all")


def curves(ax: Any) -> dict[str, np.ndarray]:
    """The heights of those with a name of their own."""
    return {
        line.get_label(): np.asarray(line.get_ydata(), float)
        for line in ax.get_lines()
        if not line.get_label().startswith("_")
    }


def crosses(ax: Any) -> list[list[float]]:
    return [list(line.get_xdata()) for line in ax.get_lines() if line.get_marker() == "X"]


def entries(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn(ax: Any) -> Any:
    """Drawn once, so that warnings of drawing come."""
    ax.figure.canvas.draw()
    return ax


def test_one_mask() -> None:
    ax = drawn(sf.plot_layers(WHOLE, PARAMS))
    line, total = ax.get_lines()[:2]
    np.testing.assert_allclose(line.get_ydata(), [8 / 16, 4 / 16, 2 / 16])
    np.testing.assert_allclose(total.get_ydata(), 14 / 48)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]
    assert ax.get_yscale() == "log"
    assert entries(ax) == ["all layers"]
    assert not crosses(ax)


def test_a_collapsed_layer_has_a_cross_below_all_others() -> None:
    ax = drawn(sf.plot_layers(COLLAPSED, PARAMS))
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), [12 / 16, np.nan, 1 / 16])
    assert crosses(ax) == [[1]]
    assert entries(ax) == ["all layers", "a layer with nothing left"]
    cross = next(line for line in ax.get_lines() if line.get_marker() == "X")
    below = cross.get_transform().transform((1, cross.get_ydata()[0]))[1]
    assert 0 < below - ax.bbox.y0 < ax.transData.transform((2, 1 / 16))[1] - ax.bbox.y0


def test_several_masks_in_one_order() -> None:
    masks = {"whole": WHOLE, "collapsed": COLLAPSED, "dense": sf.full_mask(PARAMS)}
    ax = drawn(sf.plot_layers(masks, PARAMS, order=(2, 0, 1)))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["c", "a", "b"]
    found = curves(ax)
    assert list(found) == list(masks)
    np.testing.assert_allclose(found["whole"], [2 / 16, 8 / 16, 4 / 16])
    np.testing.assert_allclose(found["dense"], 1)
    assert crosses(ax) == [[2]]
    colors = {line.get_label(): line.get_color() for line in ax.get_lines()}
    assert ax.get_lines()[-1].get_color() == colors["collapsed"]


def test_masks_that_prune_other_layers_and_broadcast() -> None:
    channels = {"a": {"kernel": np.array([[True, False] * 4])}, "b": {"kernel": np.array(True)}}
    masks = {"channels": {**WHOLE, **channels}, "whole": WHOLE}
    found = curves(drawn(sf.plot_layers(masks, PARAMS)))
    np.testing.assert_allclose(found["channels"], [1 / 2, np.nan, 2 / 16])


def test_an_empty_mask() -> None:
    ax = drawn(sf.plot_layers(mask_of(a=0, b=0, c=0), PARAMS))
    assert crosses(ax) == [[0, 1, 2]]


def test_many_layers_have_some_of_their_names() -> None:
    params = [jnp.ones((1, 2))] * 112
    ax = drawn(sf.plot_layers(sf.full_mask(params), params, ax=plt.subplots()[1]))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [str(i) for i in range(0, 112, 3)]


def test_of_one_history_each_layer() -> None:
    ax = drawn(sf.plot_history(history_of((10, 6), (5, 2), (3, 0), (1, 0))))
    total, first, second = (line.get_ydata() for line in ax.get_lines()[:3])
    np.testing.assert_array_equal(total, [16, 7, 3, 1])
    np.testing.assert_array_equal(first, [10, 5, 3, 1])
    np.testing.assert_array_equal(second, [6, 2, np.nan, np.nan])
    assert crosses(ax) == [[3]]
    assert entries(ax) == ["all layers", "each layer", "a layer with nothing left"]


def test_of_several_histories_the_smallest_layer() -> None:
    ax = drawn(sf.plot_history({"flow": history_of((10, 6), (5, 2)), "other": history_of((9, 1))}))
    assert list(curves(ax)) == ["flow", "other"]
    np.testing.assert_array_equal(ax.get_lines()[1].get_ydata(), [6, 2])
    assert entries(ax) == ["flow", "other", "smallest layer"]
    assert ax.get_xlim() == (0.5, 2.5)
    assert all(tick == int(tick) for tick in ax.get_xticks())


def test_what_prune_gives() -> None:
    params = {"kernel": jnp.arange(1.0, 13.0).reshape(3, 4)}
    mask, history = sf.prune(sf.magnitude(), params, 4.0, rounds=2)
    ax = plt.subplots()[1]
    assert sf.plot_history(history, ax=ax) is ax
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [6, 3])
    np.testing.assert_allclose(sf.plot_layers(mask, params).get_lines()[0].get_ydata(), [0.25])


SWEPT = jax.tree.map(lambda x: np.stack([x, x]), history_of((2, 1)))
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "other params": (lambda: sf.plot_layers(WHOLE, {"a": jnp.ones((2, 8))}), ValueError, "mask"),
    "floats": (lambda: sf.plot_layers(PARAMS, PARAMS), TypeError, "must be boolean"),
    "nothing prunable": (
        lambda: sf.plot_layers({"bias": np.array(True)}, {"bias": jnp.ones(2)}),
        ValueError,
        "nothing is prunable",
    ),
    "order": (
        lambda: sf.plot_layers(WHOLE, PARAMS, order=(0, 1, 1)),
        ValueError,
        r"each of 0 to 2 once, got order=\[0, 1, 1\]; pass sf.layer_order",
    ),
    "ax": (lambda: sf.plot_layers(WHOLE, PARAMS, ax="new"), TypeError, "ax must be the Axes"),
    "mask": (lambda: sf.plot_history(WHOLE), TypeError, "must be a History from sf.prune"),
    "counts": (lambda: sf.plot_history([3, 2]), TypeError, "must be a History from sf.prune"),
    "sweep": (lambda: sf.plot_history(SWEPT), ValueError, r"of \(2,\) prunings at once; pass one"),
    "none": (lambda: sf.plot_history({}), ValueError, "there is no history"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    call, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        call()


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    calls = (lambda: sf.plot_layers(WHOLE, PARAMS), lambda: sf.plot_history(history_of((2, 1))))
    for call in calls:
        with pytest.raises(ImportError, match=r"pip install 'synflow_jax\[plot\]'"):
            call()


def test_importing_imports_no_matplotlib() -> None:
    code = "import sys, synflow_jax; sys.exit('matplotlib' in sys.modules or 'tqdm' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
