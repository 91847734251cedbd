"""The figures of untrained networks, and of inputs, in small and against published numbers."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synflow_jax as sf
from experiments.effective.__main__ import main as effective
from experiments.effective.experiment import DensityRow, masks_in_rounds
from experiments.effective.figure import table as effective_table
from experiments.fig2.__main__ import main as fig2
from experiments.fig2.published import PAPER_FILE, compare, paper_rows
from experiments.fig2.rows import LayerKept, critical_compressions, kept_array
from experiments.fig3.__main__ import main as fig3
from experiments.fig3.experiment import UnitScore, in_and_out, unit_scores
from experiments.fig3.figure import correlation, largest_difference
from experiments.fig4.__main__ import main as fig4
from experiments.fig4.experiment import LayerScore, layer_scores, slope
from experiments.fig4.published import paper_rows as fig4_paper_rows
from experiments.fig7.__main__ import main as fig7
from experiments.fig7.options import SCHEDULES
from experiments.fig7.published import deviations
from experiments.fig7.published import paper_rows as fig7_paper_rows
from experiments.fig7.rows import Cut
from experiments.inputs.__main__ import main as inputs
from experiments.inputs.rows import Trained
from experiments.method_table import METHODS
from experiments.runs.rows import read_rows
from experiments.untrained.rounds import prune_by_rounds

pytestmark = pytest.mark.usefixtures("others_promote")

PAPER = Path(__file__).parents[3] / "shared" / "paper"
needs_paper = pytest.mark.skipif(
    not (PAPER / PAPER_FILE).exists(), reason=f"the published tables aren't in {PAPER}"
)


def run(main: Callable[..., None], name: str, folder: Path, row_type: type, *args: str) -> Any:
    """The rows of a command, whose figure and configuration are there."""
    main([*args, "--results", str(folder), "--run", "test"])
    folder = folder / name / "test"
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / f"{name}.svg").read_text()
    assert (folder / "config.json").exists()
    return read_rows(folder / "rows.csv", row_type)


def dense_network() -> tuple[Callable[..., Any], list[jax.Array]]:
    shapes = ((8, 12), (12, 20), (20, 4))
    keys = jax.random.split(jax.random.key(0), len(shapes))
    params = [jax.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True)]
    return lambda params, x: jnp.linalg.multi_dot([x, *params]), params


def numpy_scores(kernels: list[np.ndarray]) -> list[np.ndarray]:
    """|w| dR/d|w| of dense layers on an input of ones, by the sums of what comes and goes."""
    kernels = [np.abs(kernel) for kernel in kernels]
    before = [np.ones(len(kernels[0]))]
    for kernel in kernels[:-1]:
        before.append(before[-1] @ kernel)
    after = [np.ones(kernels[-1].shape[1])]
    for kernel in kernels[:0:-1]:
        after.insert(0, kernel @ after[0])
    return [k * np.outer(b, a) for k, b, a in zip(kernels, before, after, strict=True)]


@pytest.mark.parametrize("schedule", [sf.linear, sf.exponential])
def test_rounds_against_numpy(schedule: Any) -> None:
    apply_fn, params = dense_network()
    kernels = [np.asarray(kernel, np.float64) for kernel in params]
    size = sum(kernel.size for kernel in kernels)
    score_fn = sf.synflow(apply_fn, jnp.ones((1, 8)))
    found = list(prune_by_rounds(score_fn, params, 20.0, rounds=4, schedule=schedule))
    for each, density in zip(found, schedule(20.0, 4), strict=True):
        scores = numpy_scores(kernels)
        kept = size - math.floor((1 - density) * size)
        threshold = np.sort(np.concatenate([s.ravel() for s in scores]))[-kept]
        cut = [s[s < threshold].sum() for s in scores]
        np.testing.assert_allclose(each.scores / each.scores[0], 1, rtol=1e-5)
        np.testing.assert_allclose(each.cut / each.scores[0], np.array(cut) / scores[0].sum(), 1e-4)
        kernels = [np.where(s >= threshold, k, 0) for k, s in zip(kernels, scores, strict=True)]
        np.testing.assert_array_equal(each.kept, [np.count_nonzero(k) for k in kernels])


def test_rounds_are_those_of_prune() -> None:
    _, params = dense_network()
    key = jax.random.key(3)
    *_, last = prune_by_rounds(sf.random(), params, 7.0, rounds=3, key=key)
    mask, _ = sf.prune(sf.random(), params, 7.0, rounds=3, key=key)
    for a, b in zip(last.mask, mask, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rounds_refuse_scores_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="round 1 of 2"):
        list(prune_by_rounds(sf.magnitude(), {"kernel": jnp.full((2, 2), jnp.nan)}, 2.0, rounds=2))


def test_fig2_counts_and_collapse(tmp_path: Path) -> None:
    options = ("--model", "default/fc", "--methods", "magnitude", "random")
    rows = run(fig2, "fig2", tmp_path, LayerKept, *options, "--compressions", "1", "30")
    for method in ("magnitude", "random"):
        compressions, kept = kept_array(rows, method)
        np.testing.assert_array_equal(compressions, [1, 30])
        sizes = np.array([64 * 100, 10_000, 10_000, 10_000, 10_000, 1000])
        np.testing.assert_array_equal(kept[0], [sizes])
        assert (kept[1].sum(axis=-1) == math.ceil(sizes.sum() / 30)).all()
        assert (critical_compressions(compressions, kept) == 30).all()
    # Uniform weights within +-1 / sqrt(fan_in): the first layer's are the largest.
    kept = kept_array(rows, "magnitude")[1][1]
    bounds = np.array([64] + [100] * 5) ** -0.5
    density = [np.clip(1 - t / bounds, 0, 1) for t in np.linspace(0, 0.125, 10_001)]
    expected = min(density, key=lambda d: abs((d * sizes).sum() - sizes.sum() / 30)) * sizes
    assert (np.abs(kept - expected) <= 5 * np.sqrt(expected) + 1).all()


def test_fig4_slopes() -> None:
    apply_fn, params = dense_network()
    scores = sf.synflow(apply_fn, jnp.ones((1, 8)))(params, sf.full_mask(params), None, None)
    rows = layer_scores("synflow", lambda: {str(i): x for i, x in enumerate(scores)})
    rows += layer_scores("ones", lambda: {str(i): x * 0 + 1 for i, x in enumerate(params)})
    assert abs(slope(rows, "synflow") - 1) < 1e-6
    assert abs(slope(rows, "ones")) < 1e-6


def test_fig4_command(tmp_path: Path) -> None:
    options = ("--model", "default/fc", "--methods", "random")
    rows = run(fig4, "fig4", tmp_path, LayerScore, *options)
    assert [round(1 / row.inverse_size) for row in rows] == [6400] + [10_000] * 4 + [1000]
    # Uniform from 0 to 1.
    assert all(abs(row.average - 0.5) <= 5 * (row.inverse_size / 12) ** 0.5 for row in rows)


@pytest.mark.slow
def test_fig4_small_vgg(tmp_path: Path) -> None:
    rows = run(fig4, "fig4", tmp_path, LayerScore, "--methods", "synflow", "random")
    assert len(rows) == 2 * 7
    assert abs(slope(rows, "synflow") - 1) < 1e-6
    assert abs(slope(rows, "random")) < 0.02


def test_fig3_synflow_is_conserved_by_every_unit() -> None:
    apply_fn, params = dense_network()
    scores = sf.synflow(apply_fn, jnp.ones((1, 8)))(params, sf.full_mask(params), None, None)
    rows = unit_scores("synflow", lambda: {str(i): x for i, x in enumerate(scores)})
    rows += unit_scores("magnitude", lambda: {str(i): jnp.abs(x) for i, x in enumerate(params)})
    assert len(rows) == 2 * (12 + 20)
    assert correlation(rows, "synflow") > 1 - 1e-9
    assert largest_difference(rows, "synflow") < 1e-5
    assert correlation(rows, "magnitude") < 0.9


def test_fig3_command(tmp_path: Path) -> None:
    options = ("--model", "default/fc", "--methods", "magnitude")
    rows = run(fig3, "fig3", tmp_path, UnitScore, *options)
    assert len(rows) == 5 * 100


def test_fig3_sums_by_hand() -> None:
    before, after = np.arange(2.0 * 3).reshape(1, 1, 2, 3), np.arange(12.0 * 2).reshape(12, 2)
    entering, leaving = in_and_out(before, after)
    np.testing.assert_array_equal(entering, [0 + 3, 1 + 4, 2 + 5])
    np.testing.assert_array_equal(leaving, [after[c::3].sum() for c in range(3)])


def test_fig7_more_rounds_cut_less(tmp_path: Path) -> None:
    options = ("--model", "default/fc", "--log10-compressions", "1", "--rounds", "1", "5", "20")
    rows = run(fig7, "fig7", tmp_path, Cut, *options)
    linear, exponential = ([r.ratio for r in rows if r.schedule == s] for s in SCHEDULES)
    assert linear[0] == exponential[0] > 1
    assert linear == sorted(linear, reverse=True)
    assert exponential[1] < linear[1]


def test_inputs_mean_image_keeps_to_the_digits(tmp_path: Path) -> None:
    options = ("--paddings", "black", "--side", "12", "--log10-compressions", "0", "1")
    quick = ("--rounds", "10", "--seeds", "1", "--epochs", "1")
    rows = run(inputs, "inputs", tmp_path, Trained, *options, *quick)
    digit = {(row.input, row.log10_compression): row.digit for row in rows}
    assert digit["ones", 0] == digit["mean", 0] == 64 / 144
    assert digit["mean", 1] == 1 > digit["ones", 1]
    assert len({row.kept for row in rows}) == 2
    assert {row.overlap for row in rows if row.input == "ones"} == {1.0}
    assert all(0 < row.accuracy <= 1 for row in rows)


def test_effective_counts(tmp_path: Path) -> None:
    options = ("--models", "default/fc", "--log10-compressions", "0", "1", "2", "--rounds", "10")
    rows = run(effective, "effective", tmp_path, DensityRow, *options, "--scoring-images", "2")
    sizes = np.array([3072 * 100, 10_000, 10_000, 10_000, 10_000, 1000])
    assert [row.kept for row in rows] == [math.ceil(sizes.sum() / c) for c in (1, 10, 100)] * 4
    by_method = {row.method: [r.effective for r in rows if r.method == row.method] for row in rows}
    assert list(by_method) == ["synflow", "snip", "magnitude", "random"]
    assert all(used[0] == sizes.sum() for used in by_method.values())
    assert all(row.effective <= row.kept for row in rows)
    # Of the 100 weights into a unit one is left on average, and often none.
    assert by_method["random"][2] < 0.8 * rows[-1].kept
    assert by_method["synflow"][2] > 0.9 * rows[-1].kept
    assert "in % of the weights kept" in effective_table(rows)


def test_masks_on_the_way_are_those_of_one_pruning() -> None:
    apply_fn, params = dense_network()
    score_fn = sf.synflow(apply_fn, jnp.ones((1, 8)))
    way, key = METHODS["synflow"], jax.random.key(0)
    masks = masks_in_rounds(way, score_fn, params, [0.5, 1.0], batch=None, key=key, rounds=3)
    last, history = sf.prune(score_fn, params, 10.0, rounds=6)
    for a, b in zip(masks[1], last, strict=True):
        np.testing.assert_array_equal(a, b)
    assert sum(int(leaf.sum()) for leaf in masks[0]) == history.kept[2]


@pytest.mark.parametrize(
    ("main", "bad", "word"),
    [
        (effective, ["--models", "lottery/vgg17"], "lottery/vgg17"),
        (effective, ["--models", "default/fc", "--rounds", "0"], "--rounds must be >= 1"),
        (fig2, ["--compressions", "0.5"], "--compressions must be from 1"),
        (fig2, ["--full", "--vgg16-cifar100"], "give one of them"),
        (fig2, ["--model", "lottery/vgg17"], "lottery/vgg17"),
        (fig2, ["--paper-data", "nowhere", "--vgg16-cifar100"], "nowhere"),
        (fig3, ["--model", "lottery/resnet20", "--input-shape", "32", "32", "3"], "line"),
        (fig4, ["--methods", "snip", "--full"], "snip score with data"),
        (fig7, ["--rounds", "0"], "--rounds must be >= 1"),
        (fig7, ["--log10-compressions", "0"], "--log10-compressions"),
        (inputs, ["--side", "8"], "--side must be from 9"),
    ],
)
def test_bad_option_is_answered_in_one_line(
    main: Callable[..., None], bad: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(bad)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    assert word in output.err


@needs_paper
def test_published_slopes() -> None:
    rows = fig4_paper_rows(PAPER)
    slopes = {method: slope(rows, method) for method in ("synflow", "snip", "magnitude")}
    assert {method: round(x, 2) for method, x in slopes.items()} == {
        "synflow": 1.0,
        "snip": 0.56,
        "magnitude": 0.2,
    }


@needs_paper
@pytest.mark.parametrize("method", ["magnitude", "random", "synflow"])
def test_agreement_of_a_published_run_with_the_others(method: str) -> None:
    rows = paper_rows(PAPER)
    one, others = ([r for r in rows if (r.seed == 1) == own] for own in (True, False))
    found = compare(one, others, method)
    assert 0.5 < found.ratio < found.quantile
    changed = [row._replace(kept=row.kept + row.size // 50) for row in one]
    assert compare(changed, others, method).ratio > found.quantile


@needs_paper
@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "powers", "critical"),
    [
        ("magnitude", tuple(k / 4 for k in range(25)), (2.75, 2.75)),
        ("random", tuple(k / 4 for k in range(25)), (2.75, 3.75)),
        ("synflow", (0.5, 2, 4, 5.75), (5.75, 6)),
    ],
)
def test_vgg16_keeps_what_was_published(
    method: str, powers: tuple[float, ...], critical: tuple[float, float], tmp_path: Path
) -> None:
    options = ("--vgg16-cifar100", "--methods", method, "--paper-data", str(PAPER))
    compressions = [str(10**power) for power in powers]
    rows = run(fig2, "fig2", tmp_path, LayerKept, *options, "--compressions", *compressions)
    found = compare(rows, paper_rows(PAPER), method)
    assert found.ratio < found.quantile
    if method == "synflow":
        assert found.largest <= 0.05
    (largest,) = np.log10(critical_compressions(*kept_array(rows, method)))
    assert critical[0] - 1e-9 <= largest <= critical[1] + 1e-9


@needs_paper
@pytest.mark.slow
def test_vgg19_cuts_what_was_published(tmp_path: Path) -> None:
    options = ("--full", "--rounds", "1", "10", "--log10-compressions", "0.5", "2")
    paper = ("--paper-data", str(PAPER))
    rows = run(fig7, "fig7", tmp_path, Cut, *options, *paper)
    found = deviations(rows, fig7_paper_rows(PAPER))
    assert len(found) == 8
    assert np.abs(found).max() <= 0.03
