"""Experiments that train many times: iterative pruning, ablations, tickets, conservation."""

import csv
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synflow_jax as sf
from experiments.ablations import __main__ as ablations_command
from experiments.ablations import experiment as ablations
from experiments.ablations.options import Options as AblationsOptions
from experiments.data import load
from experiments.fig5b import __main__ as fig5b_command
from experiments.fig5b import experiment as fig5b
from experiments.lottery import __main__ as lottery_command
from experiments.lottery import experiment as lottery
from experiments.multishot import __main__ as multishot_command
from experiments.multishot import experiment as multishot
from experiments.multishot.options import Options as MultishotOptions
from experiments.multishot.published import read_multishot
from experiments.reporting.published import Point, agreement
from experiments.reporting.results import Row
from experiments.singleshot import __main__ as singleshot_command
from experiments.singleshot.options import Options, powers_of, resolved
from experiments.singleshot.published import read_singleshot
from experiments.training import PUBLISHED, Recipe, Task, accuracy, make_task, train_network

pytestmark = pytest.mark.usefixtures("others_promote")

PAPER = Path(__file__).parents[3] / "shared" / "paper"
needs_paper = pytest.mark.skipif(not PAPER.is_dir(), reason=f"{PAPER} isn't there")
KEY = jax.random.key(0)
# The methods of the paper.
COMPARED = {"synflow", "snip", "grasp", "magnitude", "random"}


@cache
def tiny_task() -> Task:
    return make_task("lenet-300-100", load("digits"), Recipe(1, 0.1, batch_size=128))


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_multishot_rows(tmp_path: Path) -> None:
    options = MultishotOptions(cycles=(1, 2), log10_compressions=(0.0, 1.0))
    rows = multishot.experiment(options, tiny_task(), tmp_path)
    assert [(row.method, row.log10_compression) for row in rows] == [
        *(("1", 0.0), ("1", 1.0)),
        *(("2", 0.0), ("2", 1.0)),
    ]
    weights = 64 * 300 + 300 * 100 + 100 * 10
    for row in rows:
        assert row.weights == weights
        assert row.kept == weights - int((1 - 10.0**-row.log10_compression) * weights)
    # Without pruning there is one training, which all numbers of cycles share.
    assert rows[0][5:] == rows[2][5:]
    assert rows == multishot.experiment(options, tiny_task(), tmp_path)


def test_multishot_with_checkpoints_gives_the_same(tmp_path: Path) -> None:
    small, full = (
        multishot.experiment(
            MultishotOptions(cycles=(2,), log10_compressions=(1.0,), full=full),
            tiny_task(),
            tmp_path / f"{full}",
        )
        for full in (False, True)
    )
    assert small == full
    assert not (tmp_path / "True" / "trainings").exists()


def test_one_cycle_is_magnitude_pruning_after_training(tmp_path: Path) -> None:
    task, options = tiny_task(), MultishotOptions(cycles=(1,), log10_compressions=(1.0,))
    member = multishot.make_member(options, task, tmp_path, 0)
    trained = member.dense().state.params
    mask, _ = sf.prune(sf.magnitude(), trained, 10.0, rounds=1)
    key = jax.random.fold_in(member.key, 1)
    state = train_network(task, member.network, mask, key).state
    (row,) = multishot.experiment(options, task, tmp_path)
    assert row.accuracy == accuracy(task, state)


def test_ablations_rows(tmp_path: Path) -> None:
    options = AblationsOptions(
        methods=("magnitude",),
        ablations=("none", "shuffle", "invert"),
        log10_compressions=(0.5,),
        seeds=1,
    )
    rows = ablations.experiment(options, tiny_task(), tmp_path)
    for row in rows:
        assert row.kept == row.weights - int((1 - 10.0**-row.log10_compression) * row.weights)
    assert len({row.loss for row in rows}) == len(rows) == 3


