"""The study of pruned units, in small: rows, times of steps, sizes beside published ones."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from experiments.data import load
from experiments.runs.rows import read_rows
from experiments.training import Recipe, compacted, loss_and_accuracy, make_member, make_task
from experiments.units import __main__ as command
from experiments.units import compare
from experiments.units.experiment import experiment
from experiments.units.figure import accuracy_table, step_table, units_figure
from experiments.units.options import Options, subjects_of
from experiments.units.published import PUBLISHED
from experiments.units.rows import Row
from experiments.units.steps import step_rows
from experiments.units.ways import WAYS, Case, at_full_shape, make_case, pruned
from experiments.untrained.subject import Subject

pytestmark = pytest.mark.usefixtures("others_promote")

NETWORK = "small-mlp"
SMALL = Options(
    ways=("synflow", "weights"),
    fractions=(0.5,),
    log10_compressions=(1.5,),
    seeds=1,
    rounds=5,
    steps=2,
)


@cache
def case() -> Case:
    """Two hidden layers of 100 units, for 64 pixels and 10 classes."""
    task = make_task(NETWORK, load("digits"), Recipe(1, 0.003, batch_size=128))
    return make_case(NETWORK, task, [make_member(task, 0, 0)])


def test_rows_times_figure_and_tables(tmp_path: Path) -> None:
    rows = experiment(SMALL, [case()], tmp_path)
    assert read_rows(tmp_path / "rows.csv", Row) == rows
    dense, units, weights = rows
    assert [row.way for row in rows] == ["dense", "synflow", "weights"]
    products = 64 * 100 + 100 * 100 + 100 * 10
    assert dense.multiplications_left == dense.multiplications == products
    assert dense.left == dense.kept == dense.weights == products + 2 * 2 * 100 + 10
    # A unit of the second layer takes 100 products and gives to 10; of the first 64 and 100.
    assert 0 <= 0.5 - units.fraction <= (64 + 100) / products
    assert units.kept == units.left
    assert weights.kept < weights.left < weights.weights
    assert all(row.accuracy > 0.1 for row in rows)
    steps = step_rows(SMALL, [case()], tmp_path)
    assert [(row.way, row.left) for row in steps] == [(row.way, row.left) for row in rows]
    assert all(row.seconds > 0 for row in steps)
    (axes,) = units_figure(rows, {NETWORK: "digits"}).axes
    assert {line.get_label() for line in axes.get_lines()} >= {
        WAYS[w].style.label for w in SMALL.ways
    }
    assert f"{products:,}" in axes.get_title(loc="left")
    assert f"{units.fraction:.2%}" in accuracy_table(rows)
    assert f"{weights.multiplications_left:,}" in step_table(steps)


def test_large_networks_are_made_small_and_keep_checkpoints(tmp_path: Path) -> None:
    options = replace(SMALL, full=True, ways=("synflow",))
    dense, units = experiment(options, [case()], tmp_path)
    assert units.left < dense.left
    assert all(row.accuracy > 0.1 for row in (dense, units))
    assert not list((tmp_path / "trainings").iterdir())


def test_masked_and_compact_training_are_the_same() -> None:
    member = case().members[0]
    mask = pruned(case(), WAYS["snip"], 0.5, member, rounds=1).mask
    masked = case().task, member.network, at_full_shape(mask, member.network.params)
    small = compacted(case().task, member.network, mask)
    key = member.training_key
    loss, accuracy = loss_and_accuracy(*small, key, None)
    expected = pytest.approx(loss, rel=1e-4), pytest.approx(accuracy, abs=0.01)
    assert loss_and_accuracy(*masked, key, None) == expected


def test_each_layer_loses_the_same_share() -> None:
    mask = pruned(case(), WAYS["uniform"], 0.5, case().members[0], rounds=1).mask
    first, second = (mask.hidden[i].kernel[...].any(0) for i in (0, 1))
    assert int(first.sum()) == int(second.sum()) < 100


def test_sizes_beside_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "SUBJECTS", (Subject("default/fc", (8, 8, 1), 10),))
    options = Options(rounds=2)
    text = compare.compare(options, tmp_path)
    rows = read_rows(tmp_path / "rows.csv", compare.SizeRow)
    products = 64 * 100 + 4 * 100 * 100 + 100 * 10
    assert [row.asked for row in rows] == [*compare.SPEED_UPS] * 2
    for row in rows:
        assert row.multiplications == products
        assert row.weights == products + 5 * 100 + 10
        assert row.multiplications_left * row.asked <= products
        assert f"{row.multiplications_left:,}" in text
    # Of all units the next one has at most these products; a share of each layer is five units.
    assert all(products / row.asked - row.multiplications_left < 5 * 200 for row in rows)


def test_published_numbers_agree_with_each_other() -> None:
    for each in PUBLISHED:
        if each.multiplications is not None:
            assert 1 / each.multiplications == pytest.approx(each.speed_up, rel=0.01)


def test_full_is_vgg16_and_resnet56_on_cifar() -> None:
    found = [
        (network, data, recipe.epochs) for network, data, recipe in subjects_of(Options(full=True))
    ]
    assert found == [("lottery/vgg16-bn", "cifar100", 160), ("lottery/resnet56", "cifar10", 160)]
    assert subjects_of(Options(epochs=3))[0].recipe.epochs == 3


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (["--fractions", "0"], "--fractions"),
        (["--ways", "grasp"], "grasp"),
        (["--log10-compressions", "-1"], "--log10-compressions"),
        (["--full", "--data-dir", "nowhere"], "cifar100"),
    ],
)
def test_bad_option_is_answered_in_one_line(
    bad: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(bad)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert word in line
