"""The weights that are left after each round."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from synflow_jax.checks import shown
from synflow_jax.plots.axes import Empty, axes_of, finish
from synflow_jax.types import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_history(history: History | Mapping[str, History], *, ax: Any = None) -> "Axes":
    """Draw how many weights each round left, in all and by layer, logarithmic.

    Of one history thin lines are its layers; of several a dashed line is whichever layer has the
    fewest. The round that first left a layer nothing has a cross in a band at the bottom.

    Args:
        history: from `prune`; or a dict of several by names, drawn in one picture. Of those from
            `sweep`, ``jax.tree.map(lambda x: x[i], histories)`` is one.
        ax: matplotlib's ``Axes`` to draw on; by default those of a new figure.

    Returns:
        The ``Axes``. ``ax.figure.savefig("history.png")`` writes the picture.

    Raises:
        ValueError: there is no history, or it's of several prunings at once.
        TypeError: it isn't a `History`, or ``ax`` isn't an ``Axes``.
        ImportError: the package matplotlib isn't installed: ``pip install synflow_jax[plot]``.

    >>> import jax.numpy as jnp
    >>> import synflow_jax as sf
    >>> params = {"hidden": jnp.ones((4, 4)), "output": jnp.ones((4, 1))}
    >>> _, history = sf.prune(sf.magnitude(), params, 10.0, rounds=3)
    >>> ax = sf.plot_history(history)
    >>> ax.figure.savefig("history.png")  # doctest: +SKIP
    """
    histories = _named(history)
    ax = axes_of(ax)
    # Totals often lie upon each other, so the first are wider.
    widths = [1.5 * (len(histories) - line) + 0.5 for line in range(len(histories))]
    empties = [
        _draw(ax, each, label, width)
        for (label, each), width in zip(histories.items(), widths, strict=True)
    ]
    ax.set_xlabel("round")
    ax.set_ylabel("weights left")
    ax.set_xlim(0.5, 0.5 + max(len(each.kept) for each in histories.values()))
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    lines = {"smallest layer": "--"} if all(histories) else {}
    finish(ax, [each for each in empties if each.places], lines)
    return ax


def _named(history: Any) -> Mapping[str, History]:
    """Histories by name; a single one has none."""
    histories = history if isinstance(history, Mapping) else {"": history}
    if not histories:
        raise ValueError("there is no history; pass one from sf.prune, or a dict of several")
    for each in histories.values():
        if not isinstance(each, History):
            raise TypeError(
                f"history must be a History from sf.prune, or a dict of them, got {shown(each)}"
            )
        if np.ndim(each.kept) != 1:
            raise ValueError(
                f"history is of {np.shape(each.kept)[:-1]} prunings at once; pass one of them, "
                "jax.tree.map(lambda x: x[i], histories)"
            )
    return histories


def _draw(ax: "Axes", history: History, label: str, width: float) -> Empty:
    by_layer = np.asarray(history.kept_by_layer, float)
    rounds = np.arange(1, len(by_layer) + 1)
    dots = {"marker": "o" if len(rounds) == 1 else None, "markersize": 4}
    total = np.asarray(history.kept)
    (curve,) = ax.plot(rounds, total, linewidth=width, label=label or "all layers", **dots)
    color = curve.get_color()
    thin = by_layer.min(axis=1, keepdims=True) if label else by_layer
    style = "--" if label else "-"
    thin = np.where(thin > 0, thin, np.nan)
    lines = ax.plot(rounds, thin, color=color, linestyle=style, linewidth=0.8, alpha=0.6, **dots)
    if not label:
        lines[0].set_label("each layer")
    gone = by_layer == 0
    first = rounds[gone.argmax(axis=0)[gone.any(axis=0)]]
    return Empty(sorted(set(first.tolist())), color)
