"""The published averages."""

import csv
from pathlib import Path

from experiments.fig4.experiment import LayerScore

PAPER_FILE = "fig4_vgg19_imagenet_layer_conservation.csv"


def paper_rows(folder: Path) -> list[LayerScore]:
    """The published averages for the untrained network."""
    with (folder / PAPER_FILE).open() as file:
        return [
            LayerScore(
                method=line["method"],
                layer=line["layer"],
                inverse_size=float(line["inverse_layer_size"]),
                average=float(line["average_score"]),
            )
            for line in csv.DictReader(file)
            if line["weights"] == "initialization"
        ]
