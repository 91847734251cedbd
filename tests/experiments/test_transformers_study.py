"""The study of transformers, in small: rows, what is left where, figure and tables."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import synflow_jax as sf
from experiments.networks import create_network
from experiments.networks.small_transformers import made_homogeneous
from experiments.runs.rows import read_rows
from experiments.transformers import __main__ as command
from experiments.transformers.experiment import cases_of, experiment
from experiments.transformers.figure import accuracy_table, collapse_table, transformers_figure
from experiments.transformers.options import Options
from experiments.transformers.rows import Row, left_of
from experiments.transformers.ways import NAIVE, WAYS, Case, masks

pytestmark = pytest.mark.usefixtures("others_promote")

SMALL = Options(
    networks=("small-vit",),
    ways=("synflow-once", "magnitude"),
    log10_compressions=(1.0,),
    seeds=1,
    rounds=3,
    epochs=1,
)


@cache
def case() -> Case:
    (found,) = cases_of(SMALL)
    return found


def test_rows_figure_and_tables(tmp_path: Path) -> None:
    rows = experiment(SMALL, [case()], tmp_path)
    assert {row.way for row in read_rows(tmp_path / "rows.csv", Row)} == {row.way for row in rows}
    assert [row.way for row in rows] == ["dense", *SMALL.ways]
    dense, *pruned = rows
    assert dense.kept == dense.weights == 128 + 320 + 3 * 4 * 1024 + 3 * 2 * 2048
    assert (dense.matching, dense.mixing, dense.mlps) == (3 * 2048, 3 * 2048, 3 * 4096)
    assert (dense.kernels, dense.collapsed, dense.heads, dense.heads_lost) == (20, 0, 12, 0)
    assert [row.kept for row in pruned] == [-(-dense.weights // 10)] * 2
    assert all(np.isfinite(row.loss) for row in rows)
    above, below = transformers_figure(rows).axes
    labels = {line.get_label() for line in above.get_lines()}
    assert labels >= {WAYS[way].style.label for way in SMALL.ways}
    assert len(below.get_lines()) == 2
    assert f"{100 * dense.accuracy:.1f}" in accuracy_table(rows)
    assert collapse_table(rows).count("small-vit") == 2


def test_queries_and_keys_go_at_once_where_attention_is_the_mean() -> None:
    member = case().members[0]
    (mask,) = masks(case(), WAYS[NAIVE], [0.2], member, rounds=3)
    left = left_of(mask, member.network.params)
    assert (left.matching, left.collapsed, left.heads_lost) == (0, 6, 12)
    assert left.mixing > 0
    with pytest.warns(UserWarning, match="key/kernel' are all 0"):
        sf.prune(case().scores[NAIVE], member.network.params, 2, rounds=1)


def test_heads_are_counted() -> None:
    params = case().members[0].network.params
    mask = sf.full_mask(params)
    kernels = mask.blocks[1].attention
    kernels.key.kernel[...] = kernels.key.kernel[...].at[:, 2].set(False)
    kernels.output.kernel[...] = kernels.output.kernel[...].at[2:].set(False)
    left = left_of(mask, params)
    assert (left.heads_lost, left.collapsed) == (2, 0)


def test_a_mixer_without_statistics_has_the_same_scores() -> None:
    model = create_network("small-mixer", classes=10, input_shape=(8, 8, 1), rngs=nnx.Rngs(0))
    (apply_fn, params), inputs = sf.from_nnx(model), jnp.ones((1, 8, 8, 1))
    plain, same = sf.from_nnx(made_homogeneous(model))
    assert jax.tree.structure(params) == jax.tree.structure(same)
    scores = [
        jax.jit(score_fn)(params, sf.full_mask(params), None, None)
        for score_fn in (
            sf.synflow(apply_fn, inputs, through="attention"),
            sf.synflow(plain, inputs, biases=False),
        )
    ]
    for ours, naive in zip(*map(jax.tree.leaves, scores), strict=True):
        np.testing.assert_allclose(ours, naive, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (["--networks", "small-vgg"], "small-vgg"),
        (["--ways", "fisher"], "fisher"),
        (["--log10-compressions", "-1"], "--log10-compressions"),
        (["--seeds", "0"], "--seeds"),
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
