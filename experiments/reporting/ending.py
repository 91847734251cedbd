"""How a command ends: its figure is saved, its tables are printed, and where all of it is."""

import time
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.runs.folders import write_atomically


def finish(folder: Path, figure: Figure, *texts: str, started: float) -> None:
    """Saves the figure under the study's name, prints the texts, and says where all of it is."""
    study = folder.parent.name
    save_figure(figure, folder / study)
    for text in filter(None, texts):
        print(f"\n{text}")
    seconds = time.perf_counter() - started
    print(f"\n{folder} has rows.csv, config.json, {study}.png and .svg ({seconds:.0f} s)")


def save_figure(figure: Figure, path: Path) -> None:
    """Writes ``path`` with .png and with .svg; the same figure gives the same bytes."""
    with rc_context({"svg.hashsalt": path.name}):
        for suffix, metadata in ((".png", {}), (".svg", {"Date": None})):
            write_atomically(
                path.with_suffix(suffix),
                lambda file, metadata=metadata: figure.savefig(file, dpi=200, metadata=metadata),
            )
