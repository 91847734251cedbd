"""The heat maps of similarity, layers by compressions, and their table."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.method_table import STYLES
from experiments.reporting.results import aligned, compression_text
from experiments.similarity.experiment import OTHER, Row

Measure = Literal["cka", "svcca"]
MEASURES: dict[Measure, str] = {"cka": "Linear CKA", "svcca": "SVCCA"}
Column = tuple[str, float]
LIGHT_BELOW = 0.6


def networks_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each network."""
    names = dict.fromkeys(row.network for row in rows)
    return {name: [row for row in rows if row.network == name] for name in names}


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Each method at each compression, by methods."""
    return list(dict.fromkeys((row.method, row.log10_compression) for row in rows))


def map_of(rows: Sequence[Row], measure: Measure) -> np.ndarray:
    """Means over seeds, of shape ``(layers, columns)``; NaN if a seed's is."""
    layers = dict.fromkeys(row.layer for row in rows)
    return np.array(
        [
            [
                np.mean(
                    [
                        getattr(row, measure)
                        for row in rows
                        if (row.layer, row.method, row.log10_compression) == (layer, *column)
                    ]
                )
                for column in columns_of(rows)
            ]
            for layer in layers
        ]
    )


def similarity_figure(rows: Sequence[Row]) -> Figure:
    """A row a network, a column a measure; in each map a row a layer, from input to output, and a
    column a method and compression. Blank where a representation is the same for all images.
    """
    networks = networks_of(rows)
    columns = max(len(columns_of(own)) for own in networks.values())
    layers = [len({row.layer for row in own}) for own in networks.values()]
    size = (2.4 + 2 * 0.42 * columns, 1.6 + sum(0.34 * each + 1.1 for each in layers))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(networks), 2, squeeze=False, height_ratios=layers)
    image: Any = None
    for (network, own), line in zip(networks.items(), grid, strict=True):
        for measure, axes in zip(MEASURES, line, strict=True):
            image = _draw(axes, own, measure)
            axes.set_title(f"{MEASURES[measure]}, {network}", loc="left", fontsize=10)
        line[1].set_yticklabels([])
    figure.colorbar(image, ax=grid, shrink=0.5, label="Similarity to the network as it is")
    return figure


def _draw(axes: Axes, rows: Sequence[Row], measure: Measure) -> Any:
    values, columns = map_of(rows, measure), columns_of(rows)
    image = axes.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if value < LIGHT_BELOW else "black"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=6.5, color=color)
    axes.set_yticks(range(len(values)), list(dict.fromkeys(row.layer for row in rows)), fontsize=8)
    labels = ["" if method == OTHER else compression_text(power) for method, power in columns]
    axes.set_xticks(range(len(columns)), labels, fontsize=7)
    axes.tick_params(length=0)
    for method in dict.fromkeys(method for method, _ in columns):
        places = [j for j, column in enumerate(columns) if column[0] == method]
        label = "other\nseed" if method == OTHER else f"{STYLES[method].label},\ncompression"
        axes.annotate(
            label,
            (float(np.mean(places)), 0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, -5 if method == OTHER else -16),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
        )
        axes.axvline(max(places) + 0.5, color="white", linewidth=3)
    return image


def similarity_table(rows: Sequence[Row]) -> str:
    """For each network and column, accuracy and the similarity of layers."""
    lines: list[tuple[str, ...]] = [
        ("network", "method", "compression", "accuracy", "CKA", "SVCCA", "last but one")
    ]
    for network, own in networks_of(rows).items():
        cka, correlations = map_of(own, "cka"), map_of(own, "svcca")
        for index, (method, power) in enumerate(columns_of(own)):
            same = [r for r in own if (r.method, r.log10_compression) == (method, power)]
            found = 100 * float(np.mean([row.accuracy for row in same]))
            numbers = np.mean(cka[:, index]), np.mean(correlations[:, index]), cka[-2, index]
            texts = (f"{number:.2f}" for number in numbers)
            lines.append((network, method, compression_text(power), f"{found:.1f}", *texts))
    head = (
        "Test accuracy in %, mean similarity of all layers to those of the network as it is, and\n"
        "CKA of the last layer but one."
    )
    return f"{head}\n{aligned(lines)}"
