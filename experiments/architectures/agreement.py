"""How far a score orders architectures as their accuracies do."""

from typing import NamedTuple

import numpy as np
from scipy import stats


class Agreement(NamedTuple):
    """A score against accuracies.

    Attributes:
        spearman: rank correlation over all architectures.
        kendall: Kendall's tau-b over all.
        top_spearman: rank correlation over the tenth with the highest accuracies.
        top_kendall: Kendall's tau-b over them.
        best: how many of the ten highest scores are among the 1 % with the highest accuracies.
    """

    spearman: float
    kendall: float
    top_spearman: float
    top_kendall: float
    best: int


def agreement(scores: np.ndarray, accuracies: np.ndarray) -> Agreement:
    """How far scores agree with accuracies; one that isn't a number is the lowest.

    >>> import numpy as np
    >>> agreement(np.arange(100.0), np.arange(100.0) ** 2)[:4]
    (1.0, 1.0, 1.0, 1.0)
    """
    lowest = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf, posinf=-np.inf)
    ranks = stats.rankdata(lowest)
    order = np.argsort(-accuracies, kind="stable")
    top = order[: max(2, round(len(order) / 10))]
    best = set(order[: max(1, round(len(order) / 100))].tolist())
    highest = np.argsort(-ranks, kind="stable")[:10]
    return Agreement(
        spearman(ranks, accuracies),
        kendall(ranks, accuracies),
        spearman(ranks[top], accuracies[top]),
        kendall(ranks[top], accuracies[top]),
        len(best & set(highest.tolist())),
    )


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation; 0 where one of both is constant."""
    x, y = stats.rankdata(a), stats.rankdata(b)
    constant = np.ptp(x) == 0 or np.ptp(y) == 0
    return 0.0 if constant else round(float(np.corrcoef(x, y)[0, 1]), 12)


def kendall(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-b; 0 where one of both is constant."""
    tau = stats.kendalltau(a, b)
    return float(np.nan_to_num(round(float(tau.statistic), 12)))  # pyright: ignore