def test_shuffling_keeps_each_layer_as_full() -> None:
    network = tiny_task().make(KEY)
    mask, _ = sf.prune(sf.magnitude(), network.params, 10.0, rounds=1)
    mixed = ablations.shuffled(mask, KEY)
    for old, new in zip(*map(jax.tree.leaves, (mask, mixed)), strict=True):
        assert old.shape == new.shape
        assert int(old.sum()) == int(new.sum())
        if old.ndim:
            size, kept = old.size, int(old.sum())
            # Of the weights kept a share kept / size stays, as for independent draws.
            expected, deviation = kept**2 / size, (kept / size) * np.sqrt(size)
            assert abs(int((old & new).sum()) - expected) < 5 * deviation


def test_inverted_scores_prune_the_highest() -> None:
    params = {"kernel": jnp.array([[0.1, -0.4], [0.3, 0.2]])}
    mask, _ = sf.prune(ablations.inverted(sf.magnitude()), params, 2.0, rounds=1)
    np.testing.assert_array_equal(mask["kernel"], [[True, False], [False, True]])


def test_movement_leaves_out_what_is_not_prunable() -> None:
    rng = np.random.default_rng(0)
    before, after = ({"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)} for _ in range(2))
    kept = rng.random((3, 4)) < 0.5
    mask = {"w": jnp.asarray(kept), "b": jnp.array(True)}
    distance = np.abs(after["w"] - before["w"])
    expected = distance[kept].mean(), distance[~kept].mean()
    np.testing.assert_allclose(lottery.movement(before, after, mask), expected, rtol=1e-12)


@pytest.mark.slow
def test_lottery_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--networks", "lenet-300-100", "--levels", "2", "--epochs", "3"]
    lottery_command.main(
        [*options, "--rewind-epoch", "1", "--results", str(tmp_path), "--run", "a"]
    )
    rows = table(tmp_path / "lottery" / "a" / "rows.csv")
    assert [row["kind"] for row in rows] == [
        "dense",
        *(kind for kind in lottery_kinds() for _ in range(2)),
    ]
    weights = 64 * 300 + 300 * 100 + 100 * 10
    steps = (1437 - 287) // 60
    for row in rows:
        asked = weights - int((1 - 10.0 ** -int(row["level"])) * weights)
        assert int(row["kept"]) == asked
        assert int(row["early_step"]) % steps == 0
        first = row["kind"] in ("dense", "reinitialized")
        assert (1 if first else 2) * steps <= int(row["early_step"]) <= 3 * steps
    for name in ("lottery.png", "lottery.svg", "config.json"):
        assert (tmp_path / "lottery" / "a" / name).stat().st_size > 100
    assert "iterative" in capsys.readouterr().out


def lottery_kinds() -> tuple[str, ...]:
    return ("iterative", "one-shot", "reinitialized", "random mask")


def test_layers_without_biases_have_equal_sums_of_weight_times_gradient() -> None:
    """What keeps differences of squared norms under gradient flow: ``d|W_l|^2/dt`` is the same
    for all layers (biases are 0 at initialization), here of a shallower network than figure 5b's.
    """
    data = load("digits")
    task = make_task("small-conv", data, Recipe(1, 0.1, batch_size=64))
    params = task.make(KEY).params
    batch = task.setup.prepare_test(data.train.images[:32]), data.train.labels[:32]
    gradient = jax.jit(jax.grad(sf.cross_entropy(task.apply_fn)))(params, batch)
    rates = [
        np.vdot(np.asarray(w, np.float64), np.asarray(g, np.float64))
        for w, g in zip(*map(jax.tree.leaves, (params, gradient)), strict=True)
        if w.ndim >= 2
    ]
    assert len(rates) == 4
    np.testing.assert_allclose(rates, rates[0], rtol=1e-4)


def test_slope_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    sizes, means = rng.integers(10, 10_000, 7), rng.random(7)
    layers = [fig5b.LayerRow(0, "", int(n), m, m, 0.0) for n, m in zip(sizes, means, strict=True)]
    fitted = stats.linregress(-np.log(sizes), np.log(means)).slope
    np.testing.assert_allclose(fig5b.slope(layers, "mean_square"), fitted, rtol=1e-9)


@pytest.mark.slow
def test_fig5b_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fig5b_command.main(["--epochs", "2", "--results", str(tmp_path), "--run", "a"])
    rows = table(tmp_path / "fig5b" / "a" / "rows.csv")
    assert len({row["layer"] for row in rows}) == 7
    assert {row["epoch"] for row in rows} == {"0", "1", "2"}
    assert (tmp_path / "fig5b" / "a" / "fig5b.png").stat().st_size > 100
    assert "slope" in capsys.readouterr().out.lower()


@pytest.mark.slow
def test_singleshot_of_the_zoo(tmp_path: Path) -> None:
    options = ["--model", "default/fc", "--methods", "magnitude", "--log10-compressions", "0", "1"]
    options += ["--seeds", "1", "--epochs", "1", "--results", str(tmp_path), "--run", "a"]
    singleshot_command.main(options)
    folder = tmp_path / "singleshot" / "a"
    rows = table(folder / "rows.csv")
    assert [float(row["log10_compression"]) for row in rows] == [0, 1]
    for row in rows:
        weights = int(row["weights"])
        asked = weights - int((1 - 10.0 ** -float(row["log10_compression"])) * weights)
        assert int(row["kept"]) == asked
    assert not list((folder / "trainings").iterdir())


def test_full_is_the_papers_size() -> None:
    config = resolved(Options(full=True))
    assert (config.model, config.data) == ("lottery/vgg16-bn", "cifar100")
    assert config.log10_compressions == tuple(np.arange(0, 6.01, 0.25))
    assert (config.epochs, config.batch_size, config.weight_decay) == (160, 128, 1e-4)
    assert powers_of(Options()) == [0, 0.5, 1, 1.5, 2, 2.5, 3]


@pytest.mark.parametrize(
    ("program", "bad", "word"),
    [
        (singleshot_command, ["--full", "--learning-rate", "0.5"], "--learning-rate"),
        (singleshot_command, ["--model", "lottery/resnet20", "--data", "cifar10"], "no recipe"),
        (singleshot_command, ["--full", "--paper-data", "nowhere"], "nowhere"),
        (singleshot_command, ["--data", "cifar10"], "--data cifar10 needs a --model"),
        (multishot_command, ["--cycles", "0"], "--cycles"),
        (multishot_command, ["--log10-compressions", "-1"], "--log10-compressions"),
        (multishot_command, ["--full", "--data-dir", "nowhere"], "cifar10"),
        (ablations_command, ["--methods", "obd"], "obd"),
        (lottery_command, ["--rewind-epoch", "50"], "--rewind-epoch"),
        (lottery_command, ["--validation", "1.5"], "--validation"),
        (fig5b_command, ["--epochs-shown", "99"], "--epochs-shown"),
    ],
)
def test_bad_option_is_answered_in_one_line(
    program: Any, bad: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        program.main(bad)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert len(output.err.splitlines()) == 1
    assert word in output.err


def test_agreement_is_a_difference_of_means() -> None:
    rows = [Row("snip", s, 1.0, 10, 1, 0, 0.0, a) for s, a in enumerate((0.5, 0.7))]
    text = agreement(rows, [Point("snip", 1.0, 0.575), Point("snip", 2.0, 0.1)])
    assert text.split()[-6:] == ["snip", "1", "2.50", "+2.50", "at", "10^1"]
    assert agreement(rows, []) == ""


@needs_paper
def test_published_accuracies_are_found() -> None:
    points = read_multishot(PAPER)
    assert {point.method for point in points} == set("12345")
    assert Point("1", 0.0, pytest.approx(0.8827)) in points
    # Theirs have VGG-11 in place of our VGG-19.
    for model, data in (pair for pair in PUBLISHED if "vgg19" not in pair[0]):
        found = read_singleshot(PAPER, model=model, data=data)
        assert {point.method for point in found} == COMPARED, (model, data)
