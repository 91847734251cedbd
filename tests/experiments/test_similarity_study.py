"""Measures of similarity against what they must not change by, and the study in small."""

from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.cross_decomposition import CCA

from experiments.runs.rows import read_rows
from experiments.similarity import __main__ as command
from experiments.similarity.experiment import OTHER, Row, experiment, make_case
from experiments.similarity.figure import map_of, similarity_figure, similarity_table
from experiments.similarity.measures import linear_cka, svcca
from experiments.similarity.options import SUBJECTS, Options, Subject
from experiments.similarity.representations import representations
from experiments.training import split_network
from experiments.training.recipes import SINGLESHOT

pytestmark = pytest.mark.usefixtures("others_promote")

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 3))
ROTATION = np.linalg.qr(RNG.normal(size=(5, 5)))[0]


@pytest.mark.parametrize("measure", [linear_cka, svcca])
def test_invariances(measure) -> None:
    found = measure(X, Y)
    assert 0 < found < 1
    assert measure(X, X) == pytest.approx(1, abs=1e-12)
    for same in (X @ ROTATION, -3 * X, X + RNG.normal(size=5), np.pad(X, ((0, 0), (0, 2)))):
        assert measure(same, Y) == pytest.approx(found, abs=1e-10)
        assert measure(Y, same) == pytest.approx(found, abs=1e-10)
        assert measure(X, same) == pytest.approx(1, abs=1e-10)
    order = RNG.permutation(40)
    assert measure(X[order], Y[order]) == pytest.approx(found, abs=1e-10)


def test_cka_by_hand() -> None:
    # Centered: x has columns (1, 0, -1) and (1, -2, 1), y (1, 1, -2) and zeros.
    x = np.array([[2.0, 3.0], [1.0, 0.0], [0.0, 3.0]])
    y = np.array([[1.0, 7.0], [1.0, 7.0], [-2.0, 7.0]])
    between = (1 + 2) ** 2 + (1 - 2 - 2) ** 2
    expected = between / (np.sqrt(2**2 + 6**2) * 6)
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-12)
    # Two directions of three examples hold all that one direction does.
    assert svcca(x, y) == pytest.approx(1, abs=1e-12)


def test_all_of_the_variance_is_canonical_correlation_analysis() -> None:
    model = CCA(n_components=3, scale=False, max_iter=5000, tol=1e-12).fit(X, Y)
    ours, theirs = model.transform(X, Y)
    expected = [np.corrcoef(ours[:, i], theirs[:, i])[0, 1] for i in range(3)]
    assert svcca(X, Y, variance=1.0) == pytest.approx(np.mean(expected), abs=1e-6)
    mixed = X @ RNG.normal(size=(5, 5))
    assert svcca(mixed, Y, variance=1.0) == pytest.approx(np.mean(expected), abs=1e-6)


def test_directions_of_little_variance_are_left_out() -> None:
    small = 1e-3 * RNG.normal(size=(40, 1))
    one = np.hstack([X[:, :1], small])
    assert svcca(one, X[:, :1]) == pytest.approx(1, abs=1e-4)
    assert svcca(one, np.hstack([X[:, :1], RNG.normal(size=(40, 1))])) > 0.9
    with_all = svcca(one, np.hstack([X[:, :1], RNG.normal(size=(40, 1))]), variance=1.0)
    assert with_all < 0.9


@pytest.mark.parametrize("measure", [linear_cka, svcca])
def test_what_is_the_same_everywhere_and_bad_shapes(measure) -> None:
    assert np.isnan(measure(np.full((40, 2), 0.1, np.float32), Y))
    for bad in (X[:-1], X[:, 0], X[:0]):
        with pytest.raises(ValueError, match="same examples"):
            measure(bad, Y)


class Blocks(nnx.Module):
    """Two layers in blocks."""

    def __init__(self) -> None:
        self.blocks = nnx.List([nnx.Linear(1, 2, rngs=nnx.Rngs(i)) for i in range(1)])
        self.output = nnx.Linear(2, 10, rngs=nnx.Rngs(2))

    def __call__(self, x):
        for block in self.blocks:
            x = block(x)
        return self.output(x.mean((1, 2)))


def test_representations_are_outputs_of_modules() -> None:
    model = Blocks()
    graph, network = split_network(model)
    images = jnp.asarray(RNG.normal(size=(3, 4, 4, 1)), jnp.float32)
    task = SimpleNamespace(
        setup=SimpleNamespace(graph=graph, prepare_test=lambda images: images),
        data=SimpleNamespace(test=SimpleNamespace(images=images)),
    )
    state = SimpleNamespace(params=network.params, model_state=network.state)
    found = representations(task, state, ("blocks/0", "output"))
    np.testing.assert_allclose(found["blocks/0"], model.blocks[0](images).reshape(-1, 2), rtol=1e-6)
    np.testing.assert_allclose(found["output"], model(images), rtol=1e-6)


def test_the_study_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = ("norms/0", "norms/1", "output")
    monkeypatch.setitem(SUBJECTS, "small-mlp", Subject(SINGLESHOT, None, layers))
    options = Options(methods=("magnitude",), log10_compressions=(1,), seeds=1, epochs=1)
    case = make_case(options, "small-mlp")
    rows = experiment(options, [case], tmp_path)
    assert read_rows(tmp_path / "rows.csv", Row) == rows
    assert [row.layer for row in rows] == [*layers, *layers]
    assert [row.method for row in rows] == [OTHER] * 3 + ["magnitude"] * 3
    assert all(0 < row.cka < 1 and 0 < row.svcca < 1 for row in rows)
    assert map_of(rows, "cka").shape == (3, 2)
    assert len(similarity_figure(rows).axes) == 3
    assert f"{100 * rows[-1].accuracy:.1f}" in similarity_table(rows)


@pytest.mark.parametrize(
    ("bad", "word"), [(["--networks", "small-mixer"], "small-mixer"), (["--seeds", "0"], "--seeds")]
)
def test_bad_option_is_answered_in_one_line(
    bad: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(bad)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert word in line
