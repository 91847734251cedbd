"""The benchmark: both sides prune alike, and the table and the file hold what was measured."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import compare, run
from benchmarks.harness.bandwidth import SIZES, Bandwidth
from benchmarks.harness.collectives import exchanged, runs
from benchmarks.harness.figures import figure, ratio
from benchmarks.harness.table import Reach, Row, as_json, at_least, line
from benchmarks.harness.timing import alternate, carried
from benchmarks.networks.zoo import Network, images, make
from benchmarks.suites import gpu

ROOT = Path(__file__).parents[2]
PLAIN = Network("default/conv", 10, 8)
NETWORKS = [
    PLAIN,
    pytest.param(Network("lottery/vgg11-bn", 10, 16), marks=pytest.mark.slow),
    Network("lottery/resnet20", 10, 8),
    pytest.param(Network("tinyimagenet/vgg11", 10, 64), marks=pytest.mark.slow),
    pytest.param(Network("imagenet/resnet50", 10, 32), marks=pytest.mark.slow),
]
WAITED = 0.2
SLOWER = f"""
import time
_prune = prune
def prune(*args, **options):
    time.sleep({WAITED})
    return _prune(*args, **options)
"""
pytestmark = pytest.mark.usefixtures("others_promote")


def benchmark(*arguments: str, command: str = "run") -> subprocess.CompletedProcess[str]:
    command_line = [sys.executable, "-m", f"benchmarks.{command}", *arguments]
    return subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_networks_compute_the_same(network: Network) -> None:
    pytest.importorskip("torch")
    from benchmarks.pytorch.networks import torch_network
    from benchmarks.pytorch.pruning import image_tensor

    with jax.enable_x64(True):
        made = make(network, dtype=jnp.float64)
        inputs, _ = images(network, 3, jnp.float64)
        expected = made.apply_fn(made.params, inputs)
    outputs = torch_network(made.model)(image_tensor(inputs)).detach().numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_synflow_prunes_the_same_weights(network: Network) -> None:
    pytest.importorskip("torch")
    from benchmarks.measurements.agreement import synflow_agrees

    (row,) = synflow_agrees("masks", 1, network=network, rounds=4)
    assert row.figures[row.result].highest == 0


@pytest.mark.parametrize("method", ["SNIP", "GRASP"])
def test_scores_on_data_prune_the_same_weights(method: str) -> None:
    pytest.importorskip("torch")
    from benchmarks.measurements import data_scores
    from benchmarks.measurements.agreement import data_score_agrees

    (row,) = data_score_agrees(
        "masks", 1, method=getattr(data_scores, method), network=PLAIN, count=5
    )
    assert row.figures[row.result].highest == 0


def test_differing_weights_are_counted() -> None:
    """Two scores that agree in nothing: the check is able to fail."""
    pytest.importorskip("torch")
    import synflow_jax as sf
    from benchmarks.harness.pruning import COMPRESSION
    from benchmarks.measurements.agreement import differing_weights
    from benchmarks.pytorch import pruning as torch_pruning

    with jax.enable_x64(True):
        made = make(PLAIN, dtype=jnp.float64)
        theirs = torch_pruning.synflow(torch_pruning.image_tensor(made.inputs))

        def lowest(params, mask, batch, key):
            scores = sf.synflow(made.apply_fn, made.inputs)(params, mask, batch, key)
            return jax.tree.map(jnp.negative, scores)

        differing = differing_weights(made, lowest, theirs, rounds=1)
    kept = made.weights - np.floor((1 - 1 / COMPRESSION) * made.weights)
    assert differing == 2 * kept


def test_quick_run_prints_a_table_and_writes_a_file(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "figures.json"
    done = benchmark("--quick", "--only", "kth", "rounds", "--json", str(file))
    assert done.returncode == 0, done.stderr
    table = [text for text in done.stdout.splitlines() if text.startswith("|")]
    assert {text.count("|") for text in table} == {5}
    content = json.loads(file.read_text())
    assert content["machine"]["versions"]["torch"]
    assert content["machine"]["cores"] >= 1
    assert [row["case"] for row in content["rows"]] == ["kth"] * 2 + ["rounds"] * 2
    assert all(row["what"] in text for row, text in zip(content["rows"], table[2:], strict=True))
    for row in content["rows"]:
        for each in row["figures"].values():
            assert 0 < each["lowest"] <= each["median"] <= each["highest"]


@pytest.mark.slow
def test_cases_of_a_gpu_run_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code on a CPU: rounds, their share of the bandwidth, the k-th score, training."""
    monkeypatch.setitem(SIZES, "cpu", 2**20)
    rows = [row for name, parts in gpu.QUICK.items() for part in parts for row in part(name, 5)]
    assert [(row.case, row.result) for row in rows] == [
        ("rounds", "synflow_jax"),
        ("rounds", "fraction of memory bandwidth"),
        ("kth", "synflow_jax"),
        ("kth", "of np.partition's time"),
        ("kth", "four histograms"),
        ("compact", "times as fast"),
        ("compact", "times as fast"),
        ("compact", "s"),
        ("training", "over the bare step"),
        ("changing", "over the bare step"),
        ("changing", "over the bare step"),
    ]
    assert 0 < rows[1].figures[rows[1].result].highest < 1


@pytest.mark.slow
def test_all_quick_cases_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # Measured as users compile.
    file = tmp_path / "figures.json"
    done = benchmark("--quick", "--json", str(file))
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row for row in json.loads(file.read_text())["rows"]}
    judged = {what: row["reached"] for what, row in rows.items() if row["reach"]}
    assert len(judged) == 5
    assert all(judged.values()), judged


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert run.main(["--device", "gpu", "--json", str(file)]) == 2
    printed = capsys.readouterr()
    assert "no GPU" in printed.err
    assert printed.out == ""
    assert not file.exists()


