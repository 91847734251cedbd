"""The table and the figure of the largest cuts."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.figure import Figure

from experiments.fig7.rows import Cut
from experiments.reporting.axes import DASHED, tidy
from experiments.reporting.results import compression_text, compressions_of


def table(rows: Sequence[Cut]) -> str:
    """The ratios as text, a line for each schedule and number of rounds."""
    powers = compressions_of(rows)
    header = "".join(f"{compression_text(power):>9}" for power in powers)
    lines = ["Largest prune size / cut size, by compression:", f"{'':<12}{'rounds':>7}{header}"]
    ratios = {row[:3]: row.ratio for row in rows}
    for schedule, rounds in dict.fromkeys((row.schedule, row.rounds) for row in rows):
        values = "".join(f"{ratios[schedule, power, rounds]:9.4f}" for power in powers)
        lines.append(f"{schedule:<12}{rounds:>7}{values}")
    return "\n".join(lines)


def cuts_figure(rows: Sequence[Cut], theirs: Sequence[Cut], model: str) -> Figure:
    """A panel a schedule, a line a compression: the largest ratio against rounds."""
    schedules = list(dict.fromkeys(row.schedule for row in rows))
    figure = Figure(figsize=(1.4 + 3.2 * len(schedules), 3.5), layout="constrained")
    panels = figure.subplots(1, len(schedules), sharex=True, sharey=True, squeeze=False)[0]
    powers = compressions_of(rows)
    for axes, schedule in zip(panels, schedules, strict=True):
        axes.axhline(1, color="0.3", linestyle=DASHED, linewidth=1)
        for index, power in enumerate(powers):
            color = colormaps["viridis_r"](0.15 + 0.85 * index / max(1, len(powers) - 1))
            ours, published = (_points(each, schedule, power) for each in (rows, theirs))
            axes.plot(*ours, "o-", color=color, ms=3.5, label=compression_text(power))
            axes.plot(*published, "o", color=color, mfc="none", ms=7, mew=1)
        axes.set_title(f"{schedule} schedule", fontsize=10)
        axes.set_xlabel("Rounds")
        axes.set_yscale("log")
        tidy(axes)
    panels[0].set_ylabel("Largest prune size / cut size")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], loc="outside right upper", title="Compression", frameon=False
    )
    note = "below the dashed line no layer can collapse"
    published = "; hollow: published" if theirs else ""
    figure.suptitle(f"{model}, untrained; {note}{published}", fontsize=9, color="0.35")
    return figure


def _points(rows: Sequence[Cut], schedule: str, power: float) -> tuple[list[int], list[float]]:
    chosen = [r for r in rows if (r.schedule, r.log10_compression) == (schedule, power)]
    return [row.rounds for row in chosen], [row.ratio for row in chosen]
