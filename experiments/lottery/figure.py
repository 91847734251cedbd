"""The figure of the lottery-ticket experiment: a column a network."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.lottery.rows import TicketRow, mean_over_seeds
from experiments.method_table import Style
from experiments.reporting.axes import tidy

KINDS = {
    "iterative": Style("iterative, rewound", "#D55E00", "o"),
    "one-shot": Style("one-shot, rewound", "#0072B2", "s"),
    "reinitialized": Style("iterative mask, new weights", "#009E73", "^"),
    "random mask": Style("random mask, rewound", "#555555", "v"),
}


def lottery_figure(rows: Sequence[TicketRow]) -> Figure:
    """Test accuracy, early-stopping step, and how far weights in and outside the iterative tickets
    moved in the dense training, all against compression; means over seeds.
    """
    networks = list(dict.fromkeys(row.network for row in rows))
    figure = Figure(figsize=(1 + 4 * len(networks), 8), layout="constrained")
    panels = figure.subplots(3, len(networks), squeeze=False, sharex="col")
    for column, network in zip(panels.T, networks, strict=True):
        for axes, name, factor in (
            (column[0], "accuracy", 100),
            (column[1], "early_step", 1),
        ):
            _draw(axes, rows, network, name, factor)
        column[1].set_ylim(bottom=0)
        _draw_movement(column[2], rows, network)
        column[0].set_title(network)
        column[2].set_xlabel("Compression (log scale)")
    labels = ("Test accuracy (%)", "Step of lowest validation loss", "Mean |w trained - w initial|")
    for axes, label in zip(panels[:, 0], labels, strict=True):
        axes.set_ylabel(label)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=2,
        frameon=False,
    )
    return figure


def _points(
    rows: Sequence[TicketRow], network: str, kind: str, value: str
) -> tuple[list[float], list[float]]:
    """Compressions and means of one kind, the dense network's first."""
    places = dict.fromkeys(
        (r.kind, r.level) for r in rows if r.network == network and r.kind in ("dense", kind)
    )
    columns = {
        name: [mean_over_seeds(rows, network, *place, name) for place in places]
        for name in ("weights", "kept", value)
    }
    compressions = [w / k for w, k in zip(columns["weights"], columns["kept"], strict=True)]
    return compressions, columns[value]


def _draw(axes: Axes, rows: Sequence[TicketRow], network: str, value: str, factor: float) -> None:
    kinds = dict.fromkeys(row.kind for row in rows if row.kind != "dense")
    for kind in kinds:
        style = KINDS[kind]
        compressions, values = _points(rows, network, kind, value)
        axes.plot(
            compressions,
            [factor * x for x in values],
            color=style.color,
            marker=style.marker,
            label=style.label,
        )
    _compressions(axes)


def _draw_movement(axes: Axes, rows: Sequence[TicketRow], network: str) -> None:
    kind = "iterative" if any(row.kind == "iterative" for row in rows) else rows[-1].kind
    for value, line, label in (
        ("moved_inside", "-", "inside the ticket"),
        ("moved_outside", "--", "outside"),
    ):
        compressions, values = _points(rows, network, kind, value)
        style = KINDS[kind]
        axes.plot(compressions, values, line, color=style.color, marker=style.marker, label=label)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _compressions(axes)


def _compressions(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    tidy(axes)