def refused(main: Callable[[list[str]], Any], *arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--runs", "4"), "--runs must be >= 5, got 4"),
        (("--device", "tpu"), "invalid choice: 'tpu'"),
    ],
)
def test_refused(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(run.main, *arguments)
    assert message in capsys.readouterr().err


def test_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    refused(run.main, "--quick", "--only", "rounds", "vgg99")
    assert "no case is called vgg99; there are masks, rounds" in capsys.readouterr().err


def test_figures_and_rows() -> None:
    slow, fast = [0.02, 0.03, 0.01], [0.01, 0.01, 0.01]
    assert ratio(slow, fast).median == pytest.approx(2)
    figures = {"both": figure([1.5, 3.25, 2.0], "ms"), "times as fast": ratio(slow, fast)}
    row = Row("rounds", "A round", figures, "times as fast", at_least(12), {"weights": "1,000"})
    assert line(row) == (
        "| A round | both 2 ms (1.5 to 3.25); weights: 1,000 | 2 x (1 to 3) "
        "| at least 12 x, missed |"
    )
    assert as_json(row)["reached"] is False
    assert as_json(row._replace(reach=Reach(2.5)))["reached"] is True
    assert as_json(row._replace(reach=None))["reached"] is None


def test_sides_take_turns() -> None:
    """After one call of each to warm up, and the one that was last goes first."""
    order: list[str] = []
    times = alternate({name: lambda n=name: order.append(n) for name in "ab"}, 3, title="")
    assert "".join(order) == "ab" + "ba" + "ab" + "ba"
    assert {name: len(each) for name, each in times.items()} == {"a": 3, "b": 3}


def test_a_carried_call_goes_on_from_its_last_result() -> None:
    call = carried(lambda x: 2 * x, 3)
    assert [call(), call(), call()] == [6, 12, 24]


@pytest.mark.slow
def test_a_slower_checkout_is_told(tmp_path: Path) -> None:
    """This library and a copy of it that waits in every call of `prune`."""
    copy, file = tmp_path / "synflow_jax", tmp_path / "figures.json"
    shutil.copytree(ROOT / "synflow_jax", copy)
    with (copy / "__init__.py").open("a") as module:
        module.write(SLOWER)
    done = benchmark(
        str(tmp_path), "--quick", "--only", "rounds", "--json", str(file), command="compare"
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(file.read_text())["rows"]
    assert row["result"] == "new over old"
    assert row["figures"]["old"]["lowest"] > 1e3 * WAITED / 3  # a call has three rounds
    assert row["figures"]["new over old"]["median"] < 0.9


def test_comparing_with_no_checkout_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(compare.main, str(tmp_path))
    assert f"{tmp_path} has no synflow_jax" in capsys.readouterr().err


def test_memory_floor() -> None:
    """A thousand weights: 8,000 bytes read, 4,000 of scores and 1,000 of the mask written."""
    assert Bandwidth(read=8e3, write=5e3).floor(1000) == pytest.approx(2.0)


HLO = """
  %psum.1 = f32[8,4]{1,0} all-reduce(%x), channel_id=1, replica_groups={{0,1}}, to_apply=%add
  %both = (s32[3]{0}, /*index=1*/pred[10]{0}) all-reduce(%a, %b), channel_id=2, to_apply=%add.1
  ROOT %all-gather.3 = bf16[16,2]{1,0} all-gather(%y), channel_id=3, dimensions={0}
  %later = (f32[4]{0}, f32[32]{0}) all-gather-start(%z), channel_id=4, dimensions={0}
  %done = f32[32]{0} all-gather-done(%later)
  %scalar = s64[] collective-permute(%c), channel_id=5, source_target_pairs={{0,1}}
  %other = f32[1000]{0} fusion(%psum.1, %all-gather.3), calls=%all-reduce
"""


def test_exchanged_bytes_are_read_from_hlo() -> None:
    times = {"psum.1": 2.5, "both": 1, "all-gather.3": 1, "later": 3, "scalar": 1, "other": 9}
    assert exchanged(HLO, times) == {
        "all-reduce": 2.5 * 8 * 4 * 4 + 3 * 4 + 10,
        "all-gather": 16 * 2 * 2 + 3 * 32 * 4,
        "collective-permute": 8,
    }
    assert exchanged(HLO, {}).total() == 0


def test_runs_of_an_instruction_are_counted_in_loops() -> None:
    loop = jax.jit(lambda x: jax.lax.fori_loop(0, 7, lambda i, y: jnp.sin(y @ x), x))
    compiled = loop.lower(jnp.ones((16, 16))).compile()
    x = jnp.ones((16, 16))
    times = runs(lambda: compiled(x))
    names = re.findall(r"%([\w.-]+) = \S+ (?:dot|fusion)\(", compiled.as_text() or "")
    assert 7 in {times[name] for name in names}


@pytest.mark.slow
def test_scale_runs(tmp_path: Path) -> None:
    """Two devices prune as one does, and exchange something; one exchanges nothing."""
    file = tmp_path / "figures.json"
    done = benchmark("--quick", "--json", str(file), command="scale")
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())["rows"]
    assert {row["case"] for row in rows} == {"weights", "devices", "process"}
    assert all(row["reached"] is not False for row in rows)
    moved = [row["figures"]["exchanged"]["median"] for row in rows if row["result"] == "exchanged"]
    assert moved[:2] == [0, 0]
    assert min(moved[2:]) > 0
