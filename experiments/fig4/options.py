"""The options of figure 4."""

from dataclasses import dataclass

from experiments.fig4.published import PAPER_FILE
from experiments.untrained.options import ScoreOptions, check_paper_data, standard_subject


@dataclass(frozen=True)
class Options(ScoreOptions):
    """Score an untrained network by several methods and draw the average score of each layer
    against the inverse of its size. Nothing is pruned or trained.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check_paper_data(self, PAPER_FILE)
        standard_subject(self)
